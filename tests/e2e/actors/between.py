"""Stands between bearerd and Redis: passes on, passes on late, not at all, or answers itself."""

import queue
import socket
import threading
import time

from .server import Server


class Between(Server):
    """A relay to a port of this host. All connections behave in the same way, at any time."""

    name = "between"

    def __init__(self, port):
        self.to_port = port
        self.delay = 0.0  # seconds by which each answer comes late
        self.answer = None  # bytes: what every command gets in place of Redis' answer
        self.commands = 0  # that were answered so
        self.drops_news = False  # what Redis says on connections that have subscribed is lost
        self._open_way = threading.Event()
        self._open_way.set()
        super().__init__()

    @property
    def url(self):
        return f"redis://{self.authority}"

    def cut(self):
        """From now on no byte gets through, in either direction; nobody is told."""
        self._open_way.clear()

    def heal(self):
        self._open_way.set()

    # --- the inside -----------------------------------------------------------------------------

    def _is_open(self):
        while not self._open_way.wait(0.2):
            if self.stopping.is_set():
                return False
        return not self.stopping.is_set()

    def serve(self, sock, number):
        if not self._is_open():
            return
        with socket.create_connection(("127.0.0.1", self.to_port), 10) as there:
            there.settimeout(None)
            link = {"subscribed": False}
            late = queue.SimpleQueue()
            threads = [threading.Thread(target=self._hear, args=(there, sock, late), daemon=True),
                       threading.Thread(target=self._tell, args=(late, sock, link), daemon=True)]
            for thread in threads:
                thread.start()
            try:
                self._pass_on(sock, there, link)
            finally:
                shut(there)
                shut(sock)
                for thread in threads:
                    thread.join(10)

    def _pass_on(self, sock, there, link):
        """Commands: one at a time where they are answered here."""
        while data := sock.recv(65536):
            if not self._is_open():
                return
            link["subscribed"] |= b"SUBSCRIBE" in data
            if self.answer is None:
                there.sendall(data)
            else:
                # small ones come whole; "*" begins each, and ends none of its lines
                count = sum(line.startswith(b"*") for line in data.split(b"\r\n"))
                self.commands += count
                sock.sendall(self.answer * count)

    @staticmethod
    def _hear(there, sock, late):
        try:
            while data := there.recv(65536):
                late.put((time.monotonic(), data))
        except OSError:
            pass
        late.put(None)

    def _tell(self, late, sock, link):
        while item := late.get():
            came, data = item
            self.stopping.wait(max(0.0, came + self.delay - time.monotonic()))
            if not self._is_open():
                break
            if link["subscribed"] and self.drops_news and b"message" in data:
                continue
            try:
                sock.sendall(data)
            except OSError:
                break
        shut(sock)


def shut(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
