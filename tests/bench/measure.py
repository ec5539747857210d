"""Check that a proxy does its work, put load on it, and read what that cost."""

import hashlib
import http.client
import json
import os
import subprocess
import time
from pathlib import Path

from processes import BenchError, core_busy_us
from scenarios import LARGE_BYTES, Scenario
from systems import LOAD_CORE, PROXY_CORE, Proxy, large_bytes, small_json, tool

LOAD_SCRIPT = str(Path(__file__).resolve().parent / "load.lua")
CLIENT_HEADERS = {
    "Accept": "application/json",
    "Accept-Language": "en-GB,en;q=0.7",
    "User-Agent": "bearerd-bench/1.0 (wrk)",
}


def check(proxy: Proxy, scenario: Scenario) -> str:
    """One request of the scenario, checked byte for byte; returns what protocol the backend saw.

    The backend answers 401 unless the token arrived, and exactly it: the client's own
    Authorization must not pass either."""
    body = b"x" * scenario.body_bytes or None
    expected = large_bytes() if scenario.answer_bytes == LARGE_BYTES else small_json().encode()
    answer = _request(proxy, scenario.method, scenario.path, body, {})
    if hashlib.sha256(answer).digest() != hashlib.sha256(expected).digest():
        raise BenchError(f"{proxy.name}: the answer to {scenario.method} {scenario.path} is not "
                         f"the backend's ({len(answer)} bytes instead of {len(expected)})")
    wire = _request(proxy, "GET", "/api/check", None, {"Authorization": "Bearer of-the-client"})
    return json.loads(wire)["wire"].strip()


def _request(proxy: Proxy, method: str, path: str, body: bytes | None, extra: dict) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
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


def load(proxy: Proxy, scenario: Scenario, seconds: int) -> dict:
    """Run wrk once and return one round's figures; it never judges them."""
    process, started = proxy.process, time.monotonic()
    cpu, ticks, busy = process.cpu_us(), process.ticks(), core_busy_us(PROXY_CORE)
    wrk = subprocess.Popen(_wrk_argv(proxy, scenario, seconds), stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
    try:
        time.sleep(seconds / 2)
        rss = process.rss_kib()
        output, _ = wrk.communicate(timeout=seconds + 30)
    except FileNotFoundError as error:
        raise BenchError(f"{proxy.name} died under load\n{process.tail()}") from error
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{proxy.name}: wrk did not end in time") from error
    finally:
        wrk.kill()
        wrk.wait()
    if process.child.poll() is not None:
        raise BenchError(f"{proxy.name} died under load\n{process.tail()}")
    cpu, busy = process.cpu_us() - cpu, core_busy_us(PROXY_CORE) - busy
    wall = (time.monotonic() - started) * 1e6
    result = _wrk_result(proxy, output)
    requests = _requests(result, scenario)
    return {
        "requests": result["requests"],
        "cpu_us": cpu / requests if requests else 0.0,
        "user_us": cpu / requests * process.user_share(ticks) if requests else 0.0,
        "per_second": requests / (result["wall_us"] / 1e6),
        "p50_ms": result["p50_us"] / 1000,
        "p99_ms": result["p99_us"] / 1000,
        "max_ms": result["max_us"] / 1000,
        "errors": result["errors"],
        "waited": result["requests"] * result["mean_us"] / result["wall_us"] / scenario.clients,
        "core_share": cpu / wall,
        "foreign_share": max(0.0, busy - cpu) / wall,
        "rss_mb": rss * 1024 / 1e6,
        "log_lines": _count_lines(proxy.log),
    }


def _wrk_argv(proxy: Proxy, scenario: Scenario, seconds: int) -> list[str]:
    headers = [word for item in CLIENT_HEADERS.items() for word in ("-H", ": ".join(item))]
    return ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(LOAD_CORE), tool("wrk"),
            "-t", "1", "-c", str(scenario.clients), "-d", str(seconds), "--timeout", "10", *headers,
            "-s", LOAD_SCRIPT, f"http://127.0.0.1:{proxy.port}{scenario.path}",
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
