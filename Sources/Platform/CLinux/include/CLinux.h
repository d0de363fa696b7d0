// C shims for Linux system calls; no policy here.
#pragma once
