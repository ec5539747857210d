#!/usr/bin/python3 -B
"""bearerd, nginx and HAProxy side by side: processor time per request and what goes with it.

Exit status: 0 measured, 1 something failed (no start, no token upstream, a failed request),
2 usage. Never a time: this compares, it does not judge."""

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import record
import report
from measure import check, idle_memory, load, resumes_sessions, token_requests
from processes import BenchError, allow_descriptors, bound_time
from scenarios import SCENARIOS, Scenario
from systems import SYSTEMS, Backend, Proxy, is_bearerd, version

USUAL_SYSTEMS = ("bearerd", "nginx", "haproxy")
WARM_UP_SECONDS = 1
START_SECONDS = 60  # generous bound on starting, checking and ending the systems of a scenario


def names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", type=names, action="extend", default=None, metavar="NAME,…",
                        help=f"default: all of {', '.join(SCENARIOS)}")
    parser.add_argument("--systems", type=names, metavar="NAME,…",
                        help=f"instead of each scenario's own, out of {', '.join(SYSTEMS)}")
    parser.add_argument("--rounds", type=int, help="default: 5, with --record 3")
    parser.add_argument("--seconds", type=int,
                        help="of load, per system and round (rotation: three times that); default: "
                             "2, with --record 1")
    parser.add_argument("--bearerd", metavar="PATH", help="the binary to measure")
    parser.add_argument("--before", metavar="PATH", help="another build, the system `before`")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    parser.add_argument("--record", action="store_true",
                        help="keep the figures in results/, and redraw tables and plots")
    args = parser.parse_args()
    if args.record and (args.scenario or args.systems):
        parser.error("--record is for all scenarios with their own systems")
    args.rounds = args.rounds or (3 if args.record else 5)
    args.seconds = args.seconds or (1 if args.record else 2)
    args.scenario = args.scenario or list(SCENARIOS)
    for given, known in ((args.scenario, SCENARIOS), (args.systems or (), SYSTEMS)):
        for name in given:
            if name not in known:
                parser.error(f"{name} is not one of {', '.join(known)}")
    if args.rounds < 1 or args.seconds < 1:
        parser.error("--rounds and --seconds must be at least 1")
    if not args.bearerd and any(is_bearerd(n) for s in args.scenario for n in systems(s, args)):
        parser.error("give bearerd's path with --bearerd, or leave it out with --systems")
    return args


def systems(scenario: str, args: argparse.Namespace) -> tuple[str, ...]:
    return tuple(args.systems or SCENARIOS[scenario].systems or USUAL_SYSTEMS)


def binary(name: str, args: argparse.Namespace) -> str | None:
    return args.before if name == "before" else args.bearerd


def run_scenario(scenario: Scenario, args: argparse.Namespace, directory: Path) -> dict:
    """All rounds of one scenario, on freshly started systems."""
    with ExitStack() as stack:
        backend = Backend(directory)
        stack.callback(backend.process.stop)
        backend.start()
        proxies = {}
        for name in systems(scenario.name, args):
            proxies[name] = proxy = Proxy(name, backend, scenario, binary(name, args))
            stack.callback(proxy.process.stop)
            proxy.start()
        result = {"name": scenario.name, "title": scenario.title, "clients": scenario.clients,
                  "wires": {name: check(proxy, scenario) for name, proxy in proxies.items()},
                  "base_rss_mb": {name: proxy.process.rss_kib() * 1024 / 1e6
                                  for name, proxy in proxies.items()}}
        if scenario.idle:
            return result | {"idle": {name: idle_memory(proxy, scenario.idle)
                                      for name, proxy in proxies.items()}}
        return result | run_load(scenario, args, proxies)


def run_load(scenario: Scenario, args: argparse.Namespace, proxies: dict) -> dict:
    warm_up = {name: load(proxy, scenario, WARM_UP_SECONDS) for name, proxy in proxies.items()}
    rounds = measure_rounds(scenario, args, proxies)
    result = {"warm_up": warm_up, "rounds": rounds, "summary": report.summarise(rounds),
              "ratios": report.ratios(rounds)}
    if scenario.reconnects:
        result["resumed"] = {name: resumes_sessions(p) for name, p in proxies.items()}
    if scenario.rotating:
        result["token_requests"] = {name: token_requests(p) for name, p in proxies.items()}
    return result


def measure_rounds(scenario: Scenario, args: argparse.Namespace, proxies: dict) -> dict:
    """The systems take turns, and another one begins each round."""
    rounds: dict[str, list[dict]] = {name: [] for name in proxies}
    order = list(proxies)
    for turn in range(args.rounds):
        start = turn % len(order)
        for name in order[start:] + order[:start]:
            rounds[name].append(load(proxies[name], scenario, args.seconds * scenario.stretch))
    return rounds


def scenario_stalls(clients: int, runs: list[dict]) -> bool:
    """wrk counts a request that never gets its answer neither as answered nor as failed. But
    clients always wait for some answer: where the answers' times add up to far less than the
    run, requests hung. With many clients one that hangs does not show, so only few are judged."""
    return clients == 1 and any(run["waited"] < 0.5 for run in runs)


def complaints(result: dict) -> list[str]:
    """What makes a scenario's figures worthless."""
    found = []
    if len(set(result["wires"].values())) > 1:
        found.append(f"the systems speak different protocols: {result['wires']}")
    if not all(result.get("resumed", {}).values()):
        found.append(f"TLS sessions were not resumed: {result['resumed']}")
    if result.get("token_requests", {}).get("bearerd-rotating", 2) < 2:
        found.append("the token did not change meanwhile")
    for name, row in result.get("summary", {}).items():
        runs = [result["warm_up"][name], *result["rounds"][name]]
        failed = {kind: count for kind in runs[0]["errors"]
                  if (count := sum(run["errors"][kind] for run in runs))}
        if failed:
            found.append(f"{name}: requests failed: {failed}")
        if scenario_stalls(result["clients"], runs):
            found.append(f"{name}: requests were left without an answer until the load ended; see "
                         "`waited` in the JSON")
        if not row["requests"]:
            found.append(f"{name}: no request was answered")
        unfinished = result["clients"] * len(runs)  # counted as requests, logged in the next round
        if row["log_lines"] + unfinished < 0.95 * row["requests"]:
            found.append(f"{name}: {row['requests']} requests, but only {row['log_lines']} "
                         "lines in its access log")
    return found


def time_limit(args: argparse.Namespace) -> int:
    rounds = args.rounds * (args.seconds * 3 + 5)
    return len(args.scenario) * (START_SECONDS + len(SYSTEMS) * (WARM_UP_SECONDS + 5 + rounds))


def main() -> int:
    args = arguments()
    allow_descriptors()
    bound_time(time_limit(args))
    used = dict.fromkeys(name for scenario in args.scenario for name in systems(scenario, args))
    versions = {name: version(name, binary(name, args)) for name in used}
    document = {"machine": report.machine(), "versions": versions, "seconds": args.seconds,
                "rounds": args.rounds, "scenarios": []}
    print(f"{document['machine']['date']}  {document['machine']['cpu']}, "
          f"{document['machine']['cores']} cores; "
          + "; ".join(dict.fromkeys(versions.values())))
    print(f"medians of {args.rounds} rounds of {args.seconds} s")
    bad = []
    for name in args.scenario:
        with tempfile.TemporaryDirectory(prefix="bearerd-bench-") as directory:
            result = run_scenario(SCENARIOS[name], args, Path(directory))
        document["scenarios"].append(result)
        title = f"\n{name}: {result['title']}"
        if "idle" in result:
            print(report.idle_table(title, result["idle"]), flush=True)
        else:
            print(report.table(title, result["summary"], result["ratios"]), flush=True)
        bad += [f"{name}: {text}" for text in complaints(result)]
    if args.json:
        Path(args.json).write_text(json.dumps(document, indent=1) + "\n")
    if args.record and not bad:
        record.keep(document)
    for text in bad:
        print(f"bench: {text}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BenchError, OSError) as problem:
        sys.exit(f"bench: {problem}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
