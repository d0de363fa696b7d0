#include "CIDN2.h"

#include <idn2.h>
#include <stddef.h>

int weir_idn2_to_ascii(const uint8_t *name, uint8_t **converted) {
    *converted = NULL;
    int result = idn2_lookup_u8(name, converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (result == IDN2_OK) return 0;
    // It may have been set before what failed.
    idn2_free(*converted);
    *converted = NULL;
    return result;
}

const char *weir_idn2_reason(int result) { return idn2_strerror(result); }

void weir_idn2_free(uint8_t *name) { idn2_free(name); }
