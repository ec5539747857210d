#!/usr/bin/python3 -B
"""What a reload and a look at the metrics cost with many providers and routes.

First without load: a reload from the signal to the event log's line, the metrics from the request to
the last byte. Then under load, in turns without and with a HUP each second, each of which finds other
fields on every route. bearerd has core 0, the load and the API core 1, as in bench.py. Nothing passes
or fails on a time. Exit status: 0 measured, 1 something failed, 2 usage."""

import argparse
import http.client
import json
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from measure import check, load
from processes import BenchError, allow_descriptors, bound_time
from scenarios import SCENARIOS
from systems import Backend, Proxy

RELOADED, HUP_SECONDS, LINE_SECONDS = "configuration reloaded", 1.0, 30
FIGURES = {"p50_ms": "p50", "p99_ms": "p99", "p999_ms": "p99.9", "max_ms": "most"}


class Instance:
    """bench.py's bearerd with many providers and routes more, none of which is asked for."""

    def __init__(self, backend: Backend, options: argparse.Namespace):
        self.options = options
        self.scenario = SCENARIOS[options.scenario]
        self.proxy = Proxy("bearerd", backend, self.scenario, options.bearerd)
        self.path = backend.directory / "bearerd.conf"
        self.base = self.path.read_text()
        self.events = Path(f"{self.proxy.process.output}.err")
        self.version = 0
        self.write()

    def write(self) -> None:
        """Another version of the file, put in its place as a whole."""
        self.version += 1
        routes, providers = self.options.routes, self.options.providers
        text = [self.base]
        text += [f"[provider p{n}]\ntoken_url = https://p{n}.example/token\nscope = a b\n"
                 f"client_id = literal:id-{n}\nclient_secret = literal:secret-{n}\n"
                 f"header.X-Tenant = {n}\n" for n in range(providers - 1)]
        text += [f"[route r{n}]\npath = /r{n}/\nprovider = p{n % (providers - 1)}\n"
                 f"upstream = https://api{n}.example/v1/\nheader.X-Version = {self.version}\n"
                 for n in range(routes - 1)]
        new = self.path.with_suffix(".new")
        new.write_text("\n".join(text))
        new.replace(self.path)

    def reloads(self) -> int:
        return self.events.read_text().count(RELOADED)

    def reload(self) -> float:
        """One reload; the milliseconds it took, to a fifth of one."""
        with open(self.events) as events:
            events.seek(0, os.SEEK_END)
            began = time.monotonic()
            self.proxy.process.child.send_signal(signal.SIGHUP)
            said = ""
            while RELOADED not in said:
                said += events.read()
                if " error " in said or time.monotonic() > began + LINE_SECONDS:
                    raise BenchError(f"no reload:\n{said}")
                time.sleep(0.0002)
            return (time.monotonic() - began) * 1000

    def look(self) -> tuple[float, int]:
        """One look at the metrics: milliseconds and bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.admin_port, timeout=30)
        connection.connect()
        began = time.monotonic()
        connection.request("GET", "/metrics")
        size = len(connection.getresponse().read())
        took = (time.monotonic() - began) * 1000
        connection.close()
        return took, size

    @contextmanager
    def reloading(self):
        """A HUP each second, with another file each time."""
        over = threading.Event()

        def run() -> None:
            while not over.wait(HUP_SECONDS):
                self.write()
                self.proxy.process.child.send_signal(signal.SIGHUP)
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def turn(self, with_reloads: bool) -> dict:
        """One turn of load."""
        before = self.reloads()
        if with_reloads:
            with self.reloading():
                figures = load(self.proxy, self.scenario, self.options.seconds)
        else:
            figures = load(self.proxy, self.scenario, self.options.seconds)
        figures["reloads"] = self.reloads() - before
        if any(figures["errors"].values()):
            raise BenchError(f"requests failed: {figures['errors']}")
        if with_reloads and figures["reloads"] < self.options.seconds // 2:
            raise BenchError(f"only {figures['reloads']} reloads:\n{self.proxy.process.tail()}")
        return figures


def show(what: str, values: list[float]) -> None:
    print(f"{what}: median {statistics.median(values):.1f} ms, least {min(values):.1f}, "
          f"most {max(values):.1f}")


def show_turns(plain: list[dict], reloading: list[dict]) -> None:
    count = sum(turn["reloads"] for turn in reloading)
    others = max(turn["foreign_share"] for turn in plain + reloading)
    print(f"{len(plain)} pairs of turns, {sum(t['requests'] for t in plain)} requests without and "
          f"{sum(t['requests'] for t in reloading)} with {count} reloads; "
          f"others used at most {others:.0%} of bearerd's core")
    print("\n| | without | with a reload each second | quotient: median (least, most) |\n|---|---|---|---|")
    for key, name in FIGURES.items():
        quotients = [b[key] / a[key] for a, b in zip(plain, reloading)]
        print(f"| {name} | {statistics.median(t[key] for t in plain):.2f} ms "
              f"| {statistics.median(t[key] for t in reloading):.2f} ms "
              f"| {statistics.median(quotients):.2f} ({min(quotients):.2f}, {max(quotients):.2f}) |")


def run_turns(instance: Instance) -> tuple[list[dict], list[dict]]:
    """Pairs of turns; every second pair begins with the reloads."""
    turns: dict[bool, list[dict]] = {False: [], True: []}
    instance.turn(with_reloads=False)  # warms up
    for pair in range(instance.options.turns):
        for with_reloads in (pair % 2 == 1, pair % 2 == 0):
            turns[with_reloads].append(instance.turn(with_reloads))
    return turns[False], turns[True]


def measure(options: argparse.Namespace, folder: Path) -> None:
    backend = Backend(folder)
    try:
        backend.start()
        instance = Instance(backend, options)
        try:
            instance.proxy.start()
            check(instance.proxy, instance.scenario)
            print(f"{options.providers} providers, {options.routes} routes, {options.rounds} rounds")
            reloads = [instance.reload() for _ in range(options.rounds)]
            looks = [instance.look() for _ in range(options.rounds)]
            show("reload", reloads)
            show(f"/metrics, {looks[0][1] // 1000} kB", [took for took, _ in looks])
            plain, reloading = run_turns(instance) if options.turns else ([], [])
            if options.turns:
                show_turns(plain, reloading)
            if options.json:
                Path(options.json).write_text(json.dumps({
                    "providers": options.providers, "routes": options.routes,
                    "scenario": options.scenario, "reload_ms": reloads, "metrics": looks,
                    "without": plain, "with": reloading}, indent=1) + "\n")
        finally:
            instance.proxy.process.stop()
    finally:
        backend.process.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bearerd", default="build/release/bearerd")
    parser.add_argument("--providers", type=int, default=100)
    parser.add_argument("--routes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--scenario", default="get-32", choices=SCENARIOS)
    parser.add_argument("--turns", type=int, default=4, help="pairs of them; 0: no load")
    parser.add_argument("--seconds", type=int, default=5, help="of load in a turn")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    options = parser.parse_args()
    if options.providers < 2 or options.routes < 2 or options.rounds < 1 or options.seconds < 2:
        parser.error("at least 2 providers, 2 routes, 1 round and 2 seconds")
    bound_time(120 + 2 * (options.turns + 1) * (options.seconds + 30))
    allow_descriptors()
    if not os.access(options.bearerd, os.X_OK):
        parser.error(f"{options.bearerd} is missing: cmake --build --preset release")
    try:
        with tempfile.TemporaryDirectory() as folder:
            measure(options, Path(folder))
    except (BenchError, OSError) as error:
        print(f"reload: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
