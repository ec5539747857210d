"""A client that sends exactly the bytes it is told to and reads the answer strictly."""

import socket
import threading

from . import wire


class Client:
    """One connection to the proxy, kept until closed.

    `tls`: the context to speak TLS with. `path`: of a unix socket, in place of host and port.
    """

    def __init__(self, port=None, host="127.0.0.1", timeout=20.0, tls=None, path=None):
        self.host, self.port = (host, port) if port else ("localhost", 80)
        if path:
            self.sock = unix_connection(path)
            self.sock.settimeout(timeout)
        else:
            self.sock = socket.create_connection((host, port), timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname=host,
                                        suppress_ragged_eofs=False)
        self.stream = wire.Stream(self.sock, timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- raw ------------------------------------------------------------------------------------

    def send(self, data):
        self.sock.sendall(data)
        return self

    def send_pieces(self, *pieces, pause=0.02):
        for piece in pieces:
            self.send(piece)
            threading.Event().wait(pause)
        return self

    def read(self, method="GET", sink=None):
        """The next final answer."""
        return wire.read_response(self.stream, method, sink)

    def read_head(self):
        return wire.read_response_head(self.stream)

    def read_rest(self):
        """Everything up to the end of the connection, as it came."""
        while self.stream.fill():
            pass
        return self.stream.take(len(self.stream.buffer))

    def is_closed(self, timeout=10):
        """Waits for the end of the connection; False if bytes come or nothing happens."""
        self.sock.settimeout(timeout)
        try:
            return not self.stream.buffer and not self.stream.fill()
        except socket.timeout:
            return False

    def half_close(self):
        """Ends the sending side; a TLS socket's own shutdown would end the receiving one, too."""
        socket.socket.shutdown(self.sock, socket.SHUT_WR)

    def close(self):
        self.stream.close()

    def reset(self):
        self.stream.reset_now()

    # --- convenient -----------------------------------------------------------------------------

    @property
    def authority(self):
        return f"{self.host}:{self.port}"

    def head(self, method, target, fields=(), body=None, host=None):
        """The bytes of a request head; a body adds its length."""
        lines = [f"{method} {target} HTTP/1.1"]
        if host is not False:
            lines.append(f"Host: {host or self.authority}")
        lines += [f"{name}: {value}" for name, value in fields]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines + ["", ""]).encode("latin-1")

    def request(self, method, target, fields=(), body=None, host=None):
        """Sends a request and returns the answer."""
        self.send(self.head(method, target, fields, body, host) + (body or b""))
        return self.read(method)

    def get(self, target, fields=(), host=None):
        return self.request("GET", target, fields, host=host)

    def post(self, target, body=b"{}", fields=(), host=None):
        return self.request("POST", target, fields, body, host)


def unix_connection(path):
    """A connection to a unix socket."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(str(path))
    except OSError:
        sock.close()
        raise
    return sock


def in_parallel(count, action):
    """Runs action(number) in count threads at once; returns the results or raises the first error."""
    results, errors = [None] * count, []

    def run(number):
        try:
            results[number] = action(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a client is still waiting after 60 s"
    if errors:
        raise errors[0]
    return results
