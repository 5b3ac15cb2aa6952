// What the Glibc module leaves out: epoll, eventfd, accept4 and mallopt, plus inline wrappers for
// what Swift cannot call.
#pragma once
#pragma clang module import SwiftGlibc
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>

// `data` comes back with every event of `fd`: the caller's own mark, so that an event of an earlier
// owner of the number shows.
static inline int splitstream_epoll_control(int epoll, int operation, int fd, uint32_t interest, uint64_t data) {
  struct epoll_event event;
  event.events = interest;
  event.data.u64 = data;
  return epoll_ctl(epoll, operation, fd, &event);
}

// At most 15 bytes; prctl is variadic, which Swift does not import.
static inline void splitstream_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

// glibc declares it only under _GNU_SOURCE, which Swift's importer does not set for its own copy of
// the headers.
extern int accept4(int, struct sockaddr *, socklen_t *, int);
static inline int splitstream_accept(int fd, struct sockaddr_storage *address) {
  socklen_t length = sizeof(*address);
  return accept4(fd, (struct sockaddr *)address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// CMSG_… are macros. One message carries up to so many descriptors (the kernel takes 253) and one
// byte.
enum { splitstream_descriptors_max = 128 };
union splitstream_control {
  char bytes[CMSG_SPACE(sizeof(int) * splitstream_descriptors_max)];
  struct cmsghdr alignment;
};
static inline int splitstream_send_descriptors(int socket, const int *fds, int count, char mark) {
  union splitstream_control control = {0};
  struct iovec content = {.iov_base = &mark, .iov_len = 1};
  struct msghdr message = {.msg_iov = &content, .msg_iovlen = 1};
  message.msg_control = control.bytes;
  message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * count);
  __builtin_memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
  return sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

// How many were received into `fds`, which has room for the most; -1 when the peer is gone or says
// nothing.
static inline int splitstream_receive_descriptors(int socket, int *fds, char *mark) {
  union splitstream_control control = {0};
  struct iovec content = {.iov_base = mark, .iov_len = 1};
  struct msghdr message = {.msg_iov = &content, .msg_iovlen = 1};
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) return -1;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return 0;
  int count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
  __builtin_memcpy(fds, CMSG_DATA(header), sizeof(int) * count);
  return count;
}

// The user at the other end of a unix socket; `struct ucred` is there under _GNU_SOURCE only. -1
// when the kernel does not say.
static inline uid_t splitstream_peer_user(int socket) {
  struct { pid_t process; uid_t user; gid_t group; } peer;
  socklen_t length = sizeof(peer);
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) ? (uid_t)-1 : peer.user;
}
