"""Clients that send events as SDKs do: one id an event, sent again until it is answered 202."""

import http.client
import json
import random
import threading
import time


class Tally:
    """What the clients know of every event they made."""

    def __init__(self):
        self.lock = threading.Lock()
        self.accepted = set()
        # Sent once and given up: accepted only if the answer said so.
        self.abandoned = set()
        self.statuses = {}

    def count(self, status):
        with self.lock:
            self.statuses[status] = self.statuses.get(status, 0) + 1


class Client(threading.Thread):
    """Sends singles and batches to one of the ports until told to stop, then until all is accepted."""

    def __init__(self, number, ports, key, tally):
        super().__init__(daemon=True)
        self.number, self.ports, self.key, self.tally = number, ports, key, tally
        self.random = random.Random(number)
        self.is_ending = threading.Event()
        self.connection = None

    def run(self):
        serial = 0
        while not self.is_ending.is_set():
            size = self.random.choice([1, 1, 1, 20, 100])
            ids = [f"client-{self.number}-{serial + i}" for i in range(size)]
            serial += size
            # One in ten is not sent again: its fate is the server's word alone.
            self.deliver(ids, is_retried=self.random.random() < 0.9)

    def deliver(self, ids, is_retried):
        pause = 0.02
        while True:
            status, wait = self.send(ids)
            self.tally.count(status)
            if status == 202:
                with self.tally.lock:
                    self.tally.accepted.update(ids)
                return
            if not is_retried:
                with self.tally.lock:
                    self.tally.abandoned.update(ids)
                return
            time.sleep(wait or pause * self.random.uniform(0.5, 1.5))
            pause = min(pause * 2, 1)

    def send(self, ids):
        """The status and the seconds to wait; 0 when nobody answered."""
        events = [
            {"event_key": "chaos", "unit_id": f"unit-{hash(name) % 1000}", "client_event_id": name}
            for name in ids]
        path, body = (
            ("/v1/events", events[0]) if len(ids) == 1 else ("/v1/events/batch", {"events": events}))
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(
                    "127.0.0.1", self.random.choice(self.ports), timeout=10)
            self.connection.request(
                "POST", path, json.dumps(body),
                {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"})
            answer = self.connection.getresponse()
            document = json.loads(answer.read())
            if answer.status == 202 and document.get("rejected"):
                raise SystemExit(f"a good event was rejected: {document}")
            return answer.status, float(answer.headers.get("Retry-After") or 0)
        except (OSError, http.client.HTTPException, ValueError):
            self.connection = None
            return 0, 0
