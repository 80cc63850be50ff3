"""Makes a program smaller while two engines still disagree about it.

One round proposes every single edit: remove an instruction, a block or a clause, replace a block
by its content, an awaitable by a part of it, a number by a smaller one; and at last every pair of
lines to remove. The proposals run in batches; the first that still shows a difference is kept and
the next round starts from it. The result is minimal in the sense that no such edit leaves a
difference.
"""

import itertools

import language
from language import AWAITABLES, BLOCKS, SYNC, TASK_ONLY, Awaitable, ProgramError

BATCH = 48
HANGS = ("crash timeout", "crash not run")
PLAIN_WORDS = {"eager": "lazy", "return": "raise", "exception": "all", "first": "all",
               "soft": "plain", "async": "plain", "lifo": "fifo", "prio": "fifo"}


def _without(lines, start, end):
    return lines[:start] + lines[end + 1:]


def _removals(program):
    """Whole nodes, the largest first."""
    spans = [(node.line, node.end_line) for node in program.nodes()
             if node.op not in ("except", "finally") and (node.op, node.args) != ("body", [0])]
    for start, end in sorted(spans, key=lambda span: span[0] - span[1]):
        yield _without(program.lines, start, end)


def _pair_removals(program):
    """Two single lines at once: what only balances together, such as a wake-up and its waiter."""
    leaves = [node.line for node in program.nodes() if node.block is None]
    for first, second in itertools.combinations(leaves, 2):
        yield [line for number, line in enumerate(program.lines) if number not in (first, second)]


def _simplified_blocks(program):
    """Blocks replaced by their content; clauses dropped."""
    for node in program.nodes():
        if node.op not in BLOCKS:
            continue
        first_end = node.clauses[0].line if node.clauses else node.end_line
        lines = program.lines
        yield lines[:node.line] + lines[node.line + 1:first_end] + lines[node.end_line + 1:]
        for clause in node.clauses:
            yield _without(lines, clause.line, clause.end_line - 1)
            yield (lines[:node.line] + lines[clause.line + 1:clause.end_line]
                   + lines[node.end_line + 1:])


def _awaitables(args):
    for arg in args:
        for aw in arg if isinstance(arg, list) else (arg,):
            if isinstance(aw, Awaitable):
                yield aw
                yield from _awaitables(aw.args)


def _with_tokens(program, node, start, end, tokens):
    lines = list(program.lines)
    old = lines[node.line].split()
    lines[node.line] = " ".join(old[:start] + tokens + old[end:])
    return lines


def _simplified_awaitables(program):
    """Expressions replaced by a part of them or by a short sleep; elements of lists dropped."""
    for node in program.nodes():
        tokens = program.lines[node.line].split()
        holders = [(0, node)] if node.op == "each" else []
        for aw in _awaitables(node.args):
            for child in aw.children():
                yield _with_tokens(program, node, aw.start, aw.end, tokens[child.start:child.end])
            if aw.end - aw.start > 2:
                yield _with_tokens(program, node, aw.start, aw.end, ["sleep", "1"])
            if aw.kind in ("gather", "wait"):
                holders.append((aw.start, aw))
        for start, holder in holders:
            children = list(holder.children()) if isinstance(holder, Awaitable) else holder.args[-1]
            for child in children:
                count = children[0].start - 1
                shorter = tokens[:child.start] + tokens[child.end:]
                shorter[count] = str(len(children) - 1)
                yield _with_tokens(program, node, 0, len(tokens), shorter)


def _number_places(node):
    """Positions of tokens that are plain numbers, messages or words, not references."""
    def walk(kinds, args, position):
        for kind, arg in zip(kinds, args):
            if kind == "aw":
                walk_awaitable(arg)
                position = arg.end
                continue
            if kind == "aws":
                position += 1
                for aw in arg:
                    walk_awaitable(aw)
                    position = aw.end
                continue
            if kind in ("int", "ticks", "when", "msg", "ctx") or "|" in kind:
                places.append((kind, position))
            position += 1

    def walk_awaitable(aw):
        walk(AWAITABLES[aw.kind].split(), aw.args, aw.start + 1)

    places = []
    tables = {**language.DECLARATIONS, **SYNC, **TASK_ONLY, **BLOCKS}
    if node.op in tables:
        walk(tables[node.op].split(), node.args, 1)
    return places


def _smaller(kind, token):
    if "|" in kind:
        return [PLAIN_WORDS[token]] if token in PLAIN_WORDS else []
    if kind == "msg":
        return [] if token == "none" else ["none"]
    if kind == "ctx":
        return [] if token == "-1" else ["-1"]
    if token == "none":
        return ["1"]
    number = int(token)
    if kind == "when" and number > 0:
        return [str(n) for n in {0, 1, number // 2, number - 1} if n < number]
    return [str(n) for n in sorted({0, 1, number // 2, number - 1}) if 0 <= n < number]


def _smaller_numbers(program):
    for node in program.nodes():
        tokens = program.lines[node.line].split()
        for kind, position in _number_places(node):
            for token in _smaller(kind, tokens[position]):
                yield _with_tokens(program, node, position, position + 1, [token])


def proposals(text):
    """Every valid program that is one edit smaller, the bold edits first."""
    program = language.parse(text)
    seen = {text}
    for edits in (_removals, _simplified_blocks, _simplified_awaitables, _smaller_numbers,
                  _pair_removals):
        for lines in edits(program):
            smaller = "\n".join(lines)
            if smaller in seen:
                continue
            seen.add(smaller)
            try:
                language.parse(smaller)
            except ProgramError:
                continue
            yield smaller


def differing(reference, tested, texts):
    """Which of the programs the two engines disagree about; a hang proves nothing here."""
    pairs = zip(reference.run(texts), tested.run(texts))
    return [expected != got and got[-1] not in HANGS for expected, got in pairs]


def shrink(text, reference, tested):
    """The smallest program that can be reached from `text` by edits that keep a difference."""
    smaller = text
    while smaller is not None:
        text, smaller = smaller, None
        candidates = list(proposals(text))
        for start in range(0, len(candidates), BATCH):
            batch = candidates[start:start + BATCH]
            found = [c for c, differs in zip(batch, differing(reference, tested, batch)) if differs]
            if found:
                smaller = min(found, key=lambda c: (c.count("\n"), len(c)))
                break
    return indent(text)


def indent(text):
    """The program with its blocks indented."""
    program = language.parse(text)
    depth = [0] * len(program.lines)
    for node in program.nodes():
        if node.block is not None:
            closed = node.clauses[0].line if node.clauses else node.end_line
            for line in range(node.line + 1, closed):
                depth[line] += 1
    return "\n".join("  " * d + line.strip() for d, line in zip(depth, program.lines))
