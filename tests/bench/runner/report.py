# SPDX-License-Identifier: MIT
"""From samples to tables: median, spread, ratio to ours and to the physical limit."""

import statistics

from . import peers

RATES = ("/s",)  # units of which more is better


def tidy(value):
    """Three significant digits, with thousands set apart."""
    if value == 0:
        return "0"
    digits = max(0, 2 - len(str(int(abs(value)))) + 1) if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def spread(values):
    """Half the distance between the quartiles, as a share of the median."""
    middle = statistics.median(values)
    if len(values) < 2 or middle == 0:
        return None
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / middle


def ratio(rounds, peer, base, unit):
    """How much more a peer costs than the base: the median of the ratios within each round.

    2 is twice the time or the bytes, or half the rate.
    """
    pairs = [(one[peer], one[base]) for one in rounds if peer in one and base in one]
    if unit in RATES:
        pairs = [(b, a) for a, b in pairs]
    shares = [a / b for a, b in pairs if b > 0]
    return statistics.median(shares) if shares else None


def summarize(samples):
    """From samples, each with its round, to [{"workload", "metric", "unit", "peers": [...]}].

    The best peer comes first.
    """
    metrics = {}
    for one in samples:
        metric = metrics.setdefault(
            (one["workload"], one["metric"]), {"unit": one["unit"], "rounds": {}}
        )
        metric["rounds"].setdefault(one["round"], {})[one["peer"]] = one["value"]
    summary = []
    for (workload, name), metric in metrics.items():
        rounds, unit = list(metric["rounds"].values()), metric["unit"]
        rows = []
        for peer in {peer for one in rounds for peer in one}:
            values = [one[peer] for one in rounds if peer in one]
            rows.append(
                {
                    "peer": peer,
                    "median": statistics.median(values),
                    "spread": spread(values),
                    "rounds": len(values),
                    "to_ours": ratio(rounds, peer, peers.OURS, unit),
                    "to_limit": ratio(rounds, peer, peers.LIMIT, unit),
                }
            )
        rows.sort(key=lambda row: row["median"], reverse=unit in RATES)
        summary.append({"workload": workload, "metric": name, "unit": unit, "peers": rows})
    return summary


def best(samples):
    """The same from the best round of each, for a machine that was too busy for a median."""
    kept = {}
    for one in samples:
        key = (one["workload"], one["metric"], one["peer"])
        old = kept.get(key)
        more = one["unit"] in RATES
        if old is None or (one["value"] > old["value"] if more else one["value"] < old["value"]):
            kept[key] = {**one, "round": 1}
    rounds = {}
    for one in samples:
        key = (one["workload"], one["metric"], one["peer"])
        rounds[key] = max(rounds.get(key, 0), one["round"])
    summary = summarize(kept.values())
    for metric in summary:
        for row in metric["peers"]:
            row["rounds"] = rounds[metric["workload"], metric["metric"], row["peer"]]
    return summary


def table(metric):
    lines = [
        f"  {metric['metric']} [{metric['unit']}]",
        f"    {'peer':<18}{'median':>12}{'spread':>9}{'to ours':>10}{'to limit':>10}",
    ]
    for row in metric["peers"]:
        cells = [
            "" if row["spread"] is None else f"±{row['spread']:.0%}",
            *("-" if row[key] is None else f"{row[key]:.2f}" for key in ("to_ours", "to_limit")),
        ]
        lines.append(
            f"    {row['peer']:<18}{tidy(row['median']):>12}"
            f"{cells[0]:>9}{cells[1]:>10}{cells[2]:>10}"
        )
    return "\n".join(lines)


def workload(about, summary, absences):
    """The tables of one workload, and who is not in them, and why."""
    lines = [f"\n{about.name}: {about.about}", *(table(metric) for metric in summary)]
    lines += [f"  not measured: {peer} {reason}" for peer, reason in absences]
    return "\n".join(lines)
