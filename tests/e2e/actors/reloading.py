"""A configuration that changes under a running bearerd, and clients that must not notice."""

import signal
import threading

from .waiting import wait_until
from .wire import Truncated


class Reloading:
    """A bearerd with a file that changes."""

    def __init__(self, bearerd):
        self.bearerd = bearerd

    def __call__(self, config=None, server=None, ini=None):
        """Writes the file and sends HUP; returns the log's lines once the reload is over."""
        if config is not None or ini is not None:
            self.bearerd.write_config(config or "", server, ini)
        before = len(self.results())
        seen = len(self.bearerd.stderr)
        self.bearerd.signal(signal.SIGHUP)
        wait_until(lambda: len(self.results()) > before, "the reload")
        return self.bearerd.stderr[seen:]

    def results(self):
        return (self.bearerd.log_lines("configuration reloaded")
                + self.bearerd.log_lines("the reload failed"))


class Load:
    """Clients that ask without pause, on kept connections and on new ones, and count failures.

    `fields(number)` gives the header fields of a client's next request.
    """

    def __init__(self, bearerd, clients=4, fields=lambda number: ()):
        self.bearerd, self.stop, self.fields = bearerd, threading.Event(), fields
        self.answers, self.failures = [0] * clients, []
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True)
                        for number in range(clients)]

    def run(self, number):
        try:
            while not self.stop.is_set():
                with self.bearerd.client() as client:
                    for _ in range(1 if number % 2 else 50):
                        answer = client.get(f"/load/{number}", self.fields(number))
                        assert answer.status == 200, answer
                        self.answers[number] += 1
        except (AssertionError, OSError, Truncated) as error:
            self.failures.append(repr(error))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(30)
        assert not self.failures, self.failures
        assert min(self.answers) > 0
