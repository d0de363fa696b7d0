// A C shim for c-ares: queries go out, raw answers come back, and one descriptor tells when there is something to do.
// No policy here.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Name servers, and the queries to them that are under way. Confined to one thread at a time.
typedef struct weir_resolver weir_resolver;

/// Gets the answer to a query, once for each: `status` is ARES_SUCCESS, ARES_ENODATA or ARES_ENOTFOUND where a server
/// has answered, and `octets` are its message; else the status says what went wrong, and there may be none.
typedef void (*weir_resolver_answer)(void *context, uint64_t number, int status, const uint8_t *octets, size_t length);

enum {
    /// Servers were asked and have answered, with records or without.
    WEIR_RESOLVER_SUCCESS = 0,
    WEIR_RESOLVER_NO_DATA = 1,
    WEIR_RESOLVER_NOT_FOUND = 4,
};

/// Takes the servers of the system, or those of `servers` ("127.0.0.1:5353,[::1]:53") if that is not NULL. A server
/// has `milliseconds` for a query, twice as long for the second try of `tries`. NULL, and a status in `status`, when
/// that fails.
weir_resolver *weir_resolver_new(const char *servers, int milliseconds, int tries, weir_resolver_answer answer,
                                 void *context, int *status);

/// Gives up what is under way, without an answer.
void weir_resolver_free(weir_resolver *resolver);

/// Readable when a server has answered: call `weir_resolver_turn` then.
int weir_resolver_descriptor(const weir_resolver *resolver);

/// Asks for the records of a name; its answer has this number, and may come before the call returns. -1 when there is
/// no memory: no answer comes then.
int weir_resolver_query(weir_resolver *resolver, const char *name, uint16_t type, uint64_t number);

/// Takes what has come, and asks again where nothing has come in time.
void weir_resolver_turn(weir_resolver *resolver);

/// Milliseconds until the next turn is due, rounded up; -1 when nothing is under way.
int64_t weir_resolver_wait(const weir_resolver *resolver);

/// The system's search list (resolv.conf(5)): its domains, in order, and `ndots`.
size_t weir_resolver_domain_count(const weir_resolver *resolver);
const char *weir_resolver_domain(const weir_resolver *resolver, size_t index);
int weir_resolver_dots(const weir_resolver *resolver);

/// A sentence for a status; it is static.
const char *weir_resolver_message(int status);
