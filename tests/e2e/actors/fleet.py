"""Several bearerd that share a store, and programs that use them all the time."""

import base64
import secrets
import threading

from .bearerd import section
from .waiting import wait_until

SIZE = 3
AWAY, BACK = "the token store (redis) is away", "the token store (redis) is back"


class Load:
    """Sends requests through all of them until it ends; remembers what was no 200."""

    def __init__(self, daemons, threads_each=2):
        self.answers, self.errors, self.tokens = 0, [], set()
        self._ending, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(daemon,), daemon=True)
                         for daemon in daemons for _ in range(threads_each)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a request hangs"

    def _run(self, daemon):
        while not self._ending.wait(0.01):
            try:
                status = daemon.get("/load").status
            except Exception as error:
                status = repr(error)
            with self._lock:
                self.answers += 1
                if status != 200:
                    self.errors.append(status)

    def served(self, more=100, timeout=30):
        """Waits until so many more were answered."""
        goal = self.answers + more
        wait_until(lambda: self.answers >= goal, f"{more} more answers", timeout)


class Fleet(list):
    """Instances with the same configuration and the same store; keywords are keys of [store].

    Their patience is long, since the sanitizers' build on a busy machine is slow: a question that is
    not answered in time would be one more token request.
    """

    def __init__(self, run, config, size=SIZE, **store):
        store = {"patience": "4s", **store}
        super().__init__(run(config + section("store", store)) for _ in range(size))

    def wait_away(self, times=1, timeout=20):
        """Until each has said so often that its store is away."""
        self._wait_said(AWAY, times, timeout)

    def wait_back(self, times=1, timeout=30):
        self._wait_said(BACK, times, timeout)

    def _wait_said(self, words, times, timeout):
        wait_until(lambda: all(len(one.log_lines(words)) >= times for one in self),
                   f"{words!r}, said {times} times by all", timeout)

    def said(self, words):
        """How often each has said that."""
        return [len(one.log_lines(words)) for one in self]

    def ask_all(self, target="/"):
        """One request to each, one after the other; the answers."""
        return [one.get(target) for one in self]


def store_key(canary):
    """A new key for [store]; no log may show it."""
    text = base64.b64encode(secrets.token_bytes(32)).decode()
    return "literal:" + canary.secret("store-key", text)
