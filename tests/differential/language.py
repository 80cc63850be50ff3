"""The grammar of the differential language, as tables, with the one parser that everything shares.

LANGUAGE.md says what each instruction does; this file says what each instruction looks like. The
tables are read by the oracle (to execute), by the generator (to refuse its own mistakes) and by
the shrinker (to know which tokens may be made smaller). Nothing here knows asyncio, so that it
runs on any Python >= 3.11.
"""

LIMIT = 32             # every number space (slots, bodies, locks, ...) is 0..LIMIT-1
MAX_ACTIVATIONS = 100  # an instruction that would start one more is skipped

# What an argument is. A trailing "!" marks a place that the instruction writes rather than reads.
# int ticks: integers; when: ticks or "none"; msg word: identifiers ("none" is no message);
# a|b: one of these words; aw: an awaitable; aws: a count and as many of them.
DECLARATIONS = {
    "lock": "lock!",
    "event": "event!",
    "cond": "cond! int",            # the lock it shares, or -1 for one of its own
    "sem": "sem! int",
    "bsem": "sem! int",
    "barrier": "barrier! int",
    "queue": "queue! fifo|lifo|prio int",
    "future": "slot!",
}

SYNC = {
    "mark": "int", "now": "", "alltasks": "", "var": "var int",
    "future": "slot!", "setres": "slot int", "seterr": "slot int", "cancel": "slot msg",
    "peek": "slot", "result": "slot", "error": "slot", "ensure": "slot! aw",
    "adddone": "slot func", "remdone": "slot func",
    "spawn": "slot! body lazy|eager ctx", "gspawn": "group slot! body lazy|eager",
    "gcancel": "group",
    "uncancel": "task", "cancelling": "task", "setname": "task word", "getname": "task",
    "callsoon": "handle! func", "calllater": "handle! ticks func", "callat": "handle! ticks func",
    "hcancel": "handle",
    "ctxset": "var int", "ctxget": "var", "ctxreset": "token", "ctxcopy": "ctx!",
    "ctxrun": "ctx var int", "ctxsee": "ctx var",
    "release": "lock", "locked": "lock", "set": "event", "clear": "event", "isset": "event",
    "notify": "cond int", "notifyall": "cond", "crelease": "cond", "clocked": "cond",
    "srelease": "sem", "slocked": "sem", "bstate": "barrier",
    "putn": "queue int", "getn": "queue", "taskdone": "queue", "qstate": "queue",
    "shutdown": "queue int",
    "resched": "timeout when", "when": "timeout", "expired": "timeout", "raise": "int",
}

TASK_ONLY = {
    "await": "aw", "awaitself": "", "cancelself": "msg", "uncancelself": "", "cancellingself": "",
    "whoami": "",
    "reraise": "", "return": "int",
}

BLOCKS = {
    "try": "", "loop": "int", "timeout": "timeout! when", "timeoutat": "timeout! when",
    "group": "group!", "withlock": "lock", "withcond": "cond", "withsem": "sem",
    "withbarrier": "barrier",
    "each": "plain|soft|async when aws",
}

EXCEPT_KINDS = ("cancelled", "error", "any", "timeout", "group")

AWAITABLES = {
    "f": "slot", "c": "body", "sleep": "ticks", "sleepres": "ticks int",
    "acquire": "lock", "event": "event",
    "cacquire": "cond", "cwait": "cond", "cwaitfor": "cond var",
    "sacquire": "sem", "bwait": "barrier", "breset": "barrier", "babort": "barrier",
    "put": "queue int", "get": "queue", "join": "queue",
    "gather": "raise|return aws", "shield": "aw", "wait": "first|exception|all when aws",
    "waitfor": "when aw",
}

# Empty until an instruction writes them; declared at the top.
RUNTIME_SPACES = ("slot", "task", "handle", "timeout", "group", "ctx", "token")
DECLARED_SPACES = ("lock", "event", "cond", "sem", "barrier", "queue", "body", "func")


class ProgramError(Exception):
    """The text is not a program of the language."""


class Awaitable:
    """An awaitable expression: its kind, its arguments, and its tokens [start, end)."""

    __slots__ = ("kind", "args", "start", "end")

    def __init__(self, kind, args, start, end):
        self.kind, self.args, self.start, self.end = kind, args, start, end

    def children(self):
        """The awaitables directly inside this one."""
        for arg in self.args:
            if isinstance(arg, Awaitable):
                yield arg
            elif isinstance(arg, list):
                yield from arg


class Node:
    """An instruction or a block. `clauses` holds what follows the first block of a `try`."""

    __slots__ = ("op", "args", "line", "end_line", "reads", "declared", "bodies", "block",
                 "clauses")

    def __init__(self, op, line):
        self.op, self.line, self.end_line = op, line, line
        self.args = []
        self.reads = []       # (space, number) that must have been written before, in token order
        self.declared = []    # (space, number) that the program must declare
        self.bodies = 0       # activations that evaluating the arguments starts
        self.block = None
        self.clauses = []


class Program:
    """A parsed program: its number, its declarations, bodies and functions."""

    def __init__(self, lines):
        self.lines = lines
        self.number = -1
        self.declarations = []
        self.bodies = {}
        self.funcs = {}

    def nodes(self):
        """Every node, depth first, in the order of the lines."""
        stack = list(reversed([*self.declarations, *self.bodies.values(), *self.funcs.values()]))
        while stack:
            node = stack.pop()
            yield node
            for clause in reversed(node.clauses):
                stack.append(clause)
            if node.block:
                stack.extend(reversed(node.block))


class _Reader:
    """Reads the arguments of one line from its tokens."""

    def __init__(self, node, tokens, position):
        self.node, self.tokens, self.position = node, tokens, position

    def token(self):
        if self.position >= len(self.tokens):
            raise ProgramError(f"line {self.node.line}: too few tokens")
        self.position += 1
        return self.tokens[self.position - 1]

    def integer(self):
        token = self.token()
        try:
            return int(token)
        except ValueError:
            raise ProgramError(f"line {self.node.line}: {token} is not an integer") from None

    def argument(self, kind):
        if kind == "aw":
            return self.awaitable()
        if kind == "aws":
            return [self.awaitable() for _ in range(self.integer())]
        if kind in ("int", "ticks"):
            return self.integer()
        if kind == "when":
            token = self.token()
            if token == "none":
                return None
            self.position -= 1
            return self.integer()
        if kind in ("msg", "word"):
            token = self.token()
            return None if token == "none" else token
        if "|" in kind:
            token = self.token()
            if token not in kind.split("|"):
                raise ProgramError(f"line {self.node.line}: {token} is none of {kind}")
            return token
        return self.reference(kind)

    def reference(self, kind):
        number = self.integer()
        writes = kind.endswith("!")
        space = kind.rstrip("!")
        if space == "ctx" and not writes and number == -1:
            return number
        if not 0 <= number < LIMIT:
            raise ProgramError(f"line {self.node.line}: {space} {number} is out of range")
        if space == "body":
            self.node.bodies += 1
        if space in DECLARED_SPACES:
            self.node.declared.append((space, number))
        elif space in RUNTIME_SPACES and not writes:
            self.node.reads.append((space, number))
        return number

    def awaitable(self):
        start = self.position
        kind = self.token()
        if kind not in AWAITABLES:
            raise ProgramError(f"line {self.node.line}: {kind} is no awaitable")
        args = [self.argument(k) for k in AWAITABLES[kind].split()]
        return Awaitable(kind, args, start, self.position)

    def arguments(self, signature):
        self.node.args = [self.argument(kind) for kind in signature.split()]
        if self.position != len(self.tokens):
            raise ProgramError(f"line {self.node.line}: too many tokens")


class _Parser:
    def __init__(self, lines):
        self.program = Program(lines)
        self.lines = lines
        self.next = 0

    def read(self):
        tokens = self.lines[self.next].split()
        self.next += 1
        if not tokens:
            raise ProgramError(f"line {self.next - 1}: empty line")
        return tokens, self.next - 1

    def node(self, tokens, line, signature):
        node = Node(tokens[0], line)
        _Reader(node, tokens, 1).arguments(signature)
        return node

    def parse(self):
        tokens, _ = self.read()
        if tokens[0] != "program" or len(tokens) != 2:
            raise ProgramError("a program opens with its number")
        self.program.number = int(tokens[1])
        while self.next < len(self.lines):
            tokens, line = self.read()
            if tokens[0] in ("body", "func"):
                node = self.node(tokens, line, "int")
                node.block, closing = self.block(("end",), tokens[0] == "body")
                node.end_line = closing[1]
                into = self.program.bodies if tokens[0] == "body" else self.program.funcs
                into[node.args[0]] = node
            elif tokens[0] in DECLARATIONS:
                self.program.declarations.append(self.node(tokens, line, DECLARATIONS[tokens[0]]))
            else:
                raise ProgramError(f"line {line}: {tokens[0]} is no declaration")
        return self.program

    def block(self, closers, in_body):
        nodes = []
        while self.next < len(self.lines):
            tokens, line = self.read()
            op = tokens[0]
            if op in closers:
                return nodes, (tokens, line)
            if op in SYNC:
                nodes.append(self.node(tokens, line, SYNC[op]))
            elif in_body and op in TASK_ONLY:
                nodes.append(self.node(tokens, line, TASK_ONLY[op]))
            elif in_body and op in BLOCKS:
                node = self.node(tokens, line, BLOCKS[op])
                self.clauses(node)
                nodes.append(node)
            else:
                raise ProgramError(f"line {line}: {op} does not belong here")
        raise ProgramError("a block is not closed")

    def clauses(self, node):
        closers = ("except", "finally", "end") if node.op == "try" else ("end",)
        node.block, (tokens, line) = self.block(closers, True)
        while tokens[0] != "end":
            clause = Node(tokens[0], line)
            if tokens[0] == "except":
                if len(tokens) != 2 or tokens[1] not in EXCEPT_KINDS:
                    raise ProgramError(f"line {line}: except what?")
                clause.args = [tokens[1]]
            else:
                closers = ("end",)
            clause.block, (tokens, line) = self.block(closers, True)
            clause.end_line = line
            node.clauses.append(clause)
        node.end_line = line


def parse(text):
    """Parses one program; raises ProgramError."""
    program = _Parser(text.strip("\n").split("\n")).parse()
    _check(program)
    return program


def _check(program):
    have = {(space, number) for space in ("body", "func")
            for number in (program.bodies if space == "body" else program.funcs)}
    for node in program.declarations:
        space = "sem" if node.op == "bsem" else node.op
        have.add((space, node.args[0]))
        if node.op == "cond" and node.args[1] >= 0:
            node.declared.append(("lock", node.args[1]))
        if node.op == "barrier" and node.args[1] < 1 or space == "sem" and node.args[1] < 0:
            raise ProgramError(f"line {node.line}: {node.op} {node.args[1]}")
    if ("body", 0) not in have:
        raise ProgramError("there is no body 0")
    for node in program.nodes():
        for space, number in node.declared:
            if (space, number) not in have:
                raise ProgramError(f"line {node.line}: {space} {number} is not declared")


def split(text):
    """Cuts a file of programs into the texts of single ones."""
    programs = []
    for line in text.split("\n"):
        if line.startswith("program "):
            programs.append([])
        if line:
            programs[-1].append(line)
    return ["\n".join(lines) for lines in programs]
