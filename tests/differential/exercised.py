"""Counts what traces exercised: for every instruction, how often each kind of outcome was seen."""

import re
from collections import Counter

from language import AWAITABLES, BLOCKS, SYNC, TASK_ONLY, parse

_OUTCOMES = (("skip", "skipped"), ("! Cancelled", "cancelled"), ("!", "failed"))


def _subject(line):
    tokens = line.split()
    return tokens[1] if tokens[0] == "await" else tokens[0]


def _outcome(text):
    for prefix, name in _OUTCOMES:
        if text.startswith(prefix):
            return name
    return "ok"


class Coverage:
    """Sums over many programs."""

    def __init__(self):
        self.counts = Counter()
        self.lines = 0

    def add(self, source, trace):
        """Counts one program. `killed`: the cancellation was that of an idle program's end."""
        lines = parse(source).lines
        self.lines += len(trace)
        for line in trace[:-1]:
            _, _, who, number, text = line.split(" ", 4)
            if who == "-":
                event = re.match(r"report \w+|kill|idle", text).group()
                self.counts["loop", event] += 1
                if event == "idle":
                    for waiting in re.findall(r"@(\d+)", text):
                        self.counts[_subject(lines[int(waiting)]), "blocked"] += 1
                continue
            outcome = _outcome(text)
            if "(kill)" in text:
                outcome = "killed"
            self.counts[_subject(lines[int(number)]), outcome] += 1
        self.counts["loop", trace[-1]] += 1

    def table(self):
        """The table, one line for each instruction."""
        outcomes = ("ok", "cancelled", "failed", "killed", "blocked", "skipped")
        subjects = [*AWAITABLES, *BLOCKS, *TASK_ONLY, *SYNC, "body", "func", "except"]
        rows = [f"{'':14}" + "".join(f"{name:>10}" for name in outcomes)]
        for subject in dict.fromkeys(subjects):
            counts = [self.counts[subject, outcome] for outcome in outcomes]
            rows.append(f"{subject:14}" + "".join(f"{count:10}" for count in counts))
        rows += [f"{event} {count}" for (subject, event), count in sorted(self.counts.items())
                 if subject == "loop"]
        return "\n".join(rows)
