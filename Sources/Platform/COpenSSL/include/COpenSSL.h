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

/// Whether a CRL stands for itself, alone, for all reasons: no delta and no indirect one (RFC 5280 §5.2.4, §5.2.5). OpenSSL
/// passes over the others in silence, or takes a delta for the whole.
int weir_crl_is_complete(const X509_CRL *list);

/// Number of subject alternative names; `names` may be NULL.
int weir_general_name_count(const GENERAL_NAMES *names);

/// The text of a dNSName (2), URI (6) or the octets of an iPAddress (7); NULL for every other kind.
const unsigned char *weir_general_name(const GENERAL_NAMES *names, int index, int *kind, int *length);

/// Frees what X509_get_ext_d2i returned for the subject alternative names.
void weir_general_names_free(GENERAL_NAMES *names);

/// A name as RFC 2253 writes it, in UTF-8 with controls escaped, cut to `size` octets: its length, or -1.
int weir_name_text(const X509_NAME *name, char *text, int size);

/// The NID of the digest within a certificate's signature: NID_undef if the scheme has none of its own or is unknown.
int weir_signature_digest(X509 *certificate);

/// Whether the certificate says where its issuer's is (RFC 5280 §4.2.2.1, caIssuers).
int weir_names_issuer_location(X509 *certificate);

/// Whether the authority key identifier says that the issuer's certificate was issued by another (§4.2.1.1).
int weir_issuer_is_issued(X509 *certificate);

/// Verifies a path as a TLS client does that trusts its last certificate, at a moment in seconds since 1970-01-01
/// UTC: an X509_V_ERR code, and where in the path it arose. `der` holds `count` certificates, the leaf first.
int weir_verify_path(const unsigned char *der, const long *lengths, int count, int64_t seconds, int *position);

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

/// Makes verification end only in a CA certificate of the peer's own chain whose DER has one of these SHA-256:
/// `count` times 32 octets, which are copied and freed with the context. 1 on success.
int weir_ssl_ctx_set_pinned_authorities(SSL_CTX *context, const unsigned char *digests, size_t count);

// The edge: a BIO on a non-blocking socket that gathers what is written, and what contexts there need.

/// What the TLS connections of one thread share: which socket is worked on, how its last read came out, and where
/// ciphertext is gathered so that many records leave in one call.
struct weir_tls_port {
    /// The socket of the connection that is worked on; -1 while there is none, and then nothing is read.
    int descriptor;
    /// The error number of the last read that failed, or 0.
    int error;
    /// Whether the last read brought less than was asked for, so that the socket is empty.
    unsigned char is_drained;
    /// Whether the last read found the end.
    unsigned char has_ended;
    /// Whether the last read found nothing, but may later.
    unsigned char has_waited;
    /// Octets that may still be read; with none left a read fails with EPROTO.
    size_t input_left;
    /// Memory for ciphertext, how much of it is filled, and its size.
    unsigned char *output;
    size_t output_count;
    size_t output_capacity;
};

/// Turns the port to a socket, of which so many octets may be read: nothing is known of its last read.
void weir_tls_port_attend(struct weir_tls_port *port, int descriptor, size_t input_max);

/// A BIO that reads from the port's socket and writes to its memory, as far as that has room. The port outlives it.
BIO *weir_tls_bio(struct weir_tls_port *port);

/// SSL_CTX_set_min_proto_version: 1 on success.
int weir_ssl_ctx_minimum_version(SSL_CTX *context, int version);

/// SSL_CTX_set1_groups_list: 1 on success, 0 when the library lacks one.
int weir_ssl_ctx_set_groups(SSL_CTX *context, const char *groups);

/// No renegotiation, no compression, reads ahead, no early data, our order of ciphers but for clients that want ChaCha20
/// most; an end without close_notify sends no alert, and the port's `has_ended` tells it.
void weir_ssl_ctx_set_edge_options(SSL_CTX *context);

/// Makes no tickets in a session, and takes none.
void weir_ssl_set_no_tickets(SSL *ssl);

/// What the edge decides while a client says hello, called on the thread that serves it.
struct weir_edge {
    /// Given to both.
    void *argument;
    /// Sees a ClientHello before anything of it is taken up. Returns 1 to go on, or 0 with the alert to send.
    int (*see_hello)(void *argument, SSL *ssl, int *alert);
    /// Gives the keys of a ticket: `name` has 16 octets, `keys` 64, 32 for AES-256 and 32 for HMAC-SHA-256. Of a new
    /// ticket it fills in both; else it finds the keys that `name` stands for. Returns 0 without such keys, 1 with
    /// them, 2 when the ticket is to be replaced, -1 on failure.
    int (*find_ticket_keys)(void *argument, unsigned char *name, unsigned char *keys, int is_new);
    /// For how long sessions go on, one from the other, before a client's certificate is verified anew.
    int64_t client_seconds_max;
};

/// Has a context ask `edge`, which is copied. 1 on success.
int weir_ssl_ctx_set_edge(SSL_CTX *context, const struct weir_edge *edge);

/// Adds a CRL in DER to what a context believes: 1 on success, 0 for one that is not complete too.
int weir_ssl_ctx_add_revocation_list(SSL_CTX *context, const unsigned char *der, long length);

/// Refuses certificates that a CRL of their issuer revokes, and all of an issuer whose CRL has expired. Issuers without
/// a CRL revoke nothing.
void weir_ssl_ctx_check_revocation(SSL_CTX *context);

/// The subject of the peer's certificate as RFC 4514 writes it, in ASCII: its length, or -1 when there is none of `size` octets at most.
int weir_ssl_peer_subject(const SSL *ssl, char *text, int size);

/// What the sessions of one side with one peer leave for the next: the last ticket, or NULL. Confined to a thread.
struct weir_tls_slot {
    SSL_SESSION *session;
};

/// A client's context: TLS 1.2 at least, no renegotiation, reads ahead, the same end; sessions are kept in slots. 1 on success.
int weir_ssl_ctx_set_client_options(SSL_CTX *context);

/// Has a client's session go on from the slot's, and leave its own there. The slot outlives it. 1 on success.
int weir_ssl_use_slot(SSL *ssl, struct weir_tls_slot *slot);

/// Forgets what the slot holds.
void weir_tls_slot_clear(struct weir_tls_slot *slot);

/// When the files with the system's authorities last changed, in nanoseconds since 1970 of file and folder mixed.
int64_t weir_system_store_stamp(void);
