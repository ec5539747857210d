"""What a service says to systemd and gets from it: notification, watchdog, socket activation."""

import fcntl
import os
import signal
import socket
import subprocess

import pytest
from actors import Client, section, wait_until, wire
from cryptography import x509


class Systemd:
    """The notification socket, as the manager has one."""

    def __init__(self, folder):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)
        self.words = []

    def listen(self):
        try:
            while True:
                self.words.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return self.words

    def wait(self, word, since=0, timeout=10):
        """Waits for a message with this line; returns how many there are then."""
        wait_until(lambda: any(word in one.split("\n") for one in self.listen()[since:]),
                   f"{word} (so far {self.words[since:]})", timeout)
        return len(self.words)


@pytest.fixture
def systemd(tmp_path):
    return Systemd(tmp_path)


@pytest.fixture
def good(provider, api):
    return provider() + section("route all", {"provider": "idp", "upstream": api.origin})


@pytest.fixture
def bearerd(configure, good, systemd):
    bearerd = configure(good)
    bearerd.environment["NOTIFY_SOCKET"] = str(systemd.path)
    return bearerd


def test_ready_reloading_stopping(bearerd, systemd, good):
    bearerd.start()
    systemd.wait("READY=1")
    assert bearerd.get("/x").status == 200
    seen = len(systemd.listen())
    bearerd.signal(signal.SIGHUP)
    systemd.wait("READY=1", seen)
    reloading = systemd.words[seen].split("\n")
    assert reloading[0] == "RELOADING=1"
    moment = int(reloading[1].removeprefix("MONOTONIC_USEC="))
    with open("/proc/uptime") as uptime:
        assert abs(float(uptime.read().split()[0]) - moment / 1e6) < 60
    seen = len(systemd.words)
    bearerd.write_config(ini="[rubbish")
    bearerd.signal(signal.SIGHUP)
    systemd.wait("READY=1", seen)  # a reload that failed is over, too
    bearerd.signal(signal.SIGTERM)
    systemd.wait("STOPPING=1")
    bearerd.wait_exit()


def test_the_watchdog_is_fed(bearerd, systemd):
    bearerd.environment["WATCHDOG_USEC"] = "200000"
    bearerd.start()
    seen = 0
    for _ in range(3):
        seen = systemd.wait("WATCHDOG=1", seen)


def test_a_hanging_process_is_not_fed(bearerd, systemd):
    bearerd.environment["WATCHDOG_USEC"] = "100000"
    bearerd.start()
    systemd.wait("WATCHDOG=1")
    thread = next(task for task in os.listdir(f"/proc/{bearerd.process.pid}/task")
                  if "worker" in open(f"/proc/{bearerd.process.pid}/task/{task}/comm").read())
    # A tracer stops one thread alone, as a loop that hangs would be.
    tracer = subprocess.Popen(["/usr/bin/python3", "-c", TRACER, thread], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    try:
        if tracer.stdout.readline() != b"stopped\n":
            pytest.skip("tracing is not allowed here")
        wait_until(lambda: bearerd.admin("/livez")[0] == 503, "liveness to end")
        seen = len(systemd.listen())
        assert bearerd.admin("/livez")[0] == 503  # takes a second: several meals
        assert "WATCHDOG=1" not in systemd.listen()[seen:]
        assert bearerd.admin("/metrics")[0] == 200
    finally:
        tracer.communicate(b"\n")
    wait_until(lambda: bearerd.admin("/livez")[0] == 200, "life to come back")
    systemd.wait("WATCHDOG=1", len(systemd.listen()))


TRACER = """
import ctypes, os, sys
libc, thread = ctypes.CDLL(None, use_errno=True), int(sys.argv[1])
libc.ptrace.argtypes = [ctypes.c_long] * 4
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
done = libc.ptrace(PTRACE_SEIZE, thread, 0, 0) == 0 and libc.ptrace(PTRACE_INTERRUPT, thread, 0, 0) == 0
if done:
    os.waitpid(thread, 0x40000000)  # __WALL
print("stopped" if done else "not allowed", flush=True)
sys.stdin.readline()
if done:
    libc.ptrace(PTRACE_DETACH, thread, 0, 0)
"""


ACTIVATOR = """
import os, sys
descriptors = [int(one) for one in sys.argv[1].split(",")]
for number, one in enumerate(descriptors):
    os.dup2(one, 3 + number, inheritable=True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


def start_with(bearerd, sockets, names):
    """Starts it as socket activation does: descriptors from 3 on, and variables with its pid."""
    numbers = [one.fileno() for one in sockets]
    bearerd.environment.update({"LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": names})
    bearerd.process = subprocess.Popen(
        ["/usr/bin/python3", "-c", ACTIVATOR, ",".join(map(str, numbers)), str(bearerd.binary),
         "run", "-c", str(bearerd.config_path)],
        pass_fds=numbers, cwd=bearerd.folder, env=bearerd.environment, stdin=subprocess.DEVNULL,
        stdout=open(bearerd._out_path, "wb"), stderr=open(bearerd._err_path, "wb"))


def high(low):
    """The same socket by a number above those that it is to be passed as."""
    return socket.socket(fileno=fcntl.fcntl(low.fileno(), fcntl.F_DUPFD_CLOEXEC, 50))


def test_sockets_replace_the_addresses(bearerd, systemd, good):
    lows = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    proxy, admin = map(high, lows)
    port, admin_port = proxy.getsockname()[1], admin.getsockname()[1]
    start_with(bearerd, [proxy, admin], "bearerd.socket:admin")
    systemd.wait("READY=1", timeout=20)
    with pytest.raises(ConnectionRefusedError):
        bearerd.client()
    bearerd.port, bearerd.admin_port = port, admin_port
    assert bearerd.get("/x").status == 200
    assert bearerd.admin("/readyz")[0] == 200
    assert bearerd.log_lines(f"listens on 127.0.0.1:{port}")
    seen = len(systemd.listen())
    bearerd.signal(signal.SIGHUP)  # what was passed stays
    systemd.wait("READY=1", seen)
    assert bearerd.get("/x").status == 200
    bearerd.stop()
    # The manager's own descriptors go on: connections wait there for the next start.
    waiting = socket.create_connection(("127.0.0.1", port), 5)
    waiting.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
    start_with(bearerd, [proxy, admin], "bearerd.socket:admin")
    assert wire.read_response(wire.Stream(waiting)).status == 200
    for one in (waiting, proxy, admin, *lows):
        one.close()


def test_a_socket_that_cannot_be_listened_on(bearerd):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        start_with(bearerd, [high(datagrams)], "")
        assert bearerd.wait_exit(20) == 1
    assert "ListenStream=" in bearerd.stderr


def bound(family, address):
    """A listening socket and its number from above those that are passed."""
    with socket.socket(family) as low:
        low.bind(address)
        low.listen()
        return high(low)


def close_all(sockets):
    for one in sockets:
        one.close()


def test_sockets_of_every_kind_are_passed(configure, systemd, provider, api, tls, tmp_path):
    """TLS over IPv6, a unix socket with its peer's uid, and one that is plain by its name."""
    cert, key = tls.files(tmp_path)
    shown = tls.files(tmp_path, "x", name="named", common_name="named")
    subject = x509.load_pem_x509_certificate(shown[0].read_bytes()).subject.rfc4514_string()
    path = tmp_path / "passed.sock"
    sockets = [bound(socket.AF_INET6, ("::1", 0)), bound(socket.AF_UNIX, str(path)),
               bound(socket.AF_INET, ("127.0.0.1", 0))]
    bearerd = configure(
        provider() + section("route all", {"provider": "idp", "upstream": api.origin})
        + section("caller local", {"unix_uid": os.getuid()})
        + section("caller named", {"tls_subject": subject}),
        server={"tls_cert": cert, "tls_key": key, "tls_client_ca": tls.ca_file})
    bearerd.environment["NOTIFY_SOCKET"] = str(systemd.path)
    start_with(bearerd, sockets, "bearerd.socket:bearerd.socket:plain")
    systemd.wait("READY=1", timeout=20)
    six, _, plain = (one.getsockname()[1] if one.family != socket.AF_UNIX else 0 for one in sockets)
    named = tls.client_context(*shown)

    def answers():
        for client, status in ((Client(six, host="::1", tls=named), 200),
                               (Client(six, host="::1", tls=tls.client_context()), 401),
                               (Client(path=path), 200), (Client(plain), 401)):
            with client:
                host = "localhost" if client.host == "::1" else None
                assert client.get("/x", host=host).status == status
        with pytest.raises(ConnectionRefusedError):
            bearerd.client()
    answers()
    seen = len(systemd.listen())
    bearerd.signal(signal.SIGHUP)
    systemd.wait("READY=1", seen)
    answers()
    assert bearerd.log_lines(f"listens on unix:{path} (systemd's)")
    bearerd.stop()
    assert path.exists()  # systemd's to remove
    close_all(sockets)


def test_an_open_socket_of_systemd_is_told_aloud(bearerd, systemd, good, api):
    """Its address is one that a Host field may name, as the file's addresses are."""
    sockets = [bound(socket.AF_INET, ("0.0.0.0", 0))]
    start_with(bearerd, sockets, "")
    systemd.wait("READY=1", timeout=20)
    port = sockets[0].getsockname()[1]
    assert bearerd.log_lines("warning", f"0.0.0.0:{port}, which is not loopback", "credentials")
    with Client(port) as client:
        assert client.get("/x", host=f"0.0.0.0:{port}").status == 200
        assert client.get("/x", host="192.0.2.1").status == 421
    seen = len(systemd.listen())
    bearerd.write_config(good + section("caller shop", {"unix_uid": 1, "unix_gid": 1}))
    bearerd.signal(signal.SIGHUP)
    systemd.wait("READY=1", seen)
    with Client(port) as client:
        assert client.get("/x").status == 401
    assert len(bearerd.log_lines("which is not loopback")) == 1
    bearerd.stop()
    close_all(sockets)
