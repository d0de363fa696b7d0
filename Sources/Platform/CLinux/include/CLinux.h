// What Swift cannot import of Linux: variadic calls, macros over sets, and socket addresses of several shapes.
// No policy here. Every function returns what the call returns and leaves errno as it is.
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "CLinuxHandover.h"

/// An Internet address: `family` is 4 or 6; numbers are in host order; an IPv4 address is the low 32 bits of `low`.
struct weir_address {
    uint64_t high;
    uint64_t low;
    uint32_t scope;
    uint16_t port;
    uint8_t family;
};

/// epoll_event, whose layout Linux packs on x86-64 alone.
struct weir_event {
    uint32_t readiness;
    uint64_t token;
}
#ifdef __x86_64__
__attribute__((packed))
#endif
;

/// epoll_create1(2), close-on-exec.
int weir_poller(void);

/// epoll_ctl(2) EPOLL_CTL_ADD.
int weir_poller_add(int poller, int descriptor, uint32_t events, uint64_t token);

/// epoll_ctl(2) EPOLL_CTL_DEL.
int weir_poller_remove(int poller, int descriptor);

/// epoll_wait(2).
int weir_poller_wait(int poller, struct weir_event *events, int capacity, int milliseconds);

/// recv(2) without flags.
ssize_t weir_receive(int descriptor, void *octets, size_t count);

/// recv(2) of one octet with MSG_PEEK.
ssize_t weir_peek(int descriptor);

/// recv(2) with MSG_PEEK.
ssize_t weir_look(int descriptor, void *octets, size_t count);

/// pipe2(2), non-blocking and close-on-exec: the reading end and the writing end of a pipe for about `bytes` octets.
int weir_pipe(int ends[2], int bytes);

/// splice(2) of up to `count` octets, one of the descriptors being a pipe's.
ssize_t weir_splice(int from, int to, size_t count);

/// send(2) without SIGPIPE.
ssize_t weir_send(int descriptor, const void *octets, size_t count, int more);

/// eventfd(2), non-blocking and close-on-exec.
int weir_wake_up(void);

/// open(2) with a mode.
int weir_open(const char *path, int flags, unsigned mode);

/// fcntl(2) F_SETFL: adds O_NONBLOCK.
int weir_set_nonblocking(int descriptor);

/// socket(2): a non-blocking, close-on-exec stream socket of an address's family.
int weir_stream_socket(const struct weir_address *address);

/// bind(2).
int weir_bind(int descriptor, const struct weir_address *address);

/// connect(2).
int weir_connect(int descriptor, const struct weir_address *address);

/// Whether the system has a route and a source address for datagrams to an address: 1, else 0. Nothing is sent.
int weir_has_route(const struct weir_address *address);

/// What tells that a file has changed: stat(2)'s time of modification in nanoseconds, size and inode. -1 on failure.
struct weir_file_stamp {
    int64_t modified;
    int64_t size;
    uint64_t inode;
};
int weir_file_stamp(const char *path, struct weir_file_stamp *stamp);

/// socket(2): a non-blocking, close-on-exec unix stream socket.
int weir_local_socket(void);

/// connect(2) to the unix socket at a path of `count` octets.
int weir_connect_local(int descriptor, const char *path, size_t count);

/// accept4(2): non-blocking and close-on-exec. `peer` gets the peer's address.
int weir_accept(int descriptor, struct weir_address *peer);

/// getsockname(2).
int weir_local_address(int descriptor, struct weir_address *address);

/// setsockopt(2) with an int.
int weir_set_option(int descriptor, int level, int option, int value);

/// getsockopt(2) SO_ERROR: the pending error, which the call clears, or -1.
int weir_socket_error(int descriptor);

/// inet_pton(3) for either family: 1 when `text` is an address, else 0. The port becomes 0.
int weir_parse_address(const char *text, struct weir_address *address);

/// inet_ntop(3): writes at most 46 octets with the final NUL; returns the length.
int weir_format_address(const struct weir_address *address, char *text);

/// getaddrinfo(3) for stream sockets: the number of addresses written, or the negative EAI_ code.
int weir_resolve(const char *host, struct weir_address *addresses, int capacity);

/// gai_strerror(3) of a code that `weir_resolve` returned.
const char *weir_resolve_message(int code);

/// Number of CPUs in this thread's affinity mask, or -1.
int weir_affinity_count(void);

/// Memory of `count` octets, a multiple of the size of huge pages, that begins where one does and is advised to consist
/// of such. It is all zeros; munmap(2) gives it back. Where there is no memory the process ends.
void *weir_map_huge_pages(size_t count);

/// The size of huge pages, in octets.
static const size_t weir_huge_page_bytes = (size_t)2 << 20;

/// Has the line of the processor's cache fetched that an address lies in, to be written; any address will do.
static inline void weir_prefetch(const void *address) { __builtin_prefetch(address, 1); }

/// malloc_trim(3): gives pages that the allocator holds free back to the system.
void weir_return_free_memory(void);

/// setsockopt(2) SO_ATTACH_FILTER on a listening socket: drops segments that begin a connection, and
/// lets those of handshakes under way through.
int weir_refuse_new_connections(int descriptor);

/// Blocks the signals in this thread and returns a non-blocking signalfd(2) that reads them.
int weir_signal_descriptor(const int *signals, int count);

/// The next signal that waits in a signalfd, or -1.
int weir_next_signal(int descriptor);

/// sendto(2) to a unix datagram socket; a name that begins with '@' is abstract.
int weir_send_datagram(const char *path, const char *text);

/// getrandom(2) into `target`; up to 256 octets come in one piece.
long weir_random(void *target, long octets);

/// pthread_setname_np(3) for the calling thread; `name` has at most 15 octets.
int weir_name_thread(const char *name);

/// setpriority(2) of the calling thread, which on Linux has a niceness of its own.
int weir_stand_back(int niceness);

/// The symbolic name of an error number ("EAGAIN"), a static string, or NULL.
const char *weir_error_name(int number);

/// The system's sentence for an error number, untranslated: a static string, or NULL.
const char *weir_error_message(int number);
