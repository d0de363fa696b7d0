#define _GNU_SOURCE
#include "CLinuxHandover.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

// SCM_MAX_FD of the kernel: no message carries more.
enum { DESCRIPTORS_MAX = 253 };

static int local_address(const char *path, struct sockaddr_un *address) {
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length);
    return 0;
}

// Closes `descriptor` and leaves errno as it is.
static int fail(int descriptor) {
    int saved = errno;
    close(descriptor);
    errno = saved;
    return -1;
}

int weir_local_listen(const char *path, int backlog) {
    struct sockaddr_un address;
    if (local_address(path, &address) < 0) return -1;
    int descriptor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) < 0) return fail(descriptor);
    if (chmod(path, 0600) < 0) return fail(descriptor);
    if (listen(descriptor, backlog) < 0) return fail(descriptor);
    return descriptor;
}

int weir_local_connect(const char *path) {
    struct sockaddr_un address;
    if (local_address(path, &address) < 0) return -1;
    int descriptor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0)
        return fail(descriptor);
    return descriptor;
}

int weir_local_peer(int descriptor, uint32_t *user, int32_t *process) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -1;
    *user = peer.uid;
    *process = peer.pid;
    return 0;
}

ssize_t weir_local_send(int descriptor, const void *octets, size_t count, const int *descriptors,
                        int descriptor_count) {
    if (descriptor_count > DESCRIPTORS_MAX) {
        errno = EMSGSIZE;
        return -1;
    }
    union {
        struct cmsghdr header;
        char octets[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
    } control;
    struct iovec piece = {(void *)octets, count};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (descriptor_count > 0) {
        size_t size = sizeof(int) * (size_t)descriptor_count;
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(header), descriptors, size);
    }
    return sendmsg(descriptor, &message, MSG_NOSIGNAL);
}

ssize_t weir_local_receive(int descriptor, void *octets, size_t capacity, int *descriptors,
                           int *descriptor_count) {
    union {
        struct cmsghdr header;
        char octets[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
    } control;
    struct iovec piece = {octets, capacity};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control};
    int room = *descriptor_count;
    *descriptor_count = 0;
    ssize_t received = recvmsg(descriptor, &message, MSG_CMSG_CLOEXEC);
    if (received < 0) return received;
    int fits = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        int count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int index = 0; index < count; index++) {
            int passed;
            memcpy(&passed, CMSG_DATA(header) + sizeof(int) * (size_t)index, sizeof passed);
            if (fits && *descriptor_count < room) {
                descriptors[(*descriptor_count)++] = passed;
            } else {
                close(passed);
                fits = 0;
            }
        }
    }
    if (fits) return received;
    for (int index = 0; index < *descriptor_count; index++) close(descriptors[index]);
    *descriptor_count = 0;
    errno = EMSGSIZE;
    return -1;
}

int weir_set_timeout(int descriptor, int milliseconds) {
    struct timeval time = {milliseconds / 1000, (milliseconds % 1000) * 1000};
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) < 0) return -1;
    return setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

int weir_duplicate(int descriptor) { return fcntl(descriptor, F_DUPFD_CLOEXEC, 0); }

struct launch {
    const char *path;
    char *const *arguments;
    int error;
};

// Runs in the new process, on a stack of its own in this process's memory, while the calling thread waits
// (CLONE_VM, CLONE_VFORK). So it may only make system calls.
static int run(void *argument) {
    struct launch *launch = argument;
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(launch->path, launch->arguments);
    launch->error = errno;
    _exit(127);
}

int weir_start_sibling(const char *path, char *const arguments[], int *watch) {
    const size_t stack_bytes = 64 * 1024;
    // What can be known before there is a process leaves none behind that its parent would have to bury.
    if (access(path, X_OK) < 0) return -1;
    char *stack = mmap(NULL, stack_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return -1;
    struct launch launch = {path, arguments, 0};
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int flags = CLONE_VM | CLONE_VFORK | CLONE_PARENT | CLONE_PIDFD | SIGCHLD;
    int process = clone(run, stack + stack_bytes, flags, &launch, watch);
    int saved = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(stack, stack_bytes);
    errno = saved;
    if (process < 0) return -1;
    if (launch.error != 0) {
        errno = launch.error;
        return fail(*watch);
    }
    return process;
}

int weir_signal_process(int watch, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, watch, signal, NULL, 0);
}
