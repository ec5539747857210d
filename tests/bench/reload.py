#!/usr/bin/python3 -B
"""How long a reload and a look at the metrics take with many providers and routes.

One bearerd, without load. A reload is measured from the signal to the event log's line, through a
pipe; the metrics from the request to the last byte. Nothing passes or fails on a time. Exit status: 0
measured, 1 something failed, 2 usage."""

import argparse
import http.client
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from processes import BenchError, bound_time, free_port


def configuration(port: int, admin_port: int, providers: int, routes: int) -> str:
    text = [f"[server]\nlisten = 127.0.0.1:{port}\nadmin_listen = 127.0.0.1:{admin_port}\n"
            "workers = 2\naccess_log = off\n"]
    text += [f"[provider p{n}]\ntoken_url = https://p{n}.example/token\nscope = a b\n"
             f"client_id = literal:id-{n}\nclient_secret = literal:secret-{n}\n"
             f"header.X-Tenant = {n}\n" for n in range(providers)]
    text += [f"[route r{n}]\npath = /r{n}/\nprovider = p{n % providers}\n"
             f"upstream = https://api{n}.example/v1/\n" for n in range(routes)]
    return "\n".join(text)


def wait_line(stream, word: str) -> None:
    for line in stream:
        if word in line:
            return
        if " error " in line:
            raise BenchError(line)
    raise BenchError("bearerd has ended")


def reload_ms(process: subprocess.Popen) -> float:
    began = time.monotonic()
    process.send_signal(signal.SIGHUP)
    wait_line(process.stderr, "configuration reloaded")
    return (time.monotonic() - began) * 1000


def metrics_ms(port: int) -> tuple[float, int]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.connect()
    began = time.monotonic()
    connection.request("GET", "/metrics")
    body = connection.getresponse().read()
    took = (time.monotonic() - began) * 1000
    connection.close()
    return took, len(body)


def show(what: str, values: list[float]) -> None:
    print(f"{what}: median {statistics.median(values):.1f} ms, least {min(values):.1f}, "
          f"most {max(values):.1f}")


def measure(options: argparse.Namespace, folder: Path) -> None:
    port, admin_port = free_port(), free_port()
    path = folder / "bearerd.ini"
    path.write_text(configuration(port, admin_port, options.providers, options.routes))
    with subprocess.Popen([options.bearerd, "run", "-c", str(path)], stderr=subprocess.PIPE,
                          text=True) as process:
        try:
            wait_line(process.stderr, "health and metrics on")
            print(f"{options.providers} providers, {options.routes} routes, {options.rounds} rounds")
            show("reload", [reload_ms(process) for _ in range(options.rounds)])
            looks = [metrics_ms(admin_port) for _ in range(options.rounds)]
            show(f"/metrics, {looks[0][1] // 1000} kB", [took for took, _ in looks])
        finally:
            process.terminate()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bearerd", default="build/release/bearerd")
    parser.add_argument("--providers", type=int, default=100)
    parser.add_argument("--routes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    bound_time(300)
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
