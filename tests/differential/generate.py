"""Generates programs of the differential language from a seed.

Every program draws a few themes (locks, timeouts, gather, ...); the themes decide which objects
exist and how likely each instruction is, so that the parts of asyncio meet in all combinations
while one program stays small. Body 0 is the director: it starts the others and then mostly
sleeps, wakes and cancels.

Programs end by construction. A body starts only bodies of higher numbers and a function schedules
only functions of higher numbers; loops have constant counts; `starts` bounds how often a body is
started. A body awaits only tasks of bodies of higher numbers, so that no task ever awaits itself
in a circle (asyncio recurses without end when such a circle is cancelled).
"""

import random

import idioms
from layout import COPY_SLOT, ENSURED_SLOT, LAST_LIST_BODY, LIST_SLOT, TASK_SLOT
from language import parse

MAX_STARTS = 6
MESSAGES = ("m0", "m1", "m2", "m3", "none", "none")
SLEEPS = (0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 5, 8)
TIMEOUTS = (-1, 0, 0, 1, 1, 2, 2, 3, 4, 6, "none")
WAITS = TIMEOUTS[1:]   # of wait() and as_completed()

# theme: (weight of the theme, awaitables, sync instructions, blocks), each as name: weight
THEMES = {
    "future": (4, {"f": 4}, {"setres": 5, "seterr": 2, "peek": 2, "result": 2, "error": 1,
                             "future": 1}, {}),
    "callback": (3, {}, {"adddone": 3, "remdone": 1, "callsoon": 4, "calllater": 4, "callat": 2,
                         "hcancel": 2}, {}),
    "lock": (3, {"acquire": 6}, {"release": 5, "locked": 1}, {"withlock": 5}),
    "event": (3, {"event": 6}, {"set": 5, "clear": 2, "isset": 1}, {}),
    "cond": (3, {"cwait": 4, "cwaitfor": 2, "cacquire": 3},
             {"notify": 4, "notifyall": 2, "crelease": 3, "clocked": 1, "var": 1}, {"withcond": 6}),
    "sem": (4, {"sacquire": 6}, {"srelease": 5, "slocked": 1}, {"withsem": 5}),
    "barrier": (2, {"bwait": 6, "breset": 2, "babort": 1}, {"bstate": 2}, {"withbarrier": 2}),
    "queue": (6, {"get": 6, "put": 5, "join": 2},
              {"putn": 4, "getn": 2, "taskdone": 2, "qstate": 1, "shutdown": 1}, {}),
    "gather": (3, {"gather": 7}, {"ensure": 2}, {}),
    "shield": (3, {"shield": 6}, {"ensure": 2}, {}),
    "wait": (3, {"wait": 6}, {}, {}),
    "waitfor": (3, {"waitfor": 7}, {}, {}),
    "each": (2, {}, {}, {"each": 5}),
    "timeout": (4, {}, {"resched": 2, "when": 1, "expired": 1}, {"timeout": 8, "timeoutat": 2}),
    "group": (4, {}, {"gspawn": 1}, {"group": 8}),
    "context": (2, {}, {"ctxset": 4, "ctxget": 3, "ctxreset": 2, "ctxcopy": 2, "ctxrun": 2,
                     "ctxsee": 2, "callsoon": 1}, {}),
    "count": (2, {}, {"uncancel": 2, "cancelling": 2, "uncancelself": 2, "cancellingself": 2,
                      "cancelself": 2}, {}),
    "task": (2, {}, {"setname": 1, "getname": 1, "alltasks": 1, "now": 1, "whoami": 1}, {}),
}

AWAITABLES = {"sleep": 7, "f": 5, "c": 2, "sleepres": 1}
INSTRUCTIONS = {"cancel": 5, "peek": 1, "mark": 0.3}
OBJECTS = ("lock", "event", "cond", "sem", "barrier", "queue")


class Generator:
    """Writes one program."""

    def __init__(self, rng, number, group_cancel):
        self.rng = rng
        self.lines = [f"program {number}"]
        self.depth = 0
        self.body = None            # number of the body being written; None inside a function
        self.func = -1
        self.factor = 1             # how often the loops around repeat what is being written
        self.handling = False       # inside an except clause
        self.awaited_itself = False
        self.timeouts = 0           # how many timeout blocks are around
        self.groups = 0             # how many group blocks are around
        self.copies = set()         # bodies that have tasks in their second slot
        self.themes = self.draw_themes(group_cancel)
        self.awaitables = self.merged(AWAITABLES, 1)
        self.instructions = self.merged(INSTRUCTIONS, 2)
        self.blocks = self.merged({"try": 5, "loop": 0.7}, 3)
        if group_cancel:
            self.instructions["gcancel"] = sum(self.instructions.values()) / 5
        self.storm = idioms.storm_theme(self) if self.chance(0.7) else None
        if group_cancel and self.chance(0.6):
            self.storm = "group"
        self.queue_roles = {"produce": 3, "consume": 3, "join": 1.5}
        if self.storm == "queue":
            self.queue_roles = {rng.choice(("produce", "consume")): 5, "join": 1}
            self.instructions["getn" if "produce" in self.queue_roles else "putn"] += 10
        self.body_count = rng.choice((4, 5, 6) if self.storm == "group"
                                     else (2, 3, 3, 4, 4, 5, 6, 7))
        self.func_count = rng.choice((1, 2, 3) if "callback" in self.themes else (0, 0, 1))
        self.future_count = rng.choice((1, 2, 3) if "future" in self.themes else (0, 0, 1))
        self.starts = [1] + [0] * (self.body_count - 1)
        self.parent = [0] + [rng.choice([0] * 3 + list(range(j)))
                             for j in range(1, self.body_count)]

    def draw_themes(self, group_cancel):
        """One to four themes; the rest of the language stays silent in this program."""
        names = list(THEMES)
        weights = [THEMES[name][0] for name in names]
        themes = set(self.rng.choices(names, weights, k=self.rng.choice((1, 2, 3, 3, 4))))
        if group_cancel:
            themes.add("group")
        return themes

    def merged(self, base, column):
        weights = dict(base)
        for name in sorted(self.themes):
            for key, weight in THEMES[name][column].items():
                weights[key] = weights.get(key, 0) + weight
        return weights

    # --- small choices

    def emit(self, text):
        self.lines.append("  " * self.depth + text)

    def draw(self, weights):
        """One key of a table of weights."""
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def chance(self, probability):
        return self.rng.random() < probability

    def ticks(self):
        return self.rng.choice(SLEEPS)

    def message(self):
        return self.rng.choice(MESSAGES)

    def value(self):
        return self.rng.randint(1, 9)

    def number(self, space):
        """An existing object of a space."""
        if space in ("sem", "queue"):
            return int(self.chance(0.1 if self.storm else 0.3))
        return 0

    def target(self):
        """A slot to cancel or look at: any task or future of the program."""
        slots = [TASK_SLOT + j for j in range(1, self.body_count)] * 3
        slots += range(self.future_count)
        slots += [COPY_SLOT + j for j in sorted(self.copies)] * 3
        if "ensure" in self.instructions:
            slots += [base + j for j in range(self.body_count) for base in (ENSURED_SLOT, LIST_SLOT)
                      if base == ENSURED_SLOT or j <= LAST_LIST_BODY]
        return self.rng.choice(slots)

    def awaitable_slot(self):
        """A slot that the current body may await, or None."""
        slots = [TASK_SLOT + j for j in range(self.body + 1, self.body_count)] * 2
        slots += list(range(self.future_count)) * 2
        if "ensure" in self.instructions:
            slots += [ENSURED_SLOT + j for j in range(self.body, self.body_count)]
        return self.rng.choice(slots) if slots else None

    def start_body(self):
        """A body of a higher number that may be started once more here, or None."""
        low = (self.body if self.body is not None else self.body_count - 1) + 1
        added = (self.starts[self.body] if self.body is not None else 1) * self.factor
        choices = [j for j in range(low, self.body_count) if self.starts[j] + added <= MAX_STARTS]
        if not choices:
            return None
        chosen = self.rng.choice(choices)
        self.starts[chosen] += added
        return chosen

    def context(self):
        return self.rng.choice((-1, 0, 1)) if "context" in self.themes else -1

    def mode(self):
        return "eager" if self.chance(0.2) else "lazy"

    def callback(self):
        """A function that may be scheduled here, or None."""
        choices = range(self.func + 1, self.func_count)
        return self.rng.choice(choices) if choices else None

    # --- awaitables

    def awaitable(self, nesting=0, future_like=False):
        """An expression; `future_like` excludes bare coroutines, which wait() does not take."""
        weights = dict(self.awaitables)
        if nesting >= 2:
            for composite in ("gather", "shield", "wait", "waitfor"):
                weights.pop(composite, None)
        if nesting:
            weights.pop("wait", None)
        if future_like:
            weights = {k: w for k, w in weights.items() if k in ("f", "gather", "shield")}
        return self.expression(self.draw(weights), nesting)

    def expression(self, kind, nesting):
        if kind == "f":
            slot = self.awaitable_slot()
            return "sleep 1" if slot is None else f"f {slot}"
        if kind == "c":
            body = self.start_body()
            return "sleep 0" if body is None else f"c {body}"
        if kind in ("gather", "wait"):
            return self.combination(kind, nesting)
        if kind == "shield":
            return "shield " + self.awaitable(nesting + 1)
        if kind == "waitfor":
            waiting = nesting == 0 and "wait" in self.themes and self.chance(0.2)
            inner = self.combination("wait", 1) if waiting else self.awaitable(nesting + 1)
            if waiting and inner.endswith(" 0"):
                inner = "sleep 1"   # C answers an empty wait() at once, and not when it starts
            return f"waitfor {self.rng.choice(TIMEOUTS)} {inner}"
        return idioms.simple(self, kind)

    def combination(self, kind, nesting):
        if kind == "gather":
            count = self.rng.choice((0, 1, 2, 2, 3))
            inner = [self.awaitable(nesting + 1) for _ in range(count)]
            mode = self.rng.choice(("raise", "return"))
            return " ".join(["gather", mode, str(len(inner)), *inner])
        count = self.rng.choice((1, 2, 2, 3))
        inner = [self.awaitable(nesting + 1, future_like=True) for _ in range(count)]
        inner = [aw for aw in inner if not aw.startswith("sleep")]
        mode = self.rng.choice(("first", "exception", "all"))
        return " ".join(["wait", mode, str(self.rng.choice(WAITS)), str(len(inner)), *inner])

    # --- instructions

    def statement(self, nesting):
        """One instruction, block or idiom of the current body."""
        shape = {"await": 9, "sync": 7, "raise": 0.7, "idiom": 3, "race": 2, "spawn": 1}
        if self.body == 0:
            shape.update({"sync": 9, "race": 5, "spawn": 2})
        if nesting < 3:
            shape["block"] = 6
        if self.timeouts:
            shape["deadline"] = 2
        if self.groups:
            shape["child"] = 1
        getattr(self, "write_" + self.draw(shape))(nesting)

    def statements(self, count, nesting):
        for _ in range(count):
            self.statement(nesting)

    def nested(self, count, nesting):
        """An indented block."""
        self.depth += 1
        self.statements(count, nesting + 1)
        self.depth -= 1

    def write_await(self, nesting):
        # Once, of body 0 alone: whoever awaits such a task then, itself too, fails at once.
        itself = self.chance(0.005) and self.body == 0 and nesting == 0 and not self.awaited_itself
        self.awaited_itself |= itself
        self.emit("awaitself" if itself else "await " + self.awaitable())

    def write_sync(self, nesting):
        self.emit(self.instruction())

    def write_raise(self, nesting):
        self.emit("reraise" if self.handling and self.chance(0.5) else f"raise {self.value()}")

    def write_idiom(self, nesting):
        idioms.write(self, nesting)

    def write_race(self, nesting):
        """Wakes somebody and cancels somebody in one step, in either order."""
        pair = [f"cancel {self.target()} {self.message()}", self.instruction()]
        self.rng.shuffle(pair)
        if self.chance(0.6):
            self.emit(f"await sleep {self.ticks()}")
        for line in pair:
            self.emit(line)

    def write_spawn(self, nesting):
        body = self.start_body()
        if body is not None:
            self.spawn(body, self.chance(0.3))

    def spawn(self, body, copy=False):
        mode = self.mode()
        context = -1 if mode == "eager" else self.context()
        if copy:
            self.copies.add(body)
        self.emit(f"spawn {(COPY_SLOT if copy else TASK_SLOT) + body} {body} {mode} {context}")

    def write_deadline(self, nesting):
        """Looks at, or moves, a timeout around."""
        self.emit(idioms.instruction(self, self.draw({"resched": 3, "when": 1, "expired": 1})))

    def write_child(self, nesting):
        text = idioms.instruction(self, "gspawn")
        if text is not None:
            self.emit(text)

    def instruction(self):
        """The text of one instruction that never suspends."""
        weights = self.instructions
        if self.body is None:
            weights = {k: w for k, w in weights.items() if not k.endswith("self") and k != "whoami"}
        text = idioms.instruction(self, self.draw(weights))
        return "mark 0" if text is None else text

    def write_block(self, nesting):
        op = self.draw(self.blocks)
        count = self.rng.choice((1, 1, 2, 3))
        if op == "try":
            return self.write_try(nesting)
        if op == "group":
            return self.write_group(nesting)
        if op == "loop":
            return self.write_loop(count, nesting)
        if op in ("timeout", "timeoutat"):
            when = self.rng.choice(TIMEOUTS) if op == "timeout" else self.rng.randint(0, 12)
            self.emit(f"{op} {self.rng.randrange(2)} {when}")
            if self.chance(0.7):
                self.depth += 1
                self.write_await(nesting)
                self.depth -= 1
        elif op == "each":
            aws = [self.awaitable(1) for _ in range(self.rng.choice((0, 1, 2, 3)))]
            mode = self.rng.choice(("plain", "soft", "async"))
            self.emit(" ".join(["each", mode, str(self.rng.choice(WAITS)), str(len(aws)), *aws]))
            count = self.rng.choice((0, 0, 1))
        else:
            self.emit(f"{op} {self.number(op[4:])}")
        self.timeouts += op.startswith("timeout")
        self.nested(count, nesting)
        self.timeouts -= op.startswith("timeout")
        self.emit("end")

    def write_loop(self, count, nesting):
        times = self.rng.choice((2, 2, 3))
        self.emit(f"loop {times}")
        self.factor *= times
        self.nested(count, nesting)
        self.factor //= times
        self.emit("end")

    def write_group(self, nesting):
        group = int(self.chance(0.25))
        self.emit(f"group {group}")
        self.depth += 1
        for _ in range(self.rng.choice((0, 1, 2, 2, 3))):
            body = self.start_body()
            if body is not None:
                self.emit(f"gspawn {group} {TASK_SLOT + body} {body} {self.mode()}")
        self.depth -= 1
        self.groups += 1
        self.nested(self.rng.choice((0, 1, 1, 2)), nesting)
        self.groups -= 1
        self.emit("end")

    def write_try(self, nesting):
        self.emit("try")
        self.depth += 1
        self.write_await(nesting)
        self.depth -= 1
        self.nested(self.rng.choice((0, 0, 1, 2)), nesting)
        final = self.chance(0.35)
        handlers = self.rng.choice((0, 1)) if final else self.rng.choice((1, 1, 1, 2))
        kinds = ("cancelled", "cancelled", "cancelled", "any", "any", "error", "timeout", "group")
        for kind in dict.fromkeys(self.rng.choices(kinds, k=handlers)):
            self.write_handler(kind, nesting)
        if final:
            self.emit("finally")
            self.nested(self.rng.choice((1, 1, 2)), nesting + 1)
        self.emit("end")

    def write_handler(self, kind, nesting):
        self.emit(f"except {kind}")
        outer, self.handling = self.handling, True
        self.depth += 1
        if kind in ("cancelled", "any") and self.chance(0.25):
            self.emit("uncancelself")
        self.statements(self.rng.choice((0, 0, 1, 1, 2)), nesting + 1)
        ending = self.draw({"reraise": 4, "raise": 1, "return": 1, "": 3})
        if ending:
            self.emit(ending if ending == "reraise" else f"{ending} {self.value()}")
        self.depth -= 1
        self.handling = outer

    # --- the program

    def declare(self):
        rng = self.rng
        if "lock" in self.themes:
            self.emit("lock 0")
        if "event" in self.themes:
            self.emit("event 0")
        if "cond" in self.themes:
            self.emit("cond 0 0" if "lock" in self.themes and self.chance(0.5) else "cond 0 -1")
        if "sem" in self.themes:
            self.emit(f"sem 0 {rng.choice((0, 1, 1, 2))}")
            self.emit(f"bsem 1 {rng.choice((1, 1, 2))}")
        if "barrier" in self.themes:
            self.emit(f"barrier 0 {rng.choice((1, 2, 2, 3))}")
        if "queue" in self.themes:
            size = rng.choice((1, 1, 2) if "consume" not in self.queue_roles else (0, 1, 1, 2))
            self.emit(f"queue 0 {rng.choice(('fifo', 'fifo', 'lifo', 'prio'))} {size}")
            self.emit(f"queue 1 {rng.choice(('lifo', 'prio'))} {rng.choice((0, 1, 2))}")
        for slot in range(self.future_count):
            self.emit(f"future {slot}")

    def write_body(self, number):
        self.body = number
        self.emit(f"body {number}")
        self.depth += 1
        for child in [j for j in range(1, self.body_count) if self.parent[j] == number]:
            if self.starts[child] + self.starts[number] <= MAX_STARTS:
                self.starts[child] += self.starts[number]
                self.spawn(child)
                if self.chance(0.2):
                    self.statement(2)
        if number == 0 and self.storm:
            names = THEMES[self.storm][2]
            names = [*names, "gcancel"] if "gcancel" in self.instructions else names
            idioms.storm(self, {name: self.instructions[name] for name in names})
        elif self.storm and self.chance(0.85):
            idioms.write_victim(self)
        else:
            self.statements(self.rng.choice((3, 4, 5, 6, 8) if number == 0 else (1, 2, 2, 3, 4)), 0)
        if number == 0 and self.chance(0.4):
            self.await_all()
        ending = self.draw({"return": 4, "raise": 3 if "group" in self.themes else 1.5, "": 4})
        if ending:
            self.emit(f"{ending} {self.value()}")
        self.depth -= 1
        self.emit("end")

    def await_all(self):
        slots = [f"f {TASK_SLOT + j}" for j in range(1, self.body_count) if self.parent[j] == 0]
        mode = self.rng.choice(("raise", "return"))
        self.emit(" ".join(["await gather", mode, str(len(slots)), *slots]))

    def write_func(self, number):
        self.body, self.func = None, number
        self.emit(f"func {number}")
        self.depth += 1
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            cancelling = self.chance(0.3)
            self.emit(idioms.instruction(self, "cancel") if cancelling else self.instruction())
        self.depth -= 1
        self.emit("end")

    def program(self):
        """The text of the program."""
        self.declare()
        for number in range(self.body_count):
            self.write_body(number)
        for number in range(self.func_count):
            self.write_func(number)
        return "\n".join(self.lines)


def generate(seed, number, group_cancel=False):
    """Program `number` of a seed; `group_cancel` lets it use what asyncio has since 3.15."""
    text = Generator(random.Random(f"{seed}/{number}"), number, group_cancel).program()
    parse(text)
    return text
