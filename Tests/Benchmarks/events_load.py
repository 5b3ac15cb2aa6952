"""A client that sends events over HTTP, one thread with epoll: closed loop, or at a fixed rate."""

import json
import selectors
import socket
import time

# Of one width, so that a request is made by joining pieces.
SERIAL_WIDTH = 12


class Events:
    """Requests of `size` events each, every one with an id of its own."""

    def __init__(self, port: int, authorization: dict[str, str], size: int, first: int):
        events = [
            {"event_key": "purchase", "unit_id": f"user-{'@' * SERIAL_WIDTH}-{number}",
             "client_event_id": f"{'@' * SERIAL_WIDTH}-{number:03d}",
             "properties": {"amount": 12.5, "currency": "EUR"}}
            for number in range(size)]
        path, body = (
            ("/v1/events", events[0]) if size == 1 else ("/v1/events/batch", {"events": events}))
        body = json.dumps(body, separators=(",", ":"))
        fields = {"Host": "127.0.0.1", "Splitstream-Environment": "dev", **authorization,
                  "Content-Type": "application/json", "Content-Length": str(len(body))}
        head = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        text = "\r\n".join(head) + "\r\n\r\n" + body
        self.port, self.size, self.serial = port, size, first
        self.pieces = text.encode().split(b"@" * SERIAL_WIDTH)

    def next(self) -> bytes:
        self.serial += 1
        return str(self.serial).rjust(SERIAL_WIDTH, "0").encode().join(self.pieces)


class Run:
    """What became of a run: events accepted, seconds, the latencies of its requests."""

    def __init__(self):
        self.accepted, self.seconds, self.latencies, self.refused = 0, 0.0, [], 0

    @property
    def rate(self) -> float:
        return self.accepted / self.seconds

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3


def load(events: Events, connections: int, seconds: float, rate: float | None = None,
         count: int | None = None, may_send=lambda: True) -> Run:
    """Sends until the time is over or `count` events are accepted.

    At a `rate`, in requests a second, a latency is counted from when the request was due, not from
    when a connection was free for it.
    """
    selector = selectors.DefaultSelector()
    free = []
    for _ in range(connections):
        connection = socket.create_connection(("127.0.0.1", events.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ)
        free.append(connection)
    run, due_of, received, sent = Run(), {}, {}, 0
    start = now = time.perf_counter()
    while True:
        now = time.perf_counter()
        is_over = now - start >= seconds or (count is not None and sent * events.size >= count)
        if is_over and len(free) == connections:
            break
        while free and not is_over:
            due = start + sent / rate if rate else now
            if due > now or not may_send():
                break
            connection = free.pop()
            due_of[connection], received[connection] = due, b""
            connection.sendall(events.next())
            sent += 1
            is_over = count is not None and sent * events.size >= count
        wait = max(0, start + sent / rate - now) if rate and free and not is_over else 0.05
        for key, _ in selector.select(wait if len(free) < connections or rate else 0.001):
            connection = key.fileobj
            received[connection] += connection.recv(65536)
            answer = received[connection]
            end = answer.find(b"\r\n\r\n")
            if end < 0 or len(answer) < end + 4 + length(answer):
                continue
            run.latencies.append(time.perf_counter() - due_of[connection])
            if answer.startswith(b"HTTP/1.1 202"):
                run.accepted += events.size
            else:
                run.refused += 1
                if not answer.startswith(b"HTTP/1.1 429"):
                    raise SystemExit(f"not accepted: {answer[:400]!r}")
            free.append(connection)
    run.seconds = now - start
    for connection in free:
        connection.close()
    selector.close()
    return run


def length(answer: bytes) -> int:
    start = answer.lower().index(b"content-length:") + 15
    return int(answer[start : answer.index(b"\r\n", start)])
