"""A real redis-server of the test's own, and the few words of its protocol that tests need."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading

from .ports import HeldPort
from .waiting import wait_until

BINARY = shutil.which("redis-server")
START_TIMEOUT = 20


class RedisError(Exception):
    """An error that Redis answered with."""


class Overheard(threading.Thread):
    """Collects what comes on a connection until it ends."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock, self.bytes = sock, b""
        sock.settimeout(None)

    def run(self):
        while data := self.sock.recv(65536):
            self.bytes += data


class Redis:
    """Each change is in its append-only file too, so that it survives a restart and can be searched."""

    name = "redis"
    requests = ()

    def __init__(self, folder, **options):
        self.folder, self.options = folder, options
        self.failures = []
        self.process = None
        self.held, self.bus = HeldPort(), HeldPort()
        self.port = self.held.port
        if "cluster_enabled" in options:
            options["cluster_port"] = self.bus.port
        folder.mkdir()

    @property
    def authority(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"redis://{self.authority}"

    # --- life -----------------------------------------------------------------------------------

    def start(self):
        settings = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": "",
                    "appendonly": "yes", "appendfsync": "no", **self.options}
        arguments = [text for key, value in settings.items()
                     for text in (f"--{key.replace('_', '-')}", str(value))]
        self.process = subprocess.Popen(self.command_line(arguments), stdin=subprocess.DEVNULL,
                                        stdout=open(self.folder / "log", "ab"),
                                        stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"]})
        wait_until(self._answers, "redis-server to answer", START_TIMEOUT)
        return self

    def command_line(self, arguments):
        return [BINARY, *arguments]

    def _answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        try:
            self.command("PING")
            return True
        except RedisError as error:
            return not str(error).startswith("LOADING")
        except OSError:
            return False

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.kill()
        self.held.close()
        self.bus.close()

    # --- commands -------------------------------------------------------------------------------

    def command(self, *arguments):
        """One command on a connection of its own: a text, a number, None or a list of these."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as sock:
            stream = sock.makefile("rwb")
            password = self.options.get("requirepass")
            if password:
                self.send(stream, "AUTH", password)
            return self.send(stream, *arguments)

    @classmethod
    def send(cls, stream, *arguments):
        words = [str(one).encode() for one in arguments]
        stream.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one)
                                                        for one in words))
        stream.flush()
        return cls._read(stream)

    @classmethod
    def _read(cls, stream):
        line = stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("redis has closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else stream.read(int(rest) + 2)[:-2]
        return [cls._read(stream) for _ in range(int(rest))]

    def config(self, key, value):
        assert self.command("CONFIG", "SET", key, value) == "OK"
        self.options[key] = value  # its password is needed from now on

    def keys(self):
        return sorted(key.decode() for key in self.command("KEYS", "*"))

    @contextlib.contextmanager
    def overheard(self):
        """Every command that it gets meanwhile, those of scripts too: `bytes` of what is given."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as sock:
            stream = sock.makefile("rwb")
            assert self.send(stream, "MONITOR") == "OK"
            heard = Overheard(sock)
            heard.start()
            try:
                yield heard
            finally:
                sock.shutdown(socket.SHUT_RDWR)
                heard.join(10)

    def everything(self):
        """All that it holds now, and all that was ever written to it."""
        found = b""
        for key in self.keys():
            found += key.encode() + b"\n"
            kind = self.command("TYPE", key)
            values = self.command("HGETALL", key) if kind == "hash" else [self.command("GET", key)]
            found += b"\n".join(value or b"" for value in values) + b"\n"
        for path in sorted(self.folder.rglob("*")):
            found += path.read_bytes() if path.is_file() else b""
        return found


class Sentinel(Redis):
    """Watches one master, called the-master, and makes its replica the master when it is gone."""

    def __init__(self, folder, master):
        super().__init__(folder)
        (folder / "sentinel.conf").write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor the-master 127.0.0.1 {master.port} 1\n"
            "sentinel down-after-milliseconds the-master 500\n"
            "sentinel failover-timeout the-master 3000\n")

    def command_line(self, arguments):
        return [BINARY, str(self.folder / "sentinel.conf"), "--sentinel"]
