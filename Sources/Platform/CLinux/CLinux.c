#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(sizeof(struct weir_event) == sizeof(struct epoll_event), "epoll_event's size");
_Static_assert(offsetof(struct weir_event, token) == offsetof(struct epoll_event, data),
               "epoll_event's layout");

int weir_poller(void) { return epoll_create1(EPOLL_CLOEXEC); }

int weir_poller_add(int poller, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
}

int weir_poller_remove(int poller, int descriptor) {
    return epoll_ctl(poller, EPOLL_CTL_DEL, descriptor, NULL);
}

// The three calls that every request makes are made through syscall(2). glibc's own are points at which a thread
// can be cancelled, for which each of them takes two atomic operations; nothing here cancels threads.

int weir_poller_wait(int poller, struct weir_event *events, int capacity, int milliseconds) {
    return (int)syscall(SYS_epoll_pwait, poller, events, capacity, milliseconds, NULL, 0);
}

ssize_t weir_receive(int descriptor, void *octets, size_t count) {
    return syscall(SYS_recvfrom, descriptor, octets, count, 0, NULL, NULL);
}

ssize_t weir_peek(int descriptor) {
    char octet;
    return recv(descriptor, &octet, 1, MSG_PEEK);
}

ssize_t weir_look(int descriptor, void *octets, size_t count) {
    return recv(descriptor, octets, count, MSG_PEEK);
}

int weir_pipe(int ends[2], int bytes) {
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return -1;
    // A smaller pipe carries the same, in more calls.
    (void)fcntl(ends[1], F_SETPIPE_SZ, bytes);
    return 0;
}

ssize_t weir_splice(int from, int to, size_t count) {
    return syscall(SYS_splice, from, NULL, to, NULL, count, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

ssize_t weir_send(int descriptor, const void *octets, size_t count, int more) {
    return syscall(SYS_sendto, descriptor, octets, count, MSG_NOSIGNAL | (more ? MSG_MORE : 0), NULL, 0);
}

int weir_wake_up(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int weir_open(const char *path, int flags, unsigned mode) { return open(path, flags, mode); }

int weir_set_nonblocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -1 : fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

static socklen_t to_system(const struct weir_address *address, struct sockaddr_storage *storage) {
    memset(storage, 0, sizeof *storage);
    if (address->family == 6) {
        struct sockaddr_in6 *system = (struct sockaddr_in6 *)storage;
        uint64_t words[2] = {htobe64(address->high), htobe64(address->low)};
        system->sin6_family = AF_INET6;
        system->sin6_port = htons(address->port);
        system->sin6_scope_id = address->scope;
        memcpy(&system->sin6_addr, words, 16);
        return sizeof *system;
    }
    struct sockaddr_in *system = (struct sockaddr_in *)storage;
    system->sin_family = AF_INET;
    system->sin_port = htons(address->port);
    system->sin_addr.s_addr = htonl((uint32_t)address->low);
    return sizeof *system;
}

static void from_system(const struct sockaddr_storage *storage, struct weir_address *address) {
    memset(address, 0, sizeof *address);
    if (storage->ss_family == AF_INET6) {
        const struct sockaddr_in6 *system = (const struct sockaddr_in6 *)storage;
        uint64_t words[2];
        memcpy(words, &system->sin6_addr, 16);
        address->family = 6;
        address->high = be64toh(words[0]);
        address->low = be64toh(words[1]);
        address->scope = system->sin6_scope_id;
        address->port = ntohs(system->sin6_port);
    } else if (storage->ss_family == AF_INET) {
        const struct sockaddr_in *system = (const struct sockaddr_in *)storage;
        address->family = 4;
        address->low = ntohl(system->sin_addr.s_addr);
        address->port = ntohs(system->sin_port);
    }
}

int weir_stream_socket(const struct weir_address *address) {
    int family = address->family == 6 ? AF_INET6 : AF_INET;
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int weir_bind(int descriptor, const struct weir_address *address) {
    struct sockaddr_storage storage;
    socklen_t length = to_system(address, &storage);
    return bind(descriptor, (struct sockaddr *)&storage, length);
}

int weir_connect(int descriptor, const struct weir_address *address) {
    struct sockaddr_storage storage;
    socklen_t length = to_system(address, &storage);
    return connect(descriptor, (struct sockaddr *)&storage, length);
}

int weir_has_route(const struct weir_address *address) {
    struct sockaddr_storage storage;
    socklen_t length = to_system(address, &storage);
    int descriptor = socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return 0;
    int status = connect(descriptor, (struct sockaddr *)&storage, length);
    close(descriptor);
    return status == 0;
}

int weir_file_stamp(const char *path, struct weir_file_stamp *stamp) {
    struct stat status;
    if (stat(path, &status) < 0) return -1;
    stamp->modified = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
    stamp->size = status.st_size;
    stamp->inode = status.st_ino;
    return 0;
}

int weir_local_socket(void) { return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

int weir_connect_local(int descriptor, const char *path, size_t count) {
    struct sockaddr_un target = {.sun_family = AF_UNIX};
    if (count == 0 || count >= sizeof target.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(target.sun_path, path, count);
    return connect(descriptor, (struct sockaddr *)&target, sizeof target);
}

int weir_accept(int descriptor, struct weir_address *peer) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    storage.ss_family = AF_UNSPEC;
    int accepted =
        accept4(descriptor, (struct sockaddr *)&storage, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) from_system(&storage, peer);
    return accepted;
}

int weir_local_address(int descriptor, struct weir_address *address) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    int status = getsockname(descriptor, (struct sockaddr *)&storage, &length);
    if (status == 0) from_system(&storage, address);
    return status;
}

int weir_set_option(int descriptor, int level, int option, int value) {
    return setsockopt(descriptor, level, option, &value, sizeof value);
}

int weir_socket_error(int descriptor) {
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? -1 : error;
}

int weir_parse_address(const char *text, struct weir_address *address) {
    struct sockaddr_storage storage;
    memset(&storage, 0, sizeof storage);
    if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&storage)->sin_addr) == 1)
        storage.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&storage)->sin6_addr) == 1)
        storage.ss_family = AF_INET6;
    else
        return 0;
    from_system(&storage, address);
    return 1;
}

int weir_format_address(const struct weir_address *address, char *text) {
    struct sockaddr_storage storage;
    to_system(address, &storage);
    const void *octets = address->family == 6
        ? (const void *)&((struct sockaddr_in6 *)&storage)->sin6_addr
        : (const void *)&((struct sockaddr_in *)&storage)->sin_addr;
    if (inet_ntop(storage.ss_family, octets, text, INET6_ADDRSTRLEN) == NULL) text[0] = 0;
    return (int)strlen(text);
}

int weir_resolve(const char *host, struct weir_address *addresses, int capacity) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host, NULL, &hints, &found);
    if (code != 0) return code < 0 ? code : -code;
    int count = 0;
    for (struct addrinfo *next = found; next != NULL && count < capacity; next = next->ai_next) {
        struct sockaddr_storage storage;
        memset(&storage, 0, sizeof storage);
        if (next->ai_addrlen > sizeof storage) continue;
        memcpy(&storage, next->ai_addr, next->ai_addrlen);
        from_system(&storage, &addresses[count++]);
    }
    freeaddrinfo(found);
    return count;
}

const char *weir_resolve_message(int code) { return gai_strerror(code); }

int weir_affinity_count(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) < 0 ? -1 : CPU_COUNT(&set);
}

void *weir_map_huge_pages(size_t count) {
    size_t whole = count + weir_huge_page_bytes;
    char *mapped = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    // As where malloc(3) has none for an array of Swift's.
    if (mapped == MAP_FAILED) { abort(); }
    // What lies before the first huge page and behind the last one goes back.
    size_t before = -(uintptr_t)mapped % weir_huge_page_bytes;
    if (before > 0) { munmap(mapped, before); }
    munmap(mapped + before + count, weir_huge_page_bytes - before);
    // Where there are no huge pages all is as with others.
    madvise(mapped + before, count, MADV_HUGEPAGE);
    return mapped + before;
}

void weir_return_free_memory(void) { malloc_trim(0); }

int weir_refuse_new_connections(int descriptor) {
    struct sock_filter code[] = {
        // The filter sees a segment from its TCP header on: octet 13 holds the flags.
        {BPF_LD | BPF_B | BPF_ABS, 0, 0, 13},
        {BPF_ALU | BPF_AND | BPF_K, 0, 0, 0x12},  // SYN and ACK
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0x02},  // SYN alone
        {BPF_RET | BPF_K, 0, 0, 0},
        {BPF_RET | BPF_K, 0, 0, UINT32_MAX},
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

int weir_signal_descriptor(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int index = 0; index < count; index++) sigaddset(&set, signals[index]);
    int code = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (code != 0) {
        errno = code;
        return -1;
    }
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int weir_next_signal(int descriptor) {
    struct signalfd_siginfo event;
    return read(descriptor, &event, sizeof event) == sizeof event ? (int)event.ssi_signo : -1;
}

int weir_send_datagram(const char *path, const char *text) {
    struct sockaddr_un target = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof target.sun_path) {
        errno = EINVAL;
        return -1;
    }
    memcpy(target.sun_path, path, length);
    if (path[0] == '@') target.sun_path[0] = 0;
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    ssize_t sent = sendto(descriptor, text, strlen(text), MSG_NOSIGNAL,
                          (struct sockaddr *)&target, size);
    int saved = errno;
    close(descriptor);
    errno = saved;
    return sent < 0 ? -1 : 0;
}

long weir_random(void *target, long octets) { return getrandom(target, (size_t)octets, 0); }

int weir_name_thread(const char *name) { return pthread_setname_np(pthread_self(), name); }

int weir_stand_back(int niceness) { return setpriority(PRIO_PROCESS, 0, niceness); }

const char *weir_error_name(int number) { return strerrorname_np(number); }

const char *weir_error_message(int number) { return strerrordesc_np(number); }
