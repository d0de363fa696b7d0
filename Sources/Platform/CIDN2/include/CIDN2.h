// C shim for libidn2: international domain names (UTS 46, IDNA 2008). No policy here.
#pragma once

#include <stdint.h>

/// Converts a name, which is UTF-8 and ends in a zero octet, to the form that is asked for in the DNS: UTS 46, not
/// transitional, in normalisation form C.
///
/// Returns 0 and a name that the caller frees, or else a number for weir_idn2_reason, and nothing in `*converted`.
int weir_idn2_to_ascii(const uint8_t *name, uint8_t **converted);

/// Why a conversion failed: a text that stays.
const char *weir_idn2_reason(int result);

void weir_idn2_free(uint8_t *name);
