"""Start, watch and end the processes of a run, and read what they cost from /proc."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """The run cannot go on: something does not start, or answers wrongly."""


def bound_time(seconds: int) -> None:
    """Whatever happens, the run ends, and by SystemExit: processes are stopped, files removed."""
    def give_up(number: int, _frame: object) -> None:
        sys.exit(f"stopped by {signal.Signals(number).name}")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, give_up)
    signal.alarm(seconds)


def allow_descriptors() -> None:
    """As many as may be had, for this program and its children."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Process:
    """One pinned child. It dies with this program, even if that is killed."""

    def __init__(self, name: str, argv: list[str], cores: str, output: Path):
        self.name = name
        self.argv = ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", cores, *argv]
        self.output = output
        self.child: subprocess.Popen | None = None

    def start(self) -> None:
        with open(self.output, "ab") as out, open(f"{self.output}.err", "ab") as err:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=err, start_new_session=True)

    def wait_port(self, port: int, seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while True:
            if self.child.poll() is not None:
                raise BenchError(f"{self.name} ended with {self.child.returncode}\n{self.tail()}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise BenchError(f"{self.name} does not listen on port {port} after "
                                     f"{seconds:.0f} s\n{self.tail()}") from None
                time.sleep(0.01)

    def stop(self, seconds: float = 5.0) -> None:
        """Ask, then insist."""
        if self.child is None or self.child.poll() is not None:
            return
        self.child.terminate()
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def tail(self, limit: int = 2000) -> str:
        """The end of what it wrote to stderr, for error messages."""
        return Path(f"{self.output}.err").read_text(errors="replace")[-limit:]

    def pids(self) -> list[int]:
        """The process and its descendants."""
        found, pending = [], [self.child.pid]
        while pending:
            pid = pending.pop()
            found.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                pending += [int(word) for word in children.read_text().split()]
        return found

    def cpu_us(self) -> float:
        """On-CPU time so far of all threads of all its processes."""
        try:
            return sum(_schedstat_us(pid) for pid in self.pids())
        except FileNotFoundError:
            return sum(sum(ticks_us(pid)) for pid in self.pids())

    def user_share(self, before: list[tuple[int, int]]) -> float:
        """Part of the time since `before` (an earlier ticks()) that was spent outside the kernel."""
        user = sum(t[0] for t in self.ticks()) - sum(t[0] for t in before)
        system = sum(t[1] for t in self.ticks()) - sum(t[1] for t in before)
        return user / (user + system) if user + system else 0.0

    def ticks(self) -> list[tuple[int, int]]:
        return [ticks_us(pid) for pid in self.pids()]

    def rss_kib(self) -> int:
        return sum(_rss_kib(pid) for pid in self.pids())


def _schedstat_us(pid: int) -> float:
    total = 0
    for path in Path(f"/proc/{pid}/task").iterdir():
        total += int((path / "schedstat").read_text().split()[0])
    return total / 1000


def ticks_us(pid: int) -> tuple[int, int]:
    """User and system time of one process, by the kernel's ticks (coarse)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) * TICK_US, int(fields[12]) * TICK_US


def _rss_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def core_busy_us(core: int) -> int:
    """Time that a core was not idle, whoever used it, steal included."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            values = [int(field) * TICK_US for field in fields[:8]]
            return sum(values) - values[3] - values[4]
    return 0
