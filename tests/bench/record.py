#!/usr/bin/python3 -B
"""The recorded run: keep it, and make the tables and plots of the documents from it.

    tests/bench/record.py            draw tables and plots again
    tests/bench/record.py --check    fail if they are not what the record says"""

import json
import subprocess
import sys
from pathlib import Path

import plots
import report

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent.parent
RECORD = BENCH / "results" / "results.json"
BEGIN, END = "<!-- made by tests/bench/record.py: begin -->", "<!-- end -->"
PEERS = ("nginx", "haproxy")
SHORT = ("get-32", "get-256", "post-32", "post-256", "tls-32", "tls-256", "tls-post-32",
         "tls-post-256")


def keep(document: dict) -> None:
    """This run becomes the record."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True,
                          capture_output=True)
    document = document | {"commit": done.stdout.strip() or "?"}
    lines = [json.dumps({k: v for k, v in document.items() if k != "scenarios"})[:-1]
             + ', "scenarios": [',
             ",\n".join(json.dumps(_rounded(s)) for s in document["scenarios"]), "]}", ""]
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text("\n".join(lines))
    for path, text in made(json.loads(RECORD.read_text())).items():
        path.write_text(text)


def _rounded(value):
    """Four figures are more than a run is good for."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


def made(document: dict) -> dict[Path, str]:
    """Everything that follows from the record."""
    texts = {BENCH / "README.md": "\n\n".join(
                 (_machine(document), _loads(document), _idle(document), _others(document))),
             ROOT / "README.md": _short(document)}
    return {RECORD.parent / "costs.svg": plots.costs(document, list(SHORT)),
            RECORD.parent / "quotients.svg": plots.quotients(document)} | {
            path: _between(path.read_text(), text) for path, text in texts.items()}


def _between(document: str, text: str) -> str:
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"the line {BEGIN} or {END} is missing")
    return f"{before}{begin}\n{text}\n{end}{after}"


def _foreign(document: dict) -> float:
    return max(row["foreign_share"] for s in document["scenarios"]
               for row in s.get("summary", {}).values())


def _machine(document: dict) -> str:
    at, busy = document["machine"], _foreign(document)
    versions = "; ".join(dict.fromkeys(v.partition(" 20")[0] for v in document["versions"].values()))
    text = (f"{at['cpu']}, {at['cores']} virtual cores, Linux {at['kernel']}; {versions} (bearerd at "
            f"{document['commit']}); {at['date'][:10]}; `scripts/bench --record`: medians of "
            f"{document['rounds']} rounds of {document['seconds']} s. Others used at most "
            f"{busy:.0%} of the proxy's core.")
    if busy > 0.05:
        text += (" **The machine was busy**: read the quotients, which compare within a round; "
                 "requests per second and latencies mean little.")
    return text


def _cost(value: float) -> str:
    return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


def _three(summary: dict, figure: str, form: str) -> str:
    return ", ".join(format(summary[name][figure], form) for name in ("bearerd", *PEERS))


def _quotient(values: list[float]) -> str:
    return f"{report.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _loads(document: dict) -> str:
    lines = ["| scenario | bearerd µs | nginx µs | HAProxy µs | bearerd/nginx | bearerd/HAProxy | "
             "req/s | p50 ms | p99 ms | RSS MB | errors |",
             "|" + "---|" * 11]
    for s in document["scenarios"]:
        summary = s.get("summary", {})
        if summary.keys() != {"bearerd", *PEERS}:
            continue
        each = report.quotients(s["rounds"])
        cells = [s["name"], *(_cost(summary[n]["cpu_us"]) for n in ("bearerd", *PEERS)),
                 *(_quotient(each[peer]) for peer in PEERS),
                 _three(summary, "per_second", ",.0f"), _three(summary, "p50_ms", ".2f"),
                 _three(summary, "p99_ms", ".2f"), _three(summary, "rss_mb", ".1f"),
                 _three(summary, "errors", "d")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _idle(document: dict) -> str:
    lines = ["| system | RSS before any load, MB | with 5,000 idle client connections, MB | "
             "KiB for each |", "|---|---|---|---|"]
    for s in document["scenarios"]:
        for name, row in s.get("idle", {}).items():
            lines.append(f"| {name} | {s['base_rss_mb'][name]:.1f} | {row['rss_mb']:.1f} | "
                         f"{row['kib_each']:.2f} |")
    return "\n".join(lines)


def _others(document: dict) -> str:
    lines = ["| scenario | system | µs per request | req/s | p50 ms | p99 ms | RSS MB | errors |",
             "|" + "---|" * 8]
    for s in document["scenarios"]:
        summary = s.get("summary", {})
        if summary.keys() == {"bearerd", *PEERS}:
            continue
        for name, row in summary.items():
            lines.append(f"| {s['name']} | {name} | {_cost(row['cpu_us'])} | "
                         f"{row['per_second']:,.0f} | {row['p50_ms']:.2f} | {row['p99_ms']:.2f} | "
                         f"{row['rss_mb']:.1f} | {row['errors']} |")
    return "\n".join(lines)


def _short(document: dict) -> str:
    found = {s["name"]: s for s in document["scenarios"]}
    lines = ["| processor time per request, µs | bearerd | nginx | HAProxy | bearerd/nginx |",
             "|---|---|---|---|---|"]
    for name in ("get-32", "get-256", "post-32", "tls-32", "tls-256"):
        s = found[name]
        cells = [s["title"], *(_cost(s["summary"][n]["cpu_us"]) for n in ("bearerd", *PEERS)),
                 f"{s['ratios']['nginx']:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    stale = 0
    for path, text in made(json.loads(RECORD.read_text())).items():
        if path.exists() and path.read_text() == text:
            continue
        if sys.argv[1:]:
            print(f"{path.relative_to(ROOT)} is not what the record says; run tests/bench/record.py")
            stale = 1
        else:
            path.write_text(text)
    return stale


if __name__ == "__main__":
    sys.exit(main())
