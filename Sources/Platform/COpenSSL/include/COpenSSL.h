// C shims for OpenSSL; no policy here.
#pragma once
