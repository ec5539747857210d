"""Check that a proxy does its work, put load on it, and read what that cost."""

import hashlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from processes import BenchError, core_busy_us
from scenarios import LARGE_BYTES, Scenario
from systems import LOAD_CORE, PROXY_CORE, Proxy, large_bytes, small_json, tool

PARKED_PATH, PARKED_SECONDS = "/api/parked", 2
LOAD_SCRIPT = str(Path(__file__).resolve().parent / "load.lua")
CLIENT_HEADERS = {
    "Accept": "application/json",
    "Accept-Language": "en-GB,en;q=0.7",
    "User-Agent": "bearerd-bench/1.0 (wrk)",
}


def check(proxy: Proxy, scenario: Scenario) -> str:
    """One request of the scenario, checked byte for byte; returns the protocols on both sides.

    The backend answers 401 unless the token arrived, and exactly it: the client's own
    Authorization must not pass either."""
    body = b"x" * scenario.body_bytes or None
    expected = large_bytes() if scenario.answer_bytes == LARGE_BYTES else small_json().encode()
    answer = _request(proxy, scenario.method, scenario.path, body, {})
    if hashlib.sha256(answer).digest() != hashlib.sha256(expected).digest():
        raise BenchError(f"{proxy.name}: the answer to {scenario.method} {scenario.path} is not "
                         f"the backend's ({len(answer)} bytes instead of {len(expected)})")
    wire = _request(proxy, "GET", "/api/check", None, {"Authorization": "Bearer of-the-client"})
    return _client_wire(proxy) + json.loads(wire)["wire"].strip()


def _client_wire(proxy: Proxy) -> str:
    """Protocol and cipher of the client's side, or nothing."""
    if not proxy.tls_in:
        return ""
    connection = _connection(proxy)
    try:
        connection.connect()
        return " ".join(map(str, connection.sock.cipher())) + ", "
    finally:
        connection.close()


def resumes_sessions(proxy: Proxy) -> bool:
    """Whether a new TLS connection to the upstream takes up the session of one before it."""
    answers = [_request(proxy, "GET", "/api/session", None, {}) for _ in range(3)]
    return json.loads(answers[-1])["reused"] == "r"


def token_requests(proxy: Proxy) -> int:
    """How often bearerd has asked for a token so far."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.admin_port, timeout=30)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    return sum(int(line.split()[-1]) for line in lines
               if line.startswith("bearerd_token_requests_total"))


def idle_memory(proxy: Proxy, connections: int) -> dict:
    """What it costs to keep so many client connections that had one request each."""
    request = (f"GET /api/small HTTP/1.1\r\nHost: 127.0.0.1:{proxy.port}\r\n"
               + "".join(f"{name}: {value}\r\n" for name, value in CLIENT_HEADERS.items())
               + "\r\n").encode()
    before = proxy.process.rss_kib()
    with ExitStack() as stack:
        for _ in range(connections):
            sock = stack.enter_context(
                socket.create_connection(("127.0.0.1", proxy.port), timeout=30))
            sock.sendall(request)
            answer = sock.recv(65536)
            while not answer.endswith(b'"}'):
                piece = sock.recv(65536)
                if not piece:
                    raise BenchError(f"{proxy.name} closed a connection")
                answer += piece
            if not answer.startswith(b"HTTP/1.1 200"):
                raise BenchError(f"{proxy.name}: {answer[:100]!r}")
        after = proxy.process.rss_kib()
    return {"connections": connections, "rss_mb": after * 1024 / 1e6,
            "kib_each": (after - before) / connections}


def _connection(proxy: Proxy) -> http.client.HTTPConnection:
    if not proxy.tls_in:
        return http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    trust = ssl.create_default_context(cafile=str(proxy.ca))
    return http.client.HTTPSConnection("127.0.0.1", proxy.port, timeout=30, context=trust)


def _request(proxy: Proxy, method: str, path: str, body: bytes | None, extra: dict) -> bytes:
    connection = _connection(proxy)
    try:
        connection.request(method, path, body=body, headers=CLIENT_HEADERS | extra)
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{proxy.name}: {method} {path}: {error}\n"
                         f"{proxy.process.tail()}") from error
    finally:
        connection.close()
    if response.status != 200:
        hint = " (the token did not arrive upstream)" if response.status == 401 else ""
        raise BenchError(f"{proxy.name}: {method} {path} got {response.status}{hint}\n"
                         f"{content[:500].decode(errors='replace')}\n{proxy.process.tail()}")
    return content


@contextmanager
def parked_requests(proxy: Proxy, scenario: Scenario, seconds: int) -> Iterator[list[dict]]:
    """The scenario's clients with slow requests, around its load; their figures come at the end."""
    results: list[dict] = []
    if not scenario.parked:
        yield results
        return
    slow = replace(scenario, path=PARKED_PATH, clients=scenario.parked)
    with _wrk(proxy, slow, seconds + PARKED_SECONDS) as wrk:
        time.sleep(PARKED_SECONDS / 2)  # by then all are connected and wait
        yield results
        results.append(_wrk_result(proxy, wrk.communicate(timeout=seconds + 30)[0]))


def load(proxy: Proxy, scenario: Scenario, seconds: int) -> dict:
    """Put one round's load on it and return the figures; it never judges them.

    One request goes before it: while the others had their turns a token may have died."""
    _request(proxy, "GET", "/api/check", None, {})
    process = proxy.process
    cpu, ticks = process.cpu_us(), process.ticks()
    with parked_requests(proxy, scenario, seconds) as parked:
        figures = _load(proxy, scenario, seconds)
    requests = figures["answers"]
    for result in parked:  # their work is in the time, so they are among the requests
        requests += result["requests"]
        figures["errors"] = {kind: count + result["errors"][kind]
                             for kind, count in figures["errors"].items()}
    cost = (process.cpu_us() - cpu) / requests if requests else 0.0
    return figures | {"cpu_us": cost, "user_us": cost * process.user_share(ticks),
                      "log_lines": _count_lines(proxy.log)}


@contextmanager
def _wrk(proxy: Proxy, scenario: Scenario, seconds: int) -> Iterator[subprocess.Popen]:
    wrk = subprocess.Popen(_wrk_argv(proxy, scenario, seconds), stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
    try:
        yield wrk
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{proxy.name}: wrk did not end in time") from error
    finally:
        wrk.kill()
        wrk.wait()


def _load(proxy: Proxy, scenario: Scenario, seconds: int) -> dict:
    process, started = proxy.process, time.monotonic()
    cpu, busy = process.cpu_us(), core_busy_us(PROXY_CORE)
    try:
        with _wrk(proxy, scenario, seconds) as wrk:
            time.sleep(seconds / 2)
            rss = process.rss_kib()
            output, _ = wrk.communicate(timeout=seconds + 30)
    except FileNotFoundError as error:
        raise BenchError(f"{proxy.name} died under load\n{process.tail()}") from error
    if process.child.poll() is not None:
        raise BenchError(f"{proxy.name} died under load\n{process.tail()}")
    cpu, busy = process.cpu_us() - cpu, core_busy_us(PROXY_CORE) - busy
    wall = (time.monotonic() - started) * 1e6
    result = _wrk_result(proxy, output)
    requests = _requests(result, scenario)
    return {
        "requests": result["requests"],
        "answers": requests,
        "per_second": requests / (result["wall_us"] / 1e6),
        "p50_ms": result["p50_us"] / 1000,
        "p99_ms": result["p99_us"] / 1000,
        "p999_ms": result["p999_us"] / 1000,
        "max_ms": result["max_us"] / 1000,
        "errors": result["errors"],
        "waited": result["requests"] * result["mean_us"] / result["wall_us"] / scenario.clients,
        "core_share": cpu / wall,
        "foreign_share": max(0.0, busy - cpu) / wall,
        "rss_mb": rss * 1024 / 1e6,
    }


def _wrk_argv(proxy: Proxy, scenario: Scenario, seconds: int) -> list[str]:
    scheme = "https" if proxy.tls_in else "http"
    headers = [word for item in CLIENT_HEADERS.items() for word in ("-H", ": ".join(item))]
    return ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(LOAD_CORE), tool("wrk"),
            "-t", "1", "-c", str(scenario.clients), "-d", str(seconds), "--timeout", "10", *headers,
            "-s", LOAD_SCRIPT, f"{scheme}://127.0.0.1:{proxy.port}{scenario.path}",
            "--", scenario.method, str(scenario.body_bytes)]


def _wrk_result(proxy: Proxy, output: str) -> dict:
    for line in output.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    raise BenchError(f"{proxy.name}: no result from wrk:\n{output}")


def _requests(result: dict, scenario: Scenario) -> float:
    """Answers received. wrk stops in the middle of some; with few long ones that part counts."""
    if scenario.answer_bytes == LARGE_BYTES:
        return result["bytes"] / scenario.answer_bytes
    return result["requests"]


def _count_lines(log: Path) -> int:
    """Count and drop the lines written so far: a run writes gigabytes otherwise."""
    lines = 0
    with open(log, "rb+") as file:
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
        os.ftruncate(file.fileno(), 0)
    return lines
