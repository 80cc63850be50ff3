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
    """The best that is neither ours nor the limit, and not wrong."""
    for one in summary:
        if (one["workload"], one["metric"]) == (goal.workload, goal.metric):
            for row in one["peers"]:
                own = row["peer"].startswith((peers.OURS, peers.LIMIT))
                if not own and row["median"] >= goal.valid:
                    return f"{row['peer']} {report.tidy(row['median'])}"
    return ""


def of_limit(goal, row, limit, unit):
    """A share of the limit's rate, or how many times its cost; None without a limit."""
    if limit is None:
        return None
    if goal.limit == peers.LIMIT:
        more = row["to_limit"]  # the median of the ratios within each round
    elif unit in report.RATES:
        more = limit["median"] / row["median"]
    else:
        more = row["median"] / limit["median"]
    if more is None:
        return None
    return 1 / more if unit in report.RATES else more


def bound(goal, row, summary):
    """What bounds a goal that is missed, with what the run itself says about it."""
    server, _ = row_of(
        summary, goal.workload, goal.metric.split(": ")[0] + ": server CPU", goal.peer
    )
    return goal.bound.format(
        spread="nothing" if row["spread"] is None else f"±{row['spread']:.0%}",
        cpu=f"{server['to_limit']:.2f}" if server and server["to_limit"] else "-",
    )


def goal_line(goal, row, unit, summary):
    limit, _ = row_of(summary, goal.workload, goal.metric, goal.limit)
    share = of_limit(goal, row, limit, unit)
    least = goal.share and unit in report.RATES
    if goal.share:
        value, wanted = share, f"{goal.most:g}"
        if share is None:
            return None
        measured = f"{share:.3g} ({report.tidy(row['median'])} {unit})"
    else:
        value, wanted = row["median"], f"{goal.most:g} {unit}"
        measured = f"{report.tidy(value)} {unit}"
    good = value >= goal.most if least else value <= goal.most
    cells = [
        goal.what,
        f"{'>=' if least else '<='} {wanted}",
        measured,
        "met" if good else "missed",
        report.tidy(limit["median"]) if limit else "",
        best_peer(summary, goal),
        "" if good else bound(goal, row, summary),
    ]
    return "| " + " | ".join(cells) + " |"


def goal_lines(summary):
    lines = [
        "| goal | wanted | measured | | limit | best peer | why it is missed |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for goal in goals.GOALS:
        row, unit = row_of(summary, goal.workload, goal.metric, goal.peer)
        if row is not None:
            lines.append(goal_line(goal, row, unit, summary))
    return [line for line in lines if line is not None]


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
    part = f", with 1 / {run['part']} of the usual operations" if run["part"] > 1 else ""
    best = " The tables show the best round of each peer." if run["best"] else ""
    rounds = max(row["rounds"] for metric in summary for row in metric["peers"])
    lines = [
        f"Measured on {run['date']}: {run['machine']}; {rounds} rounds{part}."
        f" {run['noise'][0].upper()}{run['noise'][1:]}.{best}",
        "",
        f"Versions: {versions}.",
        "",
        "## Goals",
        "",
        "What the library is held to, whether this run met it, and if not, where the time goes.",
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
