"""Draw a recorded run as SVG, by hand: two plots that read well on light and on dark pages."""

from html import escape

import report

WIDTH, LEFT, RIGHT, ROW = 760, 200, 24, 26
COLOURS = {"bearerd": "a", "nginx": "b", "haproxy": "c"}
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 11px; fill: #59636e }
.axis { stroke: #d1d9e0 } .one { stroke: #59636e; stroke-dasharray: 4 3 }
.a { fill: #0969da; stroke: #0969da } .b { fill: #bc6c00; stroke: #bc6c00 }
.c { fill: #8250df; stroke: #8250df }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .small { fill: #9198a1 }
.axis { stroke: #3d444d } .one { stroke: #9198a1 }
.a { fill: #58a6ff; stroke: #58a6ff } .b { fill: #e3a04b; stroke: #e3a04b }
.c { fill: #bc8cff; stroke: #bc8cff }
}
</style>"""


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
            f"{escape(words)}</text>")


def _line(x1: float, y1: float, x2: float, y2: float, kind: str, width: float = 1) -> str:
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}" '
            f'stroke-width="{width}"/>')


def _plot(height: float, title: str, parts: list[str]) -> str:
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
            f'width="{WIDTH}" height="{height:.0f}" role="img" aria-label="{escape(title)}">')
    return "\n".join([head, f"<title>{escape(title)}</title>", STYLE,
                      _text(8, 20, title), *parts, "</svg>", ""])


def _legend(names: list[str], y: float) -> list[str]:
    parts, x = [], float(LEFT)
    for name in names:
        kind = COLOURS[name.rpartition("/")[2]]
        parts += [f'<rect x="{x:.0f}" y="{y - 10:.0f}" width="12" height="10" class="{kind}"/>',
                  _text(x + 17, y, name, "small")]
        x += 40 + 7 * len(name)
    return parts


def costs(document: dict, scenarios: list[str]) -> str:
    """Bars: processor time per request of each system; the thin line is the spread."""
    found = {s["name"]: s for s in document["scenarios"]}
    rows = [(name, found[name]["summary"]) for name in scenarios]
    most = max(row["cpu_us"] for _, summary in rows for row in summary.values()) * 1.25
    scale = (WIDTH - LEFT - RIGHT - 40) / most
    parts, y = _legend(list(COLOURS), 44), 60.0
    for name, summary in rows:
        parts.append(_text(LEFT - 12, y + 28, name, anchor="end"))
        for system, kind in COLOURS.items():
            row = summary[system]
            end, last = LEFT + row["cpu_us"] * scale, LEFT + min(row["cpu_us_max"], most) * scale
            parts += [f'<rect x="{LEFT}" y="{y:.1f}" width="{end - LEFT:.1f}" height="12" '
                      f'class="{kind}"/>',
                      _line(LEFT + row["cpu_us_min"] * scale, y + 6,
                            last, y + 6, "one"),
                      _text(last + 6, y + 11, f"{row['cpu_us']:.1f}", "small")]
            y += 14
        y += 10
    parts.append(_line(LEFT, 54, LEFT, y - 4, "axis"))
    return _plot(y + 6, "Processor time per request in µs (whole process, one worker): less is "
                        "better", parts)


def quotients(document: dict) -> str:
    """A dot per scenario and peer: the median quotient; the line is from the least to the most."""
    rows = [(s["name"], report.quotients(s["rounds"])) for s in document["scenarios"]
            if {"nginx", "haproxy"} <= s.get("rounds", {}).keys()]
    most = 2.0

    def place(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(value, most) / most

    parts, y = _legend(["bearerd/nginx", "bearerd/haproxy"], 44), 64.0
    bottom = y + ROW * len(rows)
    for tick in range(int(most * 2) + 1):
        parts += [_line(place(tick / 2), y - 6, place(tick / 2), bottom,
                        "one" if tick == 2 else "axis"),
                  _text(place(tick / 2), bottom + 16, f"{tick / 2:.1f}", "small", "middle")]
    for name, values in rows:
        parts.append(_text(LEFT - 12, y + 12, name, anchor="end"))
        for offset, peer in ((4, "nginx"), (13, "haproxy")):
            each, kind = values[peer], COLOURS[peer]
            middle = report.median(each)
            parts += [_line(place(min(each)), y + offset, place(max(each)), y + offset, kind, 1.5),
                      f'<circle cx="{place(middle):.1f}" cy="{y + offset:.1f}" r="4.5" '
                      f'class="{kind}"/>']
        y += ROW
    return _plot(bottom + 26, "bearerd's processor time per request by its peers': left of 1.0 "
                              "bearerd is cheaper", parts)
