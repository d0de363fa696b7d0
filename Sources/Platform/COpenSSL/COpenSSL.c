#define _DEFAULT_SOURCE 1
#include "COpenSSL.h"

#include <string.h>
#include <time.h>

EVP_PKEY *weir_p256_generate(void) {
    return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}

int weir_asn1_time_seconds(const ASN1_TIME *time, int64_t *seconds) {
    struct tm parts;
    if (time == NULL || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
    *seconds = (int64_t)timegm(&parts);
    return 1;
}

int weir_general_name_count(const GENERAL_NAMES *names) {
    int count = names == NULL ? 0 : sk_GENERAL_NAME_num(names);
    return count < 0 ? 0 : count;
}

const unsigned char *weir_general_name(const GENERAL_NAMES *names, int index, int *kind, int *length) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
    const ASN1_STRING *text = NULL;
    if (name == NULL) return NULL;
    switch (name->type) {
    case GEN_DNS: text = name->d.dNSName; break;
    case GEN_URI: text = name->d.uniformResourceIdentifier; break;
    case GEN_IPADD: text = name->d.iPAddress; break;
    default: return NULL;
    }
    *kind = name->type;
    *length = ASN1_STRING_length(text);
    return ASN1_STRING_get0_data(text);
}

void weir_general_names_free(GENERAL_NAMES *names) {
    GENERAL_NAMES_free(names);
}

int weir_name_text(const X509_NAME *name, char *text, int size) {
    BIO *out = BIO_new(BIO_s_mem());
    int length = -1;
    if (out == NULL) return -1;
    if (X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        length = BIO_read(out, text, size);
        // An empty name reads as the end of the octets.
        if (length < 0) length = 0;
    }
    BIO_free(out);
    return length;
}

int weir_signature_digest(X509 *certificate) {
    int digest = NID_undef;
    if (X509_get_signature_info(certificate, &digest, NULL, NULL, NULL) != 1) return NID_undef;
    return digest;
}

int weir_names_issuer_location(X509 *certificate) {
    AUTHORITY_INFO_ACCESS *places = X509_get_ext_d2i(certificate, NID_info_access, NULL, NULL);
    int found = 0;
    for (int index = 0; places != NULL && index < sk_ACCESS_DESCRIPTION_num(places); index++) {
        const ACCESS_DESCRIPTION *place = sk_ACCESS_DESCRIPTION_value(places, index);
        if (OBJ_obj2nid(place->method) == NID_ad_ca_issuers) found = 1;
    }
    AUTHORITY_INFO_ACCESS_free(places);
    return found;
}

int weir_issuer_is_issued(X509 *certificate) {
    const GENERAL_NAMES *names = X509_get0_authority_issuer(certificate);
    for (int index = 0; names != NULL && index < sk_GENERAL_NAME_num(names); index++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
        if (name->type == GEN_DIRNAME && X509_NAME_cmp(name->d.directoryName, X509_get_issuer_name(certificate)) != 0)
            return 1;
    }
    return 0;
}

static int verify_path(STACK_OF(X509) *path, X509_STORE *store, int64_t seconds, int *position) {
    X509_STORE_CTX *verification = X509_STORE_CTX_new();
    int error = X509_V_ERR_OUT_OF_MEM;
    if (verification == NULL) return error;
    if (X509_STORE_add_cert(store, sk_X509_value(path, sk_X509_num(path) - 1)) == 1
        && X509_STORE_CTX_init(verification, store, sk_X509_value(path, 0), path) == 1
        && X509_STORE_CTX_set_purpose(verification, X509_PURPOSE_SSL_SERVER) == 1) {
        X509_STORE_CTX_set_flags(verification, X509_V_FLAG_PARTIAL_CHAIN);
        X509_STORE_CTX_set_time(verification, 0, (time_t)seconds);
        error = X509_V_OK;
        if (X509_verify_cert(verification) != 1) {
            error = X509_STORE_CTX_get_error(verification);
            *position = X509_STORE_CTX_get_error_depth(verification);
            if (error == X509_V_OK) error = X509_V_ERR_UNSPECIFIED;
        }
    }
    X509_STORE_CTX_free(verification);
    return error;
}

int weir_verify_path(const unsigned char *der, const long *lengths, int count, int64_t seconds, int *position) {
    STACK_OF(X509) *path = sk_X509_new_null();
    X509_STORE *store = X509_STORE_new();
    int error = path == NULL || store == NULL || count < 1 ? X509_V_ERR_OUT_OF_MEM : X509_V_OK;
    *position = 0;
    for (int index = 0; error == X509_V_OK && index < count; index++) {
        const unsigned char *cursor = der;
        X509 *certificate = d2i_X509(NULL, &cursor, lengths[index]);
        der += lengths[index];
        if (certificate == NULL || sk_X509_push(path, certificate) <= 0) {
            X509_free(certificate);
            error = X509_V_ERR_OUT_OF_MEM;
        }
    }
    if (error == X509_V_OK) error = verify_path(path, store, seconds, position);
    sk_X509_pop_free(path, X509_free);
    X509_STORE_free(store);
    ERR_clear_error();
    return error;
}

int weir_gcm_get_tag(EVP_CIPHER_CTX *context, void *tag, int length) {
    return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, length, tag);
}

int weir_gcm_set_tag(EVP_CIPHER_CTX *context, const void *tag, int length) {
    // OpenSSL reads the tag and does not write to it; its signature serves both directions.
    return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, length, (void *)tag);
}

void weir_ssl_ctx_no_session_cache(SSL_CTX *context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

void weir_ssl_ctx_set_modes(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
                                  | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

int weir_ssl_ctx_only_tls13(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1
        && SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1;
}

int weir_ssl_ctx_add_chain(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

int weir_ssl_set_server_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}

int weir_x509_chain_count(const STACK_OF(X509) *chain) {
    int count = chain == NULL ? 0 : sk_X509_num(chain);
    return count < 0 ? 0 : count;
}

X509 *weir_x509_chain_at(const STACK_OF(X509) *chain, int index) {
    return sk_X509_value(chain, index);
}

int weir_err_reason(unsigned long code) {
    return ERR_GET_REASON(code);
}

int weir_err_library(unsigned long code) {
    return ERR_GET_LIB(code);
}

// What a context carries for its callbacks lives in its ex_data and is freed with it.

struct alpn_list {
    unsigned int length;
    unsigned char octets[];
};

static void free_ex_data(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long argl, void *argp) {
    (void)parent, (void)data, (void)index, (void)argl, (void)argp;
    OPENSSL_free(pointer);
}

static CRYPTO_ONCE indexes_once = CRYPTO_ONCE_STATIC_INIT;
static int alpn_index = -1;
static int pin_index = -1;

static void make_indexes(void) {
    alpn_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_ex_data);
    pin_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_ex_data);
}

static int have_indexes(void) {
    return CRYPTO_THREAD_run_once(&indexes_once, make_indexes) == 1 && alpn_index >= 0 && pin_index >= 0;
}

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length, const unsigned char *in,
                       unsigned int in_length, void *argument) {
    const struct alpn_list *list = argument;
    (void)ssl;
    if (SSL_select_next_proto((unsigned char **)out, out_length, list->octets, list->length, in, in_length)
        != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

int weir_ssl_ctx_set_alpn_selection(SSL_CTX *context, const unsigned char *protocols, unsigned int length) {
    struct alpn_list *list;
    if (!have_indexes()) return 0;
    list = OPENSSL_malloc(sizeof *list + length);
    if (list == NULL) return 0;
    list->length = length;
    memcpy(list->octets, protocols, length);
    if (SSL_CTX_set_ex_data(context, alpn_index, list) != 1) {
        OPENSSL_free(list);
        return 0;
    }
    SSL_CTX_set_alpn_select_cb(context, select_alpn, list);
    return 1;
}

struct pin_list {
    size_t count;
    unsigned char digests[][32];
};

static int is_pinned(const struct pin_list *pins, const unsigned char digest[32]) {
    for (size_t index = 0; index < pins->count; index++)
        if (CRYPTO_memcmp(digest, pins->digests[index], 32) == 0) return 1;
    return 0;
}

// Trusts, for this one verification, those certificates of the peer's chain that have a pinned digest;
// everything else (signatures, validity, name, purpose, CA bit) is then checked by OpenSSL as always.
static int verify_pinned(X509_STORE_CTX *verification, void *argument) {
    const struct pin_list *pins = argument;
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(verification);
    STACK_OF(X509) *trusted = sk_X509_new_null();
    int result = 0, found = 0;
    if (trusted == NULL) {
        X509_STORE_CTX_set_error(verification, X509_V_ERR_OUT_OF_MEM);
        return 0;
    }
    for (int index = 0; index < weir_x509_chain_count(sent); index++) {
        X509 *certificate = sk_X509_value(sent, index);
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned int length = 0;
        if (X509_check_ca(certificate) != 1) continue;
        if (X509_digest(certificate, EVP_sha256(), digest, &length) != 1 || length != 32) continue;
        if (is_pinned(pins, digest) && sk_X509_push(trusted, certificate) > 0) found = 1;
    }
    if (found) {
        X509_STORE_CTX_set0_trusted_stack(verification, trusted);
        result = X509_verify_cert(verification);
    } else {
        X509_STORE_CTX_set_error(verification, X509_V_ERR_CERT_UNTRUSTED);
    }
    // The verification keeps its chain with references of its own; the stack itself was ours.
    sk_X509_free(trusted);
    return result > 0;
}

int weir_ssl_ctx_set_pinned_authorities(SSL_CTX *context, const unsigned char *digests, size_t count) {
    struct pin_list *pins;
    if (!have_indexes()) return 0;
    pins = OPENSSL_malloc(sizeof *pins + 32 * count);
    if (pins == NULL) return 0;
    pins->count = count;
    memcpy(pins->digests, digests, 32 * count);
    if (SSL_CTX_set_ex_data(context, pin_index, pins) != 1) {
        OPENSSL_free(pins);
        return 0;
    }
    SSL_CTX_set_cert_verify_callback(context, verify_pinned, pins);
    return 1;
}

int weir_crl_is_complete(const X509_CRL *list) {
    ISSUING_DIST_POINT *point;
    int critical = 0, is_complete;
    if (X509_CRL_get_ext_by_NID(list, NID_delta_crl, -1) >= 0) return 0;
    point = X509_CRL_get_ext_d2i(list, NID_issuing_distribution_point, &critical, NULL);
    // -1 is none; others are there twice, or cannot be read.
    if (point == NULL) return critical == -1;
    is_complete = point->indirectCRL <= 0 && point->onlysomereasons == NULL
        && (point->onlyuser > 0) + (point->onlyCA > 0) + (point->onlyattr > 0) <= 1;
    ISSUING_DIST_POINT_free(point);
    return is_complete;
}
