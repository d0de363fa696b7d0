// What one process needs to put another one in its place: local sockets that carry descriptors, and a sibling.
// No policy here. Every function returns what the call returns and leaves errno as it is.
#pragma once

#include <stdint.h>
#include <sys/types.h>

/// socket(2), bind(2), chmod(2) to 0600 and listen(2): a non-blocking, close-on-exec SOCK_SEQPACKET socket at `path`.
///
/// Nobody can connect before the mode is set: until listen(2) there is nothing to connect to.
int weir_local_listen(const char *path, int backlog);

/// socket(2) and connect(2) to a SOCK_SEQPACKET socket, close-on-exec; blocks.
int weir_local_connect(const char *path);

/// getsockopt(2) SO_PEERCRED: who connected, as the kernel saw it then.
int weir_local_peer(int descriptor, uint32_t *user, int32_t *process);

/// sendmsg(2) of one message with `descriptor_count` descriptors (SCM_RIGHTS), without SIGPIPE.
ssize_t weir_local_send(int descriptor, const void *octets, size_t count, const int *descriptors,
                        int descriptor_count);

/// recvmsg(2) of one message; `descriptor_count` is the room in `descriptors`, and then how many came, close-on-exec.
///
/// EMSGSIZE when the message or its descriptors did not fit; what came of them is closed.
ssize_t weir_local_receive(int descriptor, void *octets, size_t capacity, int *descriptors,
                           int *descriptor_count);

/// setsockopt(2) SO_RCVTIMEO and SO_SNDTIMEO.
int weir_set_timeout(int descriptor, int milliseconds);

/// fcntl(2) F_DUPFD_CLOEXEC.
int weir_duplicate(int descriptor);

/// clone(2) and execv(2): starts a program as another child of this process's parent; returns its number.
///
/// `watch` gets a descriptor of the process (pidfd). Signals have their default actions in it and none is blocked.
int weir_start_sibling(const char *path, char *const arguments[], int *watch);

/// pidfd_send_signal(2).
int weir_signal_process(int watch, int signal);
