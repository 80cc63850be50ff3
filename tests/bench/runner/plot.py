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


def workload(summary, folder):
    """Writes FOLDER/WORKLOAD.svg, and answers its path."""
    drawn = [panel(metric) for metric in summary if is_drawn(metric["metric"])]
    columns = 1 if len(drawn) <= MANY else 2
    parts, top = [text(0, 14, "Logarithmic scale, the best on top.")], 24
    for first in range(0, len(drawn), columns):
        row = drawn[first : first + columns]
        for column, (bars, _) in enumerate(row):
            parts += [f'<g transform="translate({column * (WIDTH + 20)} {top})">', *bars, "</g>"]
        top += max(height for _, height in row) + 8
    width = columns * (WIDTH + 20)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" viewBox="-8 0 {width} {top}"'
        f' font-family="sans-serif" font-size="11" fill="#1e293b">'
        f'<rect x="-8" width="{width}" height="{top}" fill="#ffffff"/>'
    )
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, summary[0]["workload"] + ".svg")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([head, *parts, "</svg>"]) + "\n")
    return path
