// What the Glibc module leaves out: epoll, eventfd and accept4, plus inline wrappers for what Swift
// cannot call.
#pragma once
#pragma clang module import SwiftGlibc
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
