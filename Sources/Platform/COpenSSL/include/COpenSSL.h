// C shims for OpenSSL 3.0: its headers, and functions for the macros that Swift cannot see. No policy here.
#pragma once

#define OPENSSL_API_COMPAT 30000
#define OPENSSL_NO_DEPRECATED 1

#include <stddef.h>
#include <stdint.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

/// EVP_PKEY_Q_keygen is variadic: a new P-256 key, or NULL.
EVP_PKEY *weir_p256_generate(void);

/// Seconds since 1970-01-01 UTC of an ASN.1 time; 1 on success.
int weir_asn1_time_seconds(const ASN1_TIME *time, int64_t *seconds);

/// Number of subject alternative names; `names` may be NULL.
int weir_general_name_count(const GENERAL_NAMES *names);

/// The text of a dNSName (2), URI (6) or the octets of an iPAddress (7); NULL for every other kind.
const unsigned char *weir_general_name(const GENERAL_NAMES *names, int index, int *kind, int *length);

/// Frees what X509_get_ext_d2i returned for the subject alternative names.
void weir_general_names_free(GENERAL_NAMES *names);

/// GCM parameters, macros over EVP_CIPHER_CTX_ctrl: 1 on success.
int weir_gcm_get_tag(EVP_CIPHER_CTX *context, void *tag, int length);
int weir_gcm_set_tag(EVP_CIPHER_CTX *context, const void *tag, int length);

/// SSL_CTX_set_session_cache_mode(SSL_SESS_CACHE_OFF).
void weir_ssl_ctx_no_session_cache(SSL_CTX *context);

/// SSL_CTX_set_mode(SSL_MODE_RELEASE_BUFFERS | partial writes | moving write buffer).
void weir_ssl_ctx_set_modes(SSL_CTX *context);

/// SSL_CTX_set_min_proto_version and SSL_CTX_set_max_proto_version with TLS 1.3: 1 on success.
int weir_ssl_ctx_only_tls13(SSL_CTX *context);

/// SSL_CTX_add0_chain_cert with one reference taken: 1 on success.
int weir_ssl_ctx_add_chain(SSL_CTX *context, X509 *certificate);

/// SSL_set_tlsext_host_name: 1 on success.
int weir_ssl_set_server_name(SSL *ssl, const char *name);

/// Number of certificates in a chain; `chain` may be NULL.
int weir_x509_chain_count(const STACK_OF(X509) *chain);

/// The certificate at `index` of a chain, borrowed.
X509 *weir_x509_chain_at(const STACK_OF(X509) *chain, int index);

/// ERR_GET_REASON and ERR_GET_LIB.
int weir_err_reason(unsigned long code);
int weir_err_library(unsigned long code);

/// Selects the first of the server's protocols that the client offers; sends the alert
/// no_application_protocol when there is none (RFC 7301 §3.2). `protocols` is in wire format, copied,
/// and freed with the context. 1 on success.
int weir_ssl_ctx_set_alpn_selection(SSL_CTX *context, const unsigned char *protocols, unsigned int length);

/// Makes verification end only in a CA certificate of the peer's own chain whose DER has this SHA-256.
/// The digest is copied and freed with the context. 1 on success.
int weir_ssl_ctx_set_pinned_authority(SSL_CTX *context, const unsigned char digest[32]);
