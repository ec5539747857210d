"""Turn rounds into medians, a table and JSON."""

import os
import platform
import sys
import time
from pathlib import Path
from statistics import median

FIGURES = ("cpu_us", "user_us", "per_second", "p50_ms", "p99_ms", "core_share", "foreign_share",
           "rss_mb")


def summarise(rounds: dict[str, list[dict]]) -> dict[str, dict]:
    """Medians per system over its rounds."""
    summary = {}
    for name, results in rounds.items():
        row = {figure: median(r[figure] for r in results) for figure in FIGURES}
        cpu = [r["cpu_us"] for r in results]
        row["cpu_us_min"], row["cpu_us_max"] = min(cpu), max(cpu)
        row["requests"] = sum(r["requests"] for r in results)
        row["errors"] = sum(sum(r["errors"].values()) for r in results)
        row["log_lines"] = sum(r["log_lines"] for r in results)
        summary[name] = row
    return summary


def ratios(rounds: dict[str, list[dict]], subject: str = "bearerd") -> dict[str, float]:
    """bearerd's processor time by each peer's: the median of the quotients of the same round, which
    drops what slows a whole round."""
    return {peer: median(values) for peer, values in quotients(rounds, subject).items()}


def quotients(rounds: dict[str, list[dict]], subject: str = "bearerd") -> dict[str, list[float]]:
    """The same, each round's."""
    ours = [r["cpu_us"] for r in rounds.get(subject, [])]
    found = {peer: [a / b["cpu_us"] for a, b in zip(ours, theirs) if b["cpu_us"]]
             for peer, theirs in rounds.items() if peer != subject}
    return {peer: values for peer, values in found.items() if values}


def table(title: str, summary: dict[str, dict], ratio: dict[str, float]) -> str:
    def cost(value: float) -> str:
        return f"{value:.2f}" if value < 1000 else f"{value:.0f}"

    head = (f"{'system':<15}{'CPU us/req':>11}{'min..max':>16}{'user':>8}{'req/s':>9}"
            f"{'p50 ms':>8}{'p99 ms':>8}{'core':>6}{'others':>8}{'RSS MB':>8}{'errors':>8}")
    lines = [title, head]
    for name, row in summary.items():
        spread = f"{cost(row['cpu_us_min'])}..{cost(row['cpu_us_max'])}"
        lines.append(
            f"{name:<15}{cost(row['cpu_us']):>11}{spread:>16}{cost(row['user_us']):>8}"
            f"{row['per_second']:>9.0f}{row['p50_ms']:>8.2f}{row['p99_ms']:>8.2f}"
            f"{row['core_share']:>6.0%}{row['foreign_share']:>8.0%}{row['rss_mb']:>8.1f}"
            f"{row['errors']:>8}")
    if ratio:
        lines.append("CPU per request: " + ", ".join(
            f"bearerd/{peer} {value:.2f}" for peer, value in ratio.items()))
    return "\n".join(lines)


def idle_table(title: str, systems: dict[str, dict]) -> str:
    lines = [title, f"{'system':<15}{'RSS MB':>8}{'KiB per connection':>20}"]
    for name, row in systems.items():
        lines.append(f"{name:<15}{row['rss_mb']:>8.1f}{row['kib_each']:>20.2f}")
    return "\n".join(lines)


def machine() -> dict:
    model = next((line.partition(":")[2].strip()
                  for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "load": os.getloadavg(), "date": time.strftime("%Y-%m-%d %H:%M:%S%z"),
            "command": " ".join(sys.argv)}
