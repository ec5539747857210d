#!/usr/bin/python3 -B
"""What many token sources cost: the control thread's processor time, and memory for each.

One bearerd whose tokens live a few seconds, one request to each source again and again, so that all
are renewed all the time; through a real redis-server and without, in turns. Memory is read after each
source has renewed its token. Nothing passes or fails on a time; a request that fails does. Exit
status: 0 measured, 1 something failed, 2 usage."""

import argparse
import base64
import http.client
import os
import re
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from processes import BenchError, Process, bound_time, free_port
from systems import nginx_argv, render, tool

CORES = "0,1"
CLIENT_PAUSE = 0.002
LIMIT_KIB = 64


@dataclass
class Figures:
    """Of one bearerd."""
    sources: int
    shared: bool
    rss_kib: int = 0
    heap_kib: int = 0
    control: float = 0.0  # share of one processor
    others: float = 0.0  # the same of all its other threads
    requests: float = 0.0  # token requests a second
    scripts: float = 0.0  # that Redis ran a second
    script_us: float = 0.0  # what one took it
    redis: float = 0.0  # share of one processor


def configuration(sources: int, port: int, admin: int, backend: int, store: str) -> str:
    text = [f"[server]\nlisten = 127.0.0.1:{port}\nadmin_listen = 127.0.0.1:{admin}\n"
            f"workers = 1\naccess_log = off\nlog_level = error\n{store}",
            f"[route none]\nprovider = none\nupstream = http://127.0.0.1:{backend}/api/\n"]
    text += [f"[provider p{n}]\ntoken_url = http://127.0.0.1:{backend}/token/{n}\n"
             f"client_id = literal:id-{n}\nclient_secret = literal:secret-{n}\n"
             f"[route r{n}]\npath = /r{n}/\nprovider = p{n}\n"
             f"upstream = http://127.0.0.1:{backend}/api/\n" for n in range(sources)]
    return "\n".join(text)


class Client:
    """Asks one source after the other, so that each token is used; on one connection."""

    def __init__(self, port: int, sources: int):
        self.sock = socket.create_connection(("127.0.0.1", port), 60)
        self.stream = self.sock.makefile("rb")
        self.sources, self.at, self.asked = sources, 0, 0

    def ask(self) -> None:
        self.sock.sendall(b"GET /r%d/x HTTP/1.1\r\nHost: localhost\r\n\r\n" % self.at)
        self.at = (self.at + 1) % self.sources
        self.asked += 1
        line, length = self.stream.readline(), 0
        while (field := self.stream.readline()) not in (b"\r\n", b""):
            if field.lower().startswith(b"content-length:"):
                length = int(field.split(b":")[1])
        body = self.stream.read(length)
        if b" 200 " not in line:
            raise BenchError(f"request {self.asked}: {line!r} {body[:300]!r}")

    def ask_for(self, seconds: float, pause: float) -> None:
        """One request after each pause; no load to speak of, as long as all come round in a life."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.ask()
            time.sleep(pause)


def metric(port: int, name: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.M))


def thread_us(pid: int) -> dict[int, float]:
    return {int(path.name): int((path / "schedstat").read_text().split()[0]) / 1000
            for path in Path(f"/proc/{pid}/task").iterdir()}


def heap_kib(pid: int) -> int:
    """Resident memory that is no file's: the heaps of all threads."""
    total, ours = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            ours = len(words) == 5 or words[5] == "[heap]"
        elif ours and words[0] == "Rss:":
            total += int(words[1])
    return total


class Redis:
    """Its own server, with nothing on a disk."""

    def __init__(self, folder: Path):
        self.port = free_port()
        self.process = Process("redis", [tool("redis-server"), "--port", str(self.port), "--bind",
                                         "127.0.0.1", "--save", "", "--dir", str(folder)], CORES,
                               folder / "redis.out")
        self.process.start()
        self.process.wait_port(self.port)

    def scripts(self) -> tuple[int, int]:
        """How many it has run, and the microseconds that they took."""
        done = subprocess.run(["redis-cli", "-p", str(self.port), "info", "commandstats"],
                              capture_output=True, text=True, check=True)
        found = re.search(r"cmdstat_eval:calls=(\d+),usec=(\d+)", done.stdout)
        return (int(found.group(1)), int(found.group(2))) if found else (0, 0)

    def section(self) -> str:
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        return f"[store]\nredis = redis://127.0.0.1:{self.port}\nkey = literal:{key}\n"


class Run:
    """One bearerd from its start to its end."""

    def __init__(self, options: argparse.Namespace, folder: Path, backend: int, sources: int,
                 redis: Redis | None):
        self.figures = Figures(sources, redis is not None)
        self.redis, self.options = redis, options
        self.port, self.admin = free_port(), free_port()
        path = folder / f"bearerd-{self.port}.ini"
        path.write_text(configuration(sources, self.port, self.admin, backend,
                                      redis.section() if redis else ""))
        self.process = Process("bearerd", [options.bearerd, "run", "-c", str(path)], CORES,
                               folder / f"bearerd-{self.port}.out")

    def measure(self) -> Figures:
        self.process.start()
        try:
            self.process.wait_port(self.port)
            if self.figures.sources:
                self.load()
            else:
                time.sleep(1)
            pid = self.process.child.pid
            self.figures.rss_kib, self.figures.heap_kib = self.process.rss_kib(), heap_kib(pid)
        finally:
            self.process.stop()
        return self.figures

    def load(self) -> None:
        client = Client(self.port, self.figures.sources)
        while client.asked < self.figures.sources:
            client.ask()
        pause = min(CLIENT_PAUSE, self.options.life / 4 / self.figures.sources)
        client.ask_for(self.options.life, pause)
        before, requested, began = self.snapshot(), self.requested(), time.monotonic()
        before = self.snapshot()  # what the look at the metrics took is not counted
        started = time.monotonic()
        client.ask_for(self.options.seconds, pause)
        took, after = time.monotonic() - started, self.snapshot()
        self.figures.requests = (self.requested() - requested) / (time.monotonic() - began)
        control, others, redis, scripts, us = (now - then for now, then in zip(after, before))
        self.figures.control, self.figures.others = control / took / 1e6, others / took / 1e6
        self.figures.redis, self.figures.scripts = redis / took / 1e6, scripts / took
        self.figures.script_us = us / scripts if scripts else 0.0

    def requested(self) -> float:
        return metric(self.admin, "bearerd_token_requests_total")

    def snapshot(self) -> tuple[float, ...]:
        pid = self.process.child.pid
        threads = thread_us(pid)
        control = threads.pop(pid)
        redis = (self.redis.process.cpu_us(), *self.redis.scripts()) if self.redis else (0, 0, 0)
        return (control, sum(threads.values()), *redis)


def median(runs: list[Figures], field: str) -> float:
    return statistics.median(getattr(run, field) for run in runs)


def report(options: argparse.Namespace, runs: list[Figures]) -> None:
    print(f"tokens of {options.token_bytes} bytes that live {options.life} s, {options.rounds} rounds of "
          f"{options.seconds} s; processor time as a share of one processor, medians")
    print("| sources | store | RSS MB | heap MB | RSS KiB per source | heap KiB per source "
          "| token requests/s | control thread | us per token request | other threads "
          "| Redis | scripts/s | us per script |\n|" + "---|" * 13)
    for shared in (False, True):
        base = [run for run in runs if run.shared == shared and not run.sources]
        for sources in options.sources:
            some = [run for run in runs if run.shared == shared and run.sources == sources]
            count, rate = sources or 1, median(some, "requests") or 1
            each = [(median(some, one) - median(base, one)) / count for one in
                    ("rss_kib", "heap_kib")]
            over = " (over the limit)" if max(each) > LIMIT_KIB else ""
            print(f"| {sources:,} | {'redis' if shared else 'none'} "
                  f"| {median(some, 'rss_kib') / 1024:.1f} | {median(some, 'heap_kib') / 1024:.1f} "
                  f"| {each[0]:.1f}{over} | {each[1]:.1f} | {median(some, 'requests'):.1f} "
                  f"| {100 * median(some, 'control'):.2f}% "
                  f"| {1e6 * median(some, 'control') / rate:.0f} "
                  f"| {100 * median(some, 'others'):.2f}% | {100 * median(some, 'redis'):.2f}% "
                  f"| {median(some, 'scripts'):.0f} | {median(some, 'script_us'):.0f} |")


def measure(options: argparse.Namespace, folder: Path) -> None:
    port = free_port()
    conf = render("tokens.conf", folder / "tokens.conf", {
        "DIR": folder, "PORT": port, "LIFE": options.life, "PADDING": "a" * (options.token_bytes - 33)})
    backend = Process("nginx", nginx_argv(folder, conf), CORES, folder / "nginx.out")
    redis, runs = None, []
    try:
        backend.start()
        backend.wait_port(port)
        redis = Redis(folder)
        for number in range(options.rounds):
            for sources in options.sources:
                for one in ((None, redis), (redis, None))[number % 2]:
                    runs.append(Run(options, folder, port, sources, one).measure())
                    if options.verbose:
                        print(runs[-1], file=sys.stderr)
    finally:
        backend.stop()
        if redis:
            redis.process.stop()
    report(options, runs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bearerd", default="build/release/bearerd")
    parser.add_argument("--sources", default="0,100,1000", help="how many, a list; 0 comes first")
    parser.add_argument("--life", type=int, default=10, help="seconds that a token lives")
    parser.add_argument("--token-bytes", type=int, default=1024)
    parser.add_argument("--seconds", type=int, default=10, help="that a round is measured")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="each run on stderr")
    options = parser.parse_args()
    options.sources = sorted({0, *map(int, options.sources.split(","))})
    bound_time(1200)
    if not os.access(options.bearerd, os.X_OK):
        parser.error(f"{options.bearerd} is missing: cmake --build --preset release")
    try:
        with tempfile.TemporaryDirectory() as folder:
            measure(options, Path(folder))
    except (BenchError, OSError, subprocess.CalledProcessError) as error:
        print(f"fleet_load: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
