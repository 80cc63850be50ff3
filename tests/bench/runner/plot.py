# SPDX-License-Identifier: MIT
"""One SVG for each workload: bars on a logarithmic scale, ours and the limit in other colours."""

import math
import os
import xml.sax.saxutils

from . import peers, report

WIDTH, LEFT, RIGHT = 470, 115, 70  # of a panel, of the names in it and of the figures behind bars
ROW, BAR, HEAD = 16, 11, 22
MANY = 6  # panels that stand below each other; more stand in two columns
COLOURS = {peers.OURS: "#c2410c", peers.LIMIT: "#64748b"}
OTHER = "#3b82f6"


def is_drawn(name):
    """The tables have everything; a chart must stay readable."""
    if name.startswith(("plain, 1 connection,", "TLS, 1 connection,")):
        return not name.endswith(("requests", "latency p99"))  # requests are the inverse of p50
    return not name.endswith(("latency p50", "latency p99", "earliest"))


def colour(peer):
    for name, value in COLOURS.items():
        if peer == name or peer.startswith(name + "-"):
            return value
    return OTHER


def text(x, y, words, anchor="start", weight="normal"):
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{xml.sax.saxutils.escape(words)}</text>"
    )


def panel(metric):
    """The bars of one metric, and the height they take."""
    rows = [row for row in metric["peers"] if row["median"] > 0]
    low = math.log10(min(row["median"] for row in rows)) - 0.3
    span = math.log10(max(row["median"] for row in rows)) - low
    parts = [text(0, 14, f"{metric['metric']} [{metric['unit']}]", weight="bold")]
    y = HEAD
    for row in rows:
        length = (WIDTH - LEFT - RIGHT) * (math.log10(row["median"]) - low) / span
        parts += [
            text(LEFT - 6, y + BAR - 1, row["peer"], "end"),
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"'
            f' fill="{colour(row["peer"])}"/>',
            text(LEFT + length + 5, y + BAR - 1, report.tidy(row["median"])),
        ]
        y += ROW
    return parts, y


def growth(summary):
    """Lines: what an operation costs by how many objects there are. And the height they take."""
    lines = {}
    for metric in summary:
        what, _, count = metric["metric"].removesuffix(" objects").rpartition(", ")
        lines.setdefault(what, []).append((int(count), metric["peers"][0]["median"]))
    values = [math.log10(cost) for points in lines.values() for _, cost in points]
    most = math.log10(max(count for points in lines.values() for count, _ in points))
    left, top, width, height = 70, 34, 560, 300
    low, high = math.floor(min(values)), math.ceil(max(values))

    def place(count, cost):
        x = left + width * (math.log10(count) - 1) / (most - 1)
        return x, top + height * (high - math.log10(cost)) / (high - low)

    parts = []
    for power in range(low, high + 1):
        _, y = place(10, 10**power)
        parts += [
            f'<line x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e2e8f0"/>',
            text(left - 8, y + 4, f"{10**power:,} ns", "end"),
        ]
    for power in range(1, round(most) + 1):
        parts.append(text(place(10**power, 10)[0], top + height + 18, f"{10**power:,}", "middle"))
    above = 0
    for what, points in sorted(lines.items(), key=lambda line: place(*max(line[1]))[1]):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*one) for one in sorted(points)))
        x, y = place(*max(points))
        parts += [
            f'<polyline points="{path}" fill="none" stroke="{COLOURS[peers.OURS]}"/>',
            text(x + 8, max(y + 4, above), what),
        ]
        above = max(y + 4, above) + 13  # the next name stands below this one
    return [text(0, 14, "An operation, by how many objects are alive"), *parts], top + height + 30


def workload(summary, folder):
    """Writes FOLDER/WORKLOAD.svg, and answers its path."""
    if summary[0]["workload"] == "growth":
        parts, top = growth(summary)
        return write("growth", parts, WIDTH + 320, top, folder)
    drawn = [panel(metric) for metric in summary if is_drawn(metric["metric"])]
    columns = 1 if len(drawn) <= MANY else 2
    parts, top = [text(0, 14, "Logarithmic scale, the best on top.")], 24
    for first in range(0, len(drawn), columns):
        row = drawn[first : first + columns]
        for column, (bars, _) in enumerate(row):
            parts += [f'<g transform="translate({column * (WIDTH + 20)} {top})">', *bars, "</g>"]
        top += max(height for _, height in row) + 8
    return write(summary[0]["workload"], parts, columns * (WIDTH + 20), top, folder)


def write(name, parts, width, top, folder):
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" viewBox="-8 0 {width} {top}"'
        f' font-family="sans-serif" font-size="11" fill="#1e293b">'
        f'<rect x="-8" width="{width}" height="{top}" fill="#ffffff"/>'
    )
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name + ".svg")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([head, *parts, "</svg>"]) + "\n")
    return path
