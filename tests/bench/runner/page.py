# SPDX-License-Identifier: MIT
"""A run's --json as the tables of docs/performance.md, between two marks that stand there."""

from . import goals, peers, report, workloads

BEGIN, END = "<!-- the run: tests/bench/page writes this -->", "<!-- the end of the run -->"


def row_of(summary, workload, metric, peer):
    for one in summary:
        if one["workload"] == workload and one["metric"] == metric:
            for row in one["peers"]:
                if row["peer"] == peer:
                    return row, one["unit"]
    return None, ""


def best_peer(summary, goal):
    """The best that is neither ours nor the limit."""
    for one in summary:
        if (one["workload"], one["metric"]) == (goal.workload, goal.metric):
            for row in one["peers"]:
                if not row["peer"].startswith((peers.OURS, peers.LIMIT)):
                    return f"{row['peer']} {report.tidy(row['median'])}"
    return ""


def measured(goal, row, unit):
    """(our figure, whether it is what was wanted)"""
    if not goal.share:
        return row["median"], row["median"] <= goal.most
    if row["to_limit"] is None:
        return None, False
    if unit in report.RATES:  # more is better: a share of the limit's rate
        share = 1 / row["to_limit"]
        return share, share >= goal.most
    return row["to_limit"], row["to_limit"] <= goal.most


def goal_lines(summary):
    lines = [
        "| goal | wanted | measured | | best peer | what bounds it |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for goal in goals.GOALS:
        row, unit = row_of(summary, goal.workload, goal.metric, goal.peer)
        if row is None:
            continue
        value, good = measured(goal, row, unit)
        if value is None:
            continue
        least = goal.share and unit in report.RATES
        unit = "" if goal.share else f" {unit}"
        lines.append(
            f"| {goal.what} | {'>=' if least else '<='} {goal.most:g}{unit} |"
            f" {report.tidy(value)}{unit} | {'met' if good else 'missed'} |"
            f" {best_peer(summary, goal)} | {'' if good else goal.bound} |"
        )
    return lines


def metric_lines(metric):
    lines = [
        f"{metric['metric']} [{metric['unit']}]",
        "",
        "| peer | | spread | to ours | to the limit |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for row in metric["peers"]:
        spread = "" if row["spread"] is None else f"±{row['spread']:.0%}"
        ratios = ("-" if row[key] is None else f"{row[key]:.2f}" for key in ("to_ours", "to_limit"))
        cells = [row["peer"], report.tidy(row["median"]), spread, *ratios]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def growth_lines(metrics):
    """What each operation costs, by how many objects there are."""
    costs = {}
    for metric in metrics:
        what, _, count = metric["metric"].removesuffix(" objects").rpartition(", ")
        costs.setdefault(what, {})[int(count)] = metric["peers"][0]["median"]
    lines = ["| operation [ns] | objects alive | | |", "| --- | ---: | ---: | ---: |"]
    for what, by_count in costs.items():
        cells = (f"{report.tidy(cost)} ({count:,})" for count, cost in sorted(by_count.items()))
        lines.append("| " + " | ".join([what, *cells]) + " |")
    return [*lines, ""]


def run_lines(run):
    """Everything between the marks."""
    summary = run["summary"]
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    part = f", with 1 / {run['part']} of the operations" if run["part"] > 1 else ""
    best = " Of each peer its best round is shown." if run["best"] else ""
    rounds = max(row["rounds"] for metric in summary for row in metric["peers"])
    lines = [
        f"Measured on {run['date']}: {run['machine']}; {rounds} rounds, in each of which every peer"
        f" takes its turn{part}. {run['noise'][0].upper()}{run['noise'][1:]}.{best}",
        "",
        f"Peers: {versions}.",
        "",
        "## The goals",
        "",
        *goal_lines(summary),
        "",
    ]
    for workload in workloads.WORKLOADS:
        metrics = [one for one in summary if one["workload"] == workload.name]
        if not metrics:
            continue
        about = workload.about[0].upper() + workload.about[1:]
        lines += [f"## {workload.name}", "", f"{about}.", ""]
        lines += [f"![{workload.name}](performance/{workload.name}.svg)", ""]
        if workload.kind == "growth":
            lines += growth_lines(metrics)
            continue
        for metric in metrics:
            lines += metric_lines(metric)
        for name, reason in run["absences"].get(workload.name, []):
            lines.append(f"- {name} {reason}")
        if run["absences"].get(workload.name):
            lines.append("")
    return lines


def fill(text, run):
    """The page with the run's tables in place of what was between the marks."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return "\n".join([head + BEGIN, "", *run_lines(run), END]) + tail
