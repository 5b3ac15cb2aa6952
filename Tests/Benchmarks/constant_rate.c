// A generator of HTTP load that keeps to its times: `constant_rate PORT CONNECTIONS RATE SECONDS FIRST COUNT REQUEST [MOST]`.
// In the place of PORT the path of a socket, on which Redis answers each request with one string.
//
// RATE requests a second are due at fixed times, whatever the server does; a latency counts from when its request was due,
// not from when it could be sent. So a server that stalls is charged for all that waited (no coordinated omission). RATE 0
// sends the next request of each connection as soon as the last one is answered; then MOST ends it after so many.
//
// REQUEST is a file; each "########" in it becomes an eight-digit number: FIRST, FIRST + 1, …, COUNT of them in turn.
// Prints: sent, answered 2xx, seconds, then in microseconds p50, p99, p99.9 and the longest latency, and p99 of what the
// generator itself was late: from when a request was due and a connection free for it, until it was sent.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MARK "########"
enum { DIGITS = 8, INPUT_MAX = 65536, EVENTS_MAX = 512, REQUEST_MAX = 1 << 20 };

struct connection {
  int fd;
  int busy;
  int64_t due;
  int64_t idle_since;
  size_t received;
  char input[INPUT_MAX];
};

static char request[REQUEST_MAX];
static size_t request_length;
static size_t *number_places, number_place_count;
static int64_t *due_times;       // of requests that wait for a connection, a ring
static size_t due_first, due_count, due_capacity;
static int *idle;                // connections that wait for a request, a stack
static int idle_count;
static struct times {
  uint32_t *micros;
  size_t count, capacity;
} latencies, latenesses;
static size_t sent, good;
static uint64_t next_number, first_number, number_count;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void note(struct times *times, int64_t nanoseconds) {
  if (times->count == times->capacity) {
    times->capacity = times->capacity ? times->capacity * 2 : 1 << 16;
    times->micros = realloc(times->micros, times->capacity * sizeof *times->micros);
    if (!times->micros) fail("realloc");
  }
  int64_t micros = nanoseconds / 1000;
  times->micros[times->count++] = micros > UINT32_MAX ? UINT32_MAX : (uint32_t)micros;
}

static void send_request(struct connection *connection, int64_t due) {
  char digits[DIGITS + 1];
  snprintf(digits, sizeof digits, "%08llu",
           (unsigned long long)(first_number + next_number % number_count) % 100000000);
  for (size_t index = 0; index < number_place_count; index++)
    memcpy(request + number_places[index], digits, DIGITS);
  next_number++;
  connection->busy = 1;
  connection->due = due;
  connection->received = 0;
  note(&latenesses, now() - (due > connection->idle_since ? due : connection->idle_since));
  // The socket blocks: a request goes out whole.
  if (send(connection->fd, request, request_length, MSG_NOSIGNAL) != (ssize_t)request_length)
    fail("send");
  sent++;
}

// How long the whole answer is, once its head has arrived; 0 until then.
static size_t answer_length(struct connection *connection) {
  if (connection->input[0] == '$' || connection->input[0] == '-') {
    char *line_end = memmem(connection->input, connection->received, "\r\n", 2);
    if (!line_end) return 0;
    size_t head = (size_t)(line_end - connection->input) + 2;
    return connection->input[0] == '-' ? head : head + strtoul(connection->input + 1, NULL, 10) + 2;
  }
  char *end = memmem(connection->input, connection->received, "\r\n\r\n", 4);
  if (!end) return 0;
  size_t head = (size_t)(end - connection->input) + 4;
  char *length = memmem(connection->input, head, "Content-Length: ", 16);
  return head + (length ? strtoul(length + 16, NULL, 10) : 0);
}

// Whether the connection is free again.
static int receive(struct connection *connection) {
  ssize_t count = recv(connection->fd, connection->input + connection->received,
                       INPUT_MAX - 1 - connection->received, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (count <= 0) fail("recv");
  connection->received += (size_t)count;
  connection->input[connection->received] = 0;
  size_t length = answer_length(connection);
  if (length == 0 || connection->received < length) {
    if (connection->received == INPUT_MAX - 1) { fputs("an answer is too long\n", stderr); exit(1); }
    return 0;
  }
  connection->idle_since = now();
  note(&latencies, connection->idle_since - connection->due);
  if (connection->input[0] == '$' || !memcmp(connection->input, "HTTP/1.1 2", 10)) good++;
  connection->busy = 0;
  return 1;
}

// A connection to 127.0.0.1, or to a socket of this machine.
static int connected(const char *place) {
  int one = 1, fd;
  if (strchr(place, '/')) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, place, sizeof address.sun_path - 1);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    return fd;
  }
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(place))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

// Where the numbers stand in the request.
static void find_places(void) {
  for (char *from = request, *place;
       (place = memmem(from, request_length - (size_t)(from - request), MARK, DIGITS));
       from = place + DIGITS) {
    number_places = realloc(number_places, (number_place_count + 1) * sizeof *number_places);
    if (!number_places) fail("realloc");
    number_places[number_place_count++] = (size_t)(place - request);
  }
}

static void push_due(int64_t due) {
  if (due_count == due_capacity) {
    size_t capacity = due_capacity ? due_capacity * 2 : 1024;
    int64_t *grown = malloc(capacity * sizeof *grown);
    if (!grown) fail("malloc");
    for (size_t index = 0; index < due_count; index++)
      grown[index] = due_times[(due_first + index) % due_capacity];
    free(due_times);
    due_times = grown;
    due_first = 0;
    due_capacity = capacity;
  }
  due_times[(due_first + due_count++) % due_capacity] = due;
}

static int64_t pop_due(void) {
  int64_t due = due_times[due_first];
  due_first = (due_first + 1) % due_capacity;
  due_count--;
  return due;
}

static int by_size(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return (a > b) - (a < b);
}

// Of times that are sorted.
static unsigned quantile(const struct times *times, double part) {
  size_t index = (size_t)(part * (double)times->count);
  return times->count ? times->micros[index < times->count ? index : times->count - 1] : 0;
}

int main(int argc, char **argv) {
  if (argc != 8 && argc != 9) { fputs("see the head of the source\n", stderr); return 2; }
  int count = atoi(argv[2]);
  double rate = atof(argv[3]), seconds = atof(argv[4]);
  first_number = strtoull(argv[5], NULL, 10);
  number_count = strtoull(argv[6], NULL, 10);
  FILE *file = fopen(argv[7], "rb");
  if (!file) fail(argv[7]);
  request_length = fread(request, 1, sizeof request - 1, file);
  if (request_length == sizeof request - 1) { fputs("the request is too long\n", stderr); return 2; }
  find_places();
  uint64_t most = argc == 9 ? strtoull(argv[8], NULL, 10) : UINT64_MAX;

  struct connection *connections = calloc((size_t)count, sizeof *connections);
  idle = calloc((size_t)count, sizeof *idle);
  int epoll = epoll_create1(0);
  if (!connections || !idle || epoll < 0) fail("start");
  for (int index = 0; index < count; index++) {
    int fd = connected(argv[1]);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
    connections[index].fd = fd;
    idle[idle_count++] = index;
  }

  int64_t start = now(), end = start + (int64_t)(seconds * 1e9);
  uint64_t scheduled = 0;
  int64_t next_due = start;
  struct epoll_event events[EVENTS_MAX];
  for (;;) {
    int64_t time = now();
    if (rate > 0) {
      while (next_due <= time && next_due < end) {
        push_due(next_due);
        next_due = start + (int64_t)((double)++scheduled * 1e9 / rate);
      }
    } else if (time < end) {
      for (; due_count < (size_t)idle_count && scheduled < most; scheduled++) push_due(time);
    }
    while (due_count > 0 && idle_count > 0)
      send_request(&connections[idle[--idle_count]], pop_due());
    int is_over = time >= end || (rate <= 0 && scheduled == most);
    if (is_over && idle_count == count && due_count == 0) break;
    if (time > end + 20000000000) { fputs("answers are missing\n", stderr); return 1; }
    int64_t wait = rate > 0 && !is_over ? next_due - time : 100000000;
    if (wait < 0) wait = 0;
    struct timespec timeout = {wait / 1000000000, wait % 1000000000};
    int ready = epoll_pwait2(epoll, events, EVENTS_MAX, &timeout, NULL);
    for (int index = 0; index < ready; index++) {
      struct connection *connection = &connections[events[index].data.u32];
      if (connection->busy && receive(connection)) idle[idle_count++] = (int)events[index].data.u32;
    }
  }
  double taken = (double)(now() - start) / 1e9;
  qsort(latencies.micros, latencies.count, sizeof *latencies.micros, by_size);
  qsort(latenesses.micros, latenesses.count, sizeof *latenesses.micros, by_size);
  printf("%zu %zu %.3f %u %u %u %u %u\n", sent, good, taken, quantile(&latencies, 0.5),
         quantile(&latencies, 0.99), quantile(&latencies, 0.999), quantile(&latencies, 1),
         quantile(&latenesses, 0.99));
  return 0;
}
