#define _DEFAULT_SOURCE 1
#include "COpenSSL.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

void weir_tls_port_attend(struct weir_tls_port *port, int descriptor, size_t input_max) {
    port->descriptor = descriptor;
    port->error = 0;
    port->is_drained = 0;
    port->has_ended = 0;
    port->has_waited = 0;
    port->input_left = input_max;
}

static int port_read(BIO *bio, char *octets, int count) {
    struct weir_tls_port *port = BIO_get_data(bio);
    ssize_t got;
    BIO_clear_retry_flags(bio);
    if (count <= 0 || port->descriptor < 0) return 0;
    if (port->input_left == 0) {
        port->error = EPROTO;
        return -1;
    }
    if ((size_t)count > port->input_left) count = (int)port->input_left;
    do got = recv(port->descriptor, octets, (size_t)count, 0);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        port->is_drained = got < count;
        port->input_left -= (size_t)got;
        return (int)got;
    }
    port->is_drained = 1;
    if (got == 0) {
        port->has_ended = 1;
        return 0;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        BIO_set_retry_read(bio);
        port->has_waited = 1;
    } else {
        port->error = errno;
    }
    return -1;
}

static int port_write(BIO *bio, const char *octets, int count) {
    struct weir_tls_port *port = BIO_get_data(bio);
    size_t room = port->output_capacity - port->output_count;
    size_t taken = count < 0 ? 0 : (size_t)count;
    BIO_clear_retry_flags(bio);
    if (taken > room) taken = room;
    if (taken == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    memcpy(port->output + port->output_count, octets, taken);
    port->output_count += taken;
    return (int)taken;
}

static long port_control(BIO *bio, int command, long number, void *pointer) {
    struct weir_tls_port *port = BIO_get_data(bio);
    (void)number, (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return port->has_ended;
    default: return 0;
    }
}

static CRYPTO_ONCE method_once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *port_method;

static void make_method(void) {
    int type = BIO_get_new_index();
    BIO_METHOD *method = type < 0 ? NULL : BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "weir");
    if (method == NULL || BIO_meth_set_read(method, port_read) != 1 || BIO_meth_set_write(method, port_write) != 1
        || BIO_meth_set_ctrl(method, port_control) != 1) {
        BIO_meth_free(method);
        return;
    }
    port_method = method;
}

BIO *weir_tls_bio(struct weir_tls_port *port) {
    BIO *bio;
    if (CRYPTO_THREAD_run_once(&method_once, make_method) != 1 || port_method == NULL) return NULL;
    bio = BIO_new(port_method);
    if (bio == NULL) return NULL;
    BIO_set_data(bio, port);
    BIO_set_init(bio, 1);
    return bio;
}

int weir_ssl_ctx_minimum_version(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_min_proto_version(context, version);
}

int weir_ssl_ctx_set_groups(SSL_CTX *context, const char *groups) {
    return (int)SSL_CTX_set1_groups_list(context, groups);
}

void weir_ssl_ctx_set_edge_options(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF
                                     | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_max_early_data(context, 0);
    // Each ticket is the sealing of a session, and a client that has used one is given another.
    SSL_CTX_set_num_tickets(context, 1);
}

// What a context carries for its callbacks lives in its ex_data and is freed with it.

void weir_ssl_set_no_tickets(SSL *ssl) {
    SSL_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_set_num_tickets(ssl, 0);
}

static void free_ex_data(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long argl, void *argp) {
    (void)parent, (void)data, (void)index, (void)argl, (void)argp;
    OPENSSL_free(pointer);
}

static CRYPTO_ONCE edge_once = CRYPTO_ONCE_STATIC_INIT;
static int edge_index = -1;

static void make_edge_index(void) {
    edge_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_ex_data);
}

static int see_hello(SSL *ssl, int *alert, void *argument) {
    const struct weir_edge *edge = argument;
    return edge->see_hello(edge->argument, ssl, alert) == 1 ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

static int use_ticket_keys(SSL *ssl, unsigned char *name, unsigned char *vector, EVP_CIPHER_CTX *cipher,
                           EVP_MAC_CTX *mac, int is_new) {
    // The context may be that of the name that the client has asked for; each carries a copy.
    const struct weir_edge *edge = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), edge_index);
    unsigned char keys[64];
    char digest[] = "SHA256";
    OSSL_PARAM parameters[3];
    int found, status;
    if (edge == NULL) return -1;
    found = edge->find_ticket_keys(edge->argument, name, keys, is_new);
    if (found <= 0) return found;
    // A ticket that is used twice tells whose it is (RFC 8446 §C.4). The new one also answers the client's Finished at
    // once, which else is acknowledged late, with a request that waits for that.
    if (!is_new && SSL_version(ssl) == TLS1_3_VERSION) found = 2;
    parameters[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, keys + 32, 32);
    parameters[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    parameters[2] = OSSL_PARAM_construct_end();
    if (is_new) {
        status = RAND_bytes(vector, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1
            && EVP_EncryptInit_ex2(cipher, EVP_aes_256_cbc(), keys, vector, NULL) == 1;
    } else {
        status = EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), keys, vector, NULL) == 1;
    }
    status = status && EVP_MAC_CTX_set_params(mac, parameters) == 1;
    OPENSSL_cleanse(keys, sizeof keys);
    return status ? found : -1;
}

// A session that goes on from another is not verified: its first ticket says when that was done, and the others hand it on.
static int date_session(SSL *ssl, void *argument) {
    SSL_SESSION *session = SSL_get_session(ssl);
    unsigned char octets[8];
    void *known = NULL;
    size_t length = 0;
    uint64_t now = (uint64_t)time(NULL);
    (void)argument;
    if (session == NULL || SSL_SESSION_get0_peer(session) == NULL) return 1;
    if (SSL_SESSION_get0_ticket_appdata(session, &known, &length) == 1 && length != 0) return 1;
    for (int index = 0; index < 8; index++) octets[index] = (unsigned char)(now >> (56 - 8 * index));
    return SSL_SESSION_set1_ticket_appdata(session, octets, sizeof octets);
}

static int holds(SSL *ssl, SSL_SESSION *session) {
    const struct weir_edge *edge = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), edge_index);
    const X509 *peer = SSL_SESSION_get0_peer(session);
    void *known = NULL;
    size_t length = 0;
    uint64_t verified = 0;
    if (peer == NULL) return 1;
    if (edge == NULL || SSL_SESSION_get0_ticket_appdata(session, &known, &length) != 1 || length != 8) return 0;
    for (int index = 0; index < 8; index++) verified = verified << 8 | ((const unsigned char *)known)[index];
    // The same moment at which OpenSSL ends it; 0 is a time that cannot be read.
    return (int64_t)time(NULL) - (int64_t)verified <= edge->client_seconds_max
        && X509_cmp_current_time(X509_get0_notAfter(peer)) > 0;
}

static SSL_TICKET_RETURN judge_session(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t length,
                                       SSL_TICKET_STATUS status, void *argument) {
    (void)name, (void)length, (void)argument;
    switch (status) {
    case SSL_TICKET_SUCCESS: return holds(ssl, session) ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_IGNORE_RENEW;
    case SSL_TICKET_SUCCESS_RENEW:
        return holds(ssl, session) ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_IGNORE_RENEW;
    case SSL_TICKET_EMPTY:
    case SSL_TICKET_NO_DECRYPT: return SSL_TICKET_RETURN_IGNORE_RENEW;
    default: return SSL_TICKET_RETURN_ABORT;
    }
}

int weir_ssl_ctx_set_edge(SSL_CTX *context, const struct weir_edge *edge) {
    struct weir_edge *copy;
    if (CRYPTO_THREAD_run_once(&edge_once, make_edge_index) != 1 || edge_index < 0) return 0;
    copy = OPENSSL_memdup(edge, sizeof *edge);
    if (copy == NULL) return 0;
    if (SSL_CTX_set_ex_data(context, edge_index, copy) != 1) {
        OPENSSL_free(copy);
        return 0;
    }
    SSL_CTX_set_client_hello_cb(context, see_hello, copy);
    return SSL_CTX_set_session_ticket_cb(context, date_session, judge_session, NULL) == 1
        && SSL_CTX_set_tlsext_ticket_key_evp_cb(context, use_ticket_keys) == 1;
}

// What a peer's certificate says, and whether it holds.

int weir_ssl_ctx_add_revocation_list(SSL_CTX *context, const unsigned char *der, long length) {
    const unsigned char *cursor = der;
    X509_CRL *list = d2i_X509_CRL(NULL, &cursor, length);
    int status;
    if (list == NULL) return 0;
    status = cursor == der + length && weir_crl_is_complete(list) ? X509_STORE_add_crl(SSL_CTX_get_cert_store(context), list) : 0;
    X509_CRL_free(list);
    return status;
}

// A bundle may hold CRLs of some of its authorities: the others revoke nothing that way.
static int pass_without_list(int is_good, X509_STORE_CTX *verification) {
    if (is_good || X509_STORE_CTX_get_error(verification) != X509_V_ERR_UNABLE_TO_GET_CRL) return is_good;
    X509_STORE_CTX_set_error(verification, X509_V_OK);
    return 1;
}

void weir_ssl_ctx_check_revocation(SSL_CTX *context) {
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    X509_STORE_set_verify_cb(store, pass_without_list);
}

int weir_ssl_peer_subject(const SSL *ssl, char *text, int size) {
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    BIO *out;
    int length = -1;
    if (certificate == NULL) return -1;
    out = BIO_new(BIO_s_mem());
    if (out == NULL) return -1;
    // A part of a name may be somebody else's name.
    if (X509_NAME_print_ex(out, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0
        && BIO_pending(out) <= size) {
        length = BIO_read(out, text, size);
        // An empty name reads as the end of the octets.
        if (length < 0) length = 0;
    }
    BIO_free(out);
    return length;
}

// Clients.

static int keep_session(SSL *ssl, SSL_SESSION *session) {
    struct weir_tls_slot *slot = SSL_get_app_data(ssl);
    if (slot == NULL) return 0;
    SSL_SESSION_free(slot->session);
    slot->session = session;
    return 1;
}

int weir_ssl_ctx_set_client_options(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1;
}

int weir_ssl_use_slot(SSL *ssl, struct weir_tls_slot *slot) {
    if (SSL_set_app_data(ssl, slot) != 1) return 0;
    return slot->session == NULL || SSL_set_session(ssl, slot->session) == 1;
}

void weir_tls_slot_clear(struct weir_tls_slot *slot) {
    SSL_SESSION_free(slot->session);
    slot->session = NULL;
}

static int64_t change_of(const char *variable, const char *path) {
    const char *chosen = getenv(variable);
    struct stat status;
    if (stat(chosen != NULL && *chosen != 0 ? chosen : path, &status) != 0) return 0;
    return (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
}

int64_t weir_system_store_stamp(void) {
    int64_t file = change_of(X509_get_default_cert_file_env(), X509_get_default_cert_file());
    int64_t folder = change_of(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
    return file ^ (int64_t)((uint64_t)folder << 1);
}
