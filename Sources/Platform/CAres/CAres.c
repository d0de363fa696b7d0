#include "CAres.h"

#include <ares.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

_Static_assert(WEIR_RESOLVER_SUCCESS == ARES_SUCCESS && WEIR_RESOLVER_NO_DATA == ARES_ENODATA &&
                   WEIR_RESOLVER_NOT_FOUND == ARES_ENOTFOUND,
               "statuses of c-ares");

// What a server may answer over UDP without fragments (DNS flag day 2020).
enum { ANSWER_OCTETS = 1232, EVENTS = 16, CLASS_INTERNET = 1 };

struct weir_resolver {
    ares_channel channel;
    struct ares_options options;
    int poller;
    int is_ending;
    weir_resolver_answer answer;
    void *context;
};

struct query {
    weir_resolver *resolver;
    uint64_t number;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void initialise(void) { ares_library_init(ARES_LIB_INIT_ALL); }

// c-ares tells of a socket that it opens, wants to write to, or is about to close.
static void watch(void *data, ares_socket_t socket, int readable, int writable) {
    weir_resolver *resolver = data;
    if (!readable && !writable) {
        epoll_ctl(resolver->poller, EPOLL_CTL_DEL, socket, NULL);
        return;
    }
    struct epoll_event event = {
        .events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u),
        .data = {.fd = socket},
    };
    if (epoll_ctl(resolver->poller, EPOLL_CTL_MOD, socket, &event) < 0)
        epoll_ctl(resolver->poller, EPOLL_CTL_ADD, socket, &event);
}

static void answered(void *argument, int status, int timeouts, unsigned char *octets, int length) {
    (void)timeouts;
    struct query *query = argument;
    weir_resolver *resolver = query->resolver;
    if (!resolver->is_ending)
        resolver->answer(resolver->context, query->number, status, octets,
                         octets != NULL && length > 0 ? (size_t)length : 0);
    free(query);
}

weir_resolver *weir_resolver_new(const char *servers, int milliseconds, int tries, weir_resolver_answer answer,
                                 void *context, int *status) {
    pthread_once(&once, initialise);
    weir_resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver == NULL) {
        *status = ARES_ENOMEM;
        return NULL;
    }
    resolver->answer = answer;
    resolver->context = context;
    resolver->poller = epoll_create1(EPOLL_CLOEXEC);
    if (resolver->poller < 0) {
        *status = ARES_EFILE;
        free(resolver);
        return NULL;
    }
    struct ares_options options = {
        .flags = ARES_FLAG_EDNS,
        .timeout = milliseconds,
        .tries = tries,
        .ednspsz = ANSWER_OCTETS,
        .sock_state_cb = watch,
        .sock_state_cb_data = resolver,
    };
    *status = ares_init_options(
        &resolver->channel, &options,
        ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB);
    if (*status != ARES_SUCCESS) {
        close(resolver->poller);
        free(resolver);
        return NULL;
    }
    if (servers != NULL) *status = ares_set_servers_ports_csv(resolver->channel, servers);
    int mask = 0;
    if (*status == ARES_SUCCESS) *status = ares_save_options(resolver->channel, &resolver->options, &mask);
    if (*status != ARES_SUCCESS) {
        weir_resolver_free(resolver);
        return NULL;
    }
    return resolver;
}

void weir_resolver_free(weir_resolver *resolver) {
    resolver->is_ending = 1;
    ares_destroy(resolver->channel);
    ares_destroy_options(&resolver->options);
    close(resolver->poller);
    free(resolver);
}

int weir_resolver_descriptor(const weir_resolver *resolver) { return resolver->poller; }

int weir_resolver_query(weir_resolver *resolver, const char *name, uint16_t type, uint64_t number) {
    struct query *query = malloc(sizeof *query);
    if (query == NULL) return -1;
    *query = (struct query){.resolver = resolver, .number = number};
    ares_query(resolver->channel, name, CLASS_INTERNET, type, answered, query);
    return 0;
}

void weir_resolver_turn(weir_resolver *resolver) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(resolver->poller, events, EVENTS, 0);
    for (int index = 0; index < count; index++) {
        int socket = events[index].data.fd;
        int writes = (events[index].events & EPOLLOUT) != 0;
        int reads = (events[index].events & ~(uint32_t)EPOLLOUT) != 0;
        ares_process_fd(resolver->channel, reads ? socket : ARES_SOCKET_BAD, writes ? socket : ARES_SOCKET_BAD);
    }
    // Looks at what is overdue, whatever has come.
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

int64_t weir_resolver_wait(const weir_resolver *resolver) {
    struct timeval time;
    struct timeval *left = ares_timeout(resolver->channel, NULL, &time);
    if (left == NULL) return -1;
    return (int64_t)left->tv_sec * 1000 + (left->tv_usec + 999) / 1000;
}

size_t weir_resolver_domain_count(const weir_resolver *resolver) {
    return resolver->options.ndomains > 0 ? (size_t)resolver->options.ndomains : 0;
}

const char *weir_resolver_domain(const weir_resolver *resolver, size_t index) {
    return resolver->options.domains[index];
}

int weir_resolver_dots(const weir_resolver *resolver) { return resolver->options.ndots; }

const char *weir_resolver_message(int status) {
    // c-ares says the same of servers that are out of reach and of those that answer with an error.
    if (status == ARES_ECONNREFUSED) return "no name server is in reach, or all answer SERVFAIL or REFUSED";
    return ares_strerror(status);
}
