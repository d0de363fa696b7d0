// The entry of the fuzzer's program; see CFuzz.c.
#pragma once
