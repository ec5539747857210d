"""A threaded TCP server: one thread per connection, every failure remembered."""

import socket
import ssl
import threading
import traceback


class Server:
    """Accepts on 127.0.0.1 and calls serve(sock) per connection; port 0 is the kernel's choice."""

    name = "server"

    def __init__(self, tls=None, backlog=1024, address="127.0.0.1", port=0):
        self.tls = tls
        self.failures = []
        self.accepted = 0
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self._open = set()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family, backlog=backlog)
        self.address, self.port = self._listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True, name=self.name).start()

    @property
    def authority(self):
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}"

    @property
    def origin(self):
        return f"{'https' if self.tls else 'http'}://{self.authority}"

    def serve(self, sock, number):
        """Handles connection `number` (from 0); overridden."""
        raise NotImplementedError

    @property
    def open_connections(self):
        with self.lock:
            return len(self._open)

    def refuse_connections(self):
        """Stops listening: from now on connections are refused; open ones stay."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def stop(self):
        """Closes everything; threads end by their closed sockets."""
        self.stopping.set()
        self.refuse_connections()
        with self.lock:
            sockets = list(self._open)
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self.lock:
                number = self.accepted
                self.accepted += 1
                self._open.add(sock)
            threading.Thread(target=self._run, args=(sock, number), daemon=True,
                             name=f"{self.name}-{number}").start()

    def _run(self, sock, number):
        raw = sock
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                sock = self._handshake(sock)
                if sock is None:
                    return
                with self.lock:
                    self._open.discard(raw)
                    self._open.add(sock)
            self.serve(sock, number)
        except (ConnectionError, socket.timeout, ssl.SSLError, OSError) as error:
            if not self.stopping.is_set() and isinstance(error, socket.timeout):
                self.failures.append(f"{self.name} connection {number}: timed out")
        except Exception:  # a test actor reports everything, at the end of the test
            if not self.stopping.is_set():
                self.failures.append(f"{self.name} connection {number}: {traceback.format_exc()}")
        finally:
            with self.lock:
                self._open.discard(raw)
                self._open.discard(sock)
            if sock is not None:
                sock.close()

    def _handshake(self, sock):
        sock.settimeout(10)
        try:
            return self.tls.wrap_socket(sock, server_side=True)
        except (ssl.SSLError, OSError):
            sock.close()
            return None
