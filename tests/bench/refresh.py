#!/usr/bin/python3 -B
"""Does a refresh show? Latencies while tokens of a few seconds change, beside those with one token.

Two bearerd of the same binary take turns under the same load: one whose token lives an hour, one
whose tokens live 4 s and take 500 ms to get. Exit status: 0 measured, 1 something failed (no start,
a failed request, a token that was not renewed), 2 usage. Never a time: this compares, it does not
judge."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from processes import BenchError, Process, bound_time, free_port
from systems import LOAD_CORE, PROXY_CORE, TOKEN, Backend, tool

LOAD_SCRIPT = str(Path(__file__).resolve().parent / "load.lua")
FIGURES = ("p50_us", "p99_us", "max_us")
WARM_UP_SECONDS = 1  # of load right before each measured one: the first token is not the question

CONFIGURATION = """\
[server]
listen       = 127.0.0.1:{port}
admin_listen = off
workers      = 1
access_log   = {log}

[provider bench]
token_url     = http://127.0.0.1:{token_port}/token
client_id     = literal:bench
client_secret = literal:throw-away

[route bench]
path     = /api/
provider = bench
upstream = http://127.0.0.1:{api_port}/api/
"""


class TokenEndpoint:
    """Hands out the token that the backend wants, after a while, and counts."""

    def __init__(self, lifetime: int, delay: float):
        self.count = 0
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint.count += 1
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                time.sleep(delay)
                body = json.dumps({"access_token": TOKEN, "token_type": "Bearer",
                                   "expires_in": lifetime}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                try:
                    self.end_headers()
                    self.wfile.write(body)
                except ConnectionError:
                    pass  # the run is over, and bearerd was stopped meanwhile

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Side:
    """One bearerd with its token endpoint."""

    def __init__(self, name: str, lifetime: int, binary: str, backend: Backend, delay: float):
        self.name, self.lifetime = name, lifetime
        self.endpoint = TokenEndpoint(lifetime, delay)
        self.port = free_port()
        self.rounds: list[dict] = []
        self.log = backend.directory / f"{name}.log"
        ini = backend.directory / f"{name}.ini"
        ini.write_text(CONFIGURATION.format(port=self.port, log=self.log,
                                            token_port=self.endpoint.port,
                                            api_port=backend.plain_port))
        self.process = Process(name, [binary, "run", "-c", str(ini)], PROXY_CORE,
                               backend.directory / f"{name}.out")

    def start(self) -> None:
        self.process.start()
        self.process.wait_port(self.port)

    def stop(self) -> None:
        self.process.stop()
        self.endpoint.stop()

    def load(self, clients: int, seconds: int) -> dict:
        """wrk's figures of one run."""
        argv = ["taskset", "-c", str(LOAD_CORE), tool("wrk"), "-t1", f"-c{clients}",
                f"-d{seconds}s", "--timeout", "30s", "-s", LOAD_SCRIPT,
                f"http://127.0.0.1:{self.port}/api/small", "--", "GET", "0"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 60)
        for line in done.stdout.splitlines():
            if line.startswith("RESULT "):
                return json.loads(line.removeprefix("RESULT "))
        raise BenchError(f"wrk said nothing:\n{done.stdout}{done.stderr}\n{self.process.tail()}")

    def run_round(self, clients: int, seconds: int) -> None:
        warm_up = self.load(clients, WARM_UP_SECONDS)
        before = self.endpoint.count
        run = self.load(clients, seconds)
        run["token_requests"] = self.endpoint.count - before
        run["failed"] = sum(run["errors"].values()) + sum(warm_up["errors"].values())
        self.rounds.append(run)
        os.truncate(self.log, 0)  # a run writes gigabytes otherwise

    def complaints(self, seconds: int) -> list[str]:
        found = []
        failed = sum(run["failed"] for run in self.rounds)
        if failed:
            found.append(f"{self.name}: {failed} requests failed")
        if any(run["requests"] == 0 for run in self.rounds):
            found.append(f"{self.name}: no request was answered")
        least = seconds // self.lifetime
        if any(run["token_requests"] < least for run in self.rounds):
            found.append(f"{self.name}: fewer than {least} token requests in a round: the token "
                         "was not renewed")
        return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bearerd", required=True, metavar="PATH", help="the binary to measure")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=20, help="of load, per side and round")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--lifetime", type=int, default=4, help="of the short tokens, in seconds")
    parser.add_argument("--delay", type=float, default=0.5, help="of the token endpoint")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    args = parser.parse_args()
    if min(args.rounds, args.seconds, args.clients, args.lifetime) < 1:
        parser.error("rounds, seconds, clients and lifetime must be at least 1")
    args.bearerd = str(Path(args.bearerd).resolve())
    return args


def measure(args: argparse.Namespace, directory: Path) -> list[Side]:
    with ExitStack() as stack:
        backend = Backend(directory)
        stack.callback(backend.process.stop)
        backend.start()
        sides = []
        for name, lifetime in (("lasting", 3600), ("changing", args.lifetime)):
            side = Side(name, lifetime, args.bearerd, backend, args.delay)
            stack.callback(side.stop)
            side.start()
            sides.append(side)
        for number in range(args.rounds):
            for side in sides if number % 2 == 0 else reversed(sides):
                side.run_round(args.clients, args.seconds)
    return sides


def show(sides: list[Side]) -> dict:
    """Prints a line per side and the quotients; returns the latter."""
    print(f"{'token':<10}{'req/s':>9}{'p50 us':>9}{'p99 us':>9}{'max us':>9}{'errors':>8}"
          f"{'token requests':>16}")
    for side in sides:
        rate = statistics.median(run["requests"] * 1e6 / run["wall_us"] for run in side.rounds)
        figures = [statistics.median(run[figure] for run in side.rounds) for figure in FIGURES]
        print(f"{side.name:<10}{rate:>9.0f}" + "".join(f"{figure:>9.0f}" for figure in figures)
              + f"{sum(run['failed'] for run in side.rounds):>8}"
              + f"{sum(run['token_requests'] for run in side.rounds):>16}")
    quotients = {}
    for figure in FIGURES:
        pairs = zip(sides[1].rounds, sides[0].rounds)
        quotients[figure] = [one[figure] / other[figure] for one, other in pairs]
    print("changing/lasting, median of the rounds (each round): " + "; ".join(
        f"{figure[:-3]} {statistics.median(values):.2f} "
        f"({', '.join(f'{value:.2f}' for value in values)})"
        for figure, values in quotients.items()))
    return quotients


def main() -> int:
    args = arguments()
    bound_time(60 + 2 * args.rounds * (args.seconds + WARM_UP_SECONDS + 15))
    print(f"{args.clients} clients, {args.rounds} rounds of {args.seconds} s in turns; tokens of "
          f"{args.lifetime} s and {args.delay * 1000:.0f} ms to get one; load average "
          f"{os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="bearerd-refresh-") as directory:
        sides = measure(args, Path(directory))
    quotients = show(sides)
    if args.json:
        Path(args.json).write_text(json.dumps(
            {"rounds": {side.name: side.rounds for side in sides}, "quotients": quotients}))
    bad = [text for side in sides for text in side.complaints(args.seconds)]
    for text in bad:
        print(f"error: {text}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"error: {error}")
