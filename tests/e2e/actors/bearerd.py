"""The program under test: the real binary with a configuration of its own."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading

from .client import Client, unix_connection
from .ports import HeldPort
from .waiting import wait_until

# A finding of a sanitizer, whatever the exit status says.
SANITIZER = re.compile(rb"==\d+==ERROR|runtime error:|WARNING: ThreadSanitizer|LeakSanitizer:")
START_TIMEOUT = 20
STOP_TIMEOUT = 30


class CliResult:
    """How a command ended and what it said."""

    def __init__(self, arguments, status, stdout, stderr):
        self.arguments, self.status = arguments, status
        self.stdout, self.stderr = stdout.decode(), stderr.decode()
        assert not SANITIZER.search(stdout + stderr), f"sanitizer report:\n{self.stderr}"
        assert 0 <= status < 128, f"killed: {self!r}"

    @property
    def output(self):
        return self.stdout + self.stderr

    def __repr__(self):
        return f"<{self.arguments} -> {self.status}\n{self.stdout}\n{self.stderr}>"


class Bearerd:
    """Writes the configuration, starts the binary, and talks about it.

    `config` is the text after the [server] section; `server` adds keys to that section or replaces
    them (None removes one). `ini` is a whole file instead of both. Always at debug level.
    `errors` is a descriptor for the event log, in place of a file.
    """

    def __init__(self, binary, folder, config="", server=None, ini=None, env=None,
                 name="bearerd", wait_for=None, errors=None):
        self.binary, self.folder = binary, folder
        self.errors = errors
        self.wait_for = wait_for  # the path of a unix socket that it listens on, not the port
        self.port_held, self.admin_held = HeldPort(), HeldPort()
        self.port, self.admin_port = self.port_held.port, self.admin_held.port
        self.environment = {
            "PATH": os.environ.get("PATH", ""),
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""),
            "UBSAN_OPTIONS": "print_stacktrace=1:" + os.environ.get("UBSAN_OPTIONS", ""),
            "TSAN_OPTIONS": os.environ.get("TSAN_OPTIONS", ""),
            **(env or {}),
        }
        self.config_path = folder / f"{name}.ini"
        self.has_admin = False
        self.write_config(config, server, ini)
        self._out_path, self._err_path = folder / f"{name}.stdout", folder / f"{name}.stderr"
        self.cli_results = []
        self.tls = None  # the context of clients, when the listener speaks TLS
        self.process = None
        self.exit_status = None

    def write_config(self, config="", server=None, ini=None):
        if ini is None:
            keys = {
                "listen": f"127.0.0.1:{self.port}",
                "admin_listen": f"127.0.0.1:{self.admin_port}",
                "workers": "2",
                "log_level": "debug",
                **(server or {}),
            }
            lines = [f"{key} = {value}" for key, value in keys.items() if value is not None]
            self.has_admin = keys.get("admin_listen") == f"127.0.0.1:{self.admin_port}"
            ini = "[server]\n" + "\n".join(lines) + "\n\n" + config
        self.config_path.write_text(ini)

    # --- life -----------------------------------------------------------------------------------

    def start(self, wait=True):
        """Starts `bearerd run` and waits until it accepts connections."""
        self.process = subprocess.Popen(
            [str(self.binary), "run", "-c", str(self.config_path)], cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=open(self._out_path, "wb"),
            stderr=self.errors or open(self._err_path, "wb"), env=self.environment)
        self.exit_status = None
        if wait:
            wait_until(self._is_ready, "bearerd to listen", START_TIMEOUT)
        return self

    def _is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"bearerd ended with {self.process.returncode}:\n{self.stderr}")
        try:
            if self.wait_for:
                unix_connection(self.wait_for).close()
            else:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
            if self.has_admin:
                socket.create_connection(("127.0.0.1", self.admin_port), 5).close()
            return True
        except (ConnectionRefusedError, FileNotFoundError):
            return False

    def wait_exit(self, timeout=STOP_TIMEOUT):
        """Waits until the process ends by itself; returns its status."""
        if self.process is not None:
            try:
                self.exit_status = self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                raise AssertionError(f"bearerd still runs after {timeout} s") from None
            self.process = None
        return self.exit_status

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """TERM; the exit status must be 0 and no sanitizer may have complained."""
        if self.process is None:
            return
        self.signal(signal.SIGTERM)
        try:
            status = self.wait_exit()
        except AssertionError:
            self.kill()
            raise
        report = SANITIZER.search(self.stderr_bytes)
        assert not report, f"sanitizer report:\n{self.stderr}"
        assert status == 0, f"exit status {status} after TERM:\n{self.stderr[-4000:]}"

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def close(self):
        """Ends everything at the end of a test."""
        try:
            self.stop()
        finally:
            self.port_held.close()
            self.admin_held.close()

    def refuses_connections(self):
        """True once nothing listens on its port."""
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return False
        except ConnectionRefusedError:
            return True

    def rss_kib(self):
        """Resident memory now, in KiB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def cpu_seconds(self):
        """Processor time that it has used."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_quiet(self, seconds=1.0):
        """True when it uses hardly any processor for so long."""
        used = self.cpu_seconds()
        threading.Event().wait(seconds)
        return self.cpu_seconds() - used < seconds / 5

    def wait_quiet(self, seconds=1.0, within=10.0):
        """Waits until it has digested what came; one that spins never has."""
        wait_until(lambda: self.is_quiet(seconds), "the processor to be left alone", within)

    # --- what it writes -------------------------------------------------------------------------

    @property
    def stderr_bytes(self):
        return self._err_path.read_bytes() if self._err_path.exists() else b""

    @property
    def stdout_bytes(self):
        return self._out_path.read_bytes() if self._out_path.exists() else b""

    @property
    def stderr(self):
        return self.stderr_bytes.decode(errors="replace")

    def log_lines(self, *words):
        """The event log's lines that contain all the words."""
        return [line for line in self.stderr.splitlines() if all(word in line for word in words)]

    def wait_log(self, *words, timeout=10):
        """Waits for such a line and returns the first."""
        return wait_until(lambda: self.log_lines(*words), f"a log line with {words}", timeout)[0]

    def access_log(self, count=1, timeout=10):
        """The access log's lines as dicts, once there are at least count of them."""
        def lines():
            complete = self.stdout_bytes.decode().split("\n")[:-1]
            return complete if len(complete) >= count else None
        return [parse_access_line(line) for line in
                wait_until(lines, f"{count} access log lines", timeout)]

    def evidence(self):
        """Everything it wrote, for the secrets' search."""
        written = self.stdout_bytes + b"\n" + self.stderr_bytes
        for result in self.cli_results:
            written += b"\n" + result.output.encode()
        return written

    # --- commands -------------------------------------------------------------------------------

    def run_cli(self, *arguments, stdin=None, reveals=False, timeout=30):
        """Runs another command of the binary. `reveals`: its output shows secrets on purpose."""
        done = subprocess.run([str(self.binary), *map(str, arguments)], cwd=self.folder,
                              stdin=subprocess.DEVNULL, capture_output=True, env=self.environment,
                              timeout=timeout)
        result = CliResult(arguments, done.returncode, done.stdout, done.stderr)
        if not reveals:
            self.cli_results.append(result)
        return result

    def check(self):
        return self.run_cli("check", "-c", self.config_path)

    def admin(self, path, method="GET"):
        """Asks the admin listener: (status, fields, text)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def metric(self, name, *labels):
        """The sum of a metric's lines that have all of these labels, as it is now."""
        lines = [line for line in self.admin("/metrics")[2].splitlines()
                 if re.match(rf"{name}[{{ ]", line) and all(label in line for label in labels)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    # --- requests -------------------------------------------------------------------------------

    def client(self, **options):
        return Client(self.port, **{"tls": self.tls, **options})

    def get(self, target, fields=(), host=None):
        """One request on a connection of its own."""
        with self.client() as client:
            return client.get(target, fields, host)

    def post(self, target, body=b"{}", fields=(), host=None):
        with self.client() as client:
            return client.post(target, body, fields, host)

    def exchange(self, data, method="GET"):
        """Sends exact bytes on a connection of its own and reads one answer."""
        with self.client() as client:
            return client.send(data).read(method)


def parse_access_line(line):
    """One access log line, JSON or key=value, as a dict of texts."""
    if line.startswith("{"):
        return json.loads(line)
    pairs = re.findall(r'(\S+?)=("(?:[^"\\]|\\.)*"|\S*)', line)
    return {key: json.loads(value) if value.startswith('"') else value for key, value in pairs}


def section(title, settings):
    """A section's text; settings that are None are left out, `__` in a keyword stands for a dot."""
    lines = [f"{key.replace('__', '.')} = {value}" for key, value in settings.items()
             if value is not None]
    return f"[{title}]\n" + "\n".join(lines) + "\n\n"
