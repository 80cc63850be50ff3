"""Shows how two traces of one program differ."""

import itertools


def difference(title, text, expected, got):
    """The program with line numbers, and both traces side by side, differing lines marked."""
    rows = [f"--- {title}"]
    rows += [f"{number:4}  {line}" for number, line in enumerate(text.split("\n"))]
    width = max([len(line) for line in expected] + [20])
    rows.append(f"  {'CPython':{width}}   interpreter")
    for left, right in itertools.zip_longest(expected, got, fillvalue=""):
        rows.append(f"{'!' if left != right else ' '} {left:{width}} | {right}")
    return "\n".join(rows)
