"""The leaves of generated programs, and the short sequences that people really write.

Random instructions alone mostly fail (release of a free lock, wait on an un-acquired condition);
the idioms bring every primitive into the states in which cancellation is interesting.
"""

from layout import ENSURED_SLOT, LAST_LIST_BODY, LIST_SLOT, TASK_SLOT

OBJECT_OF = {
    "acquire": "lock", "event": "event", "cacquire": "cond", "cwait": "cond", "cwaitfor": "cond",
    "sacquire": "sem", "bwait": "barrier", "breset": "barrier", "babort": "barrier",
    "put": "queue", "get": "queue", "join": "queue",
    "release": "lock", "locked": "lock", "set": "event", "clear": "event", "isset": "event",
    "notifyall": "cond", "crelease": "cond", "clocked": "cond", "srelease": "sem", "slocked": "sem",
    "bstate": "barrier", "getn": "queue", "taskdone": "queue", "qstate": "queue",
}


def simple(gen, kind):
    """The text of an awaitable that holds no other."""
    if kind == "sleep":
        return f"sleep {gen.ticks()}"
    if kind == "sleepres":
        return f"sleepres {gen.ticks()} {gen.value()}"
    number = gen.number(OBJECT_OF[kind])
    if kind == "put":
        return f"put {number} {gen.value()}"
    if kind == "cwaitfor":
        return f"cwaitfor {number} 0"
    return f"{kind} {number}"


def _slot_of_future(gen):
    return gen.rng.randrange(gen.future_count) if gen.future_count else None


def _on_future(gen, op):
    slot = _slot_of_future(gen)
    if slot is None:
        return None
    if op in ("setres", "seterr"):
        if gen.chance(0.03):
            slot = gen.target()
            if not TASK_SLOT <= slot < ENSURED_SLOT:
                return None     # plain futures accept, tasks refuse, the others are nobody's
        return f"{op} {slot} {gen.value()}"
    return f"{op} {slot}"


def _scheduling(gen, op):
    func = gen.callback()
    if func is None:
        return None
    handle = gen.rng.randrange(3)
    if op == "callsoon":
        return f"callsoon {handle} {func}"
    ticks = gen.ticks() if op == "calllater" else gen.rng.randint(0, 12)
    return f"{op} {handle} {ticks} {func}"


def _ensure(gen, op):
    if gen.body is None:
        return None
    kind = gen.draw({k: w for k, w in gen.awaitables.items() if k not in ("wait", "sleepres")})
    return _ensured(gen, gen.expression(kind, 1))


def _ensured(gen, expression):
    """Lists have one owner in some languages, so that futures of lists have slots of their own."""
    kind = next(word for word in expression.split()
                if word.isalpha() and word not in ("shield", "waitfor", "none"))
    if kind != "gather":
        return f"ensure {ENSURED_SLOT + gen.body} {expression}"
    if gen.body > LAST_LIST_BODY:
        return None
    return f"ensure {LIST_SLOT + gen.body} {expression}"


def _group_spawn(gen, op):
    body = gen.start_body()
    if body is None:
        return None
    return f"gspawn {int(gen.chance(0.2))} {TASK_SLOT + body} {body} {gen.mode()}"


def _on_target(gen, op):
    return f"{op} {gen.target()}"


def _on_callback(gen, op):
    func = gen.callback()
    return None if func is None else f"{op} {gen.target()} {func}"


RESCHEDULED = (-1, 0, 1, 2, 4, "none")

INSTRUCTIONS = {
    "cancel": lambda g, op: f"cancel {g.target()} {g.message()}",
    "peek": _on_target, "result": _on_target, "error": _on_target,
    "uncancel": _on_target, "cancelling": _on_target, "getname": _on_target,
    "setname": lambda g, op: f"setname {g.target()} n{g.value()}",
    "mark": lambda g, op: f"mark {g.value()}",
    "future": _on_future, "setres": _on_future, "seterr": _on_future,
    "ensure": _ensure, "gspawn": _group_spawn,
    "gcancel": lambda g, op: f"gcancel {g.rng.randrange(2)}",
    "adddone": _on_callback, "remdone": _on_callback,
    "callsoon": _scheduling, "calllater": _scheduling, "callat": _scheduling,
    "hcancel": lambda g, op: f"hcancel {g.rng.randrange(3)}",
    "notify": lambda g, op: f"notify 0 {g.rng.choice((0, 1, 1, 2))}",
    "putn": lambda g, op: f"putn {g.number('queue')} {g.value()}",
    "shutdown": lambda g, op: f"shutdown {g.number('queue')} {g.rng.randrange(2)}",
    "var": lambda g, op: f"var 0 {g.rng.randrange(2)}",
    "ctxset": lambda g, op: f"ctxset {g.rng.randrange(2)} {g.value()}",
    "ctxget": lambda g, op: f"ctxget {g.rng.randrange(2)}",
    "ctxreset": lambda g, op: f"ctxreset {g.rng.randrange(2)}",
    "ctxcopy": lambda g, op: f"ctxcopy {g.rng.randrange(2)}",
    "ctxrun": lambda g, op: f"ctxrun {g.rng.randrange(2)} {g.rng.randrange(2)} {g.value()}",
    "ctxsee": lambda g, op: f"ctxsee {g.rng.randrange(2)} {g.rng.randrange(2)}",
    "resched": lambda g, op: f"resched {g.rng.randrange(2)} {g.rng.choice(RESCHEDULED)}",
    "when": lambda g, op: f"when {g.rng.randrange(2)}",
    "expired": lambda g, op: f"expired {g.rng.randrange(2)}",
    "now": lambda g, op: "now", "alltasks": lambda g, op: "alltasks",
    "uncancelself": lambda g, op: op, "cancellingself": lambda g, op: op,
    "whoami": lambda g, op: op,
    "cancelself": lambda g, op: f"{op} {g.message()}",
}


def instruction(gen, op):
    """The text of an instruction that never suspends, or None if it has no operand here."""
    if op in INSTRUCTIONS:
        return INSTRUCTIONS[op](gen, op)
    return f"{op} {gen.number(OBJECT_OF[op])}"


# --- idioms: each writes a few lines into the body

def _guarded(gen, nesting, acquire, release):
    gen.emit(acquire)
    gen.emit("try")
    gen.nested(gen.rng.choice((1, 1, 2)), nesting)
    gen.emit("finally")
    gen.emit("  " + release)
    gen.emit("end")


def _lock(gen, nesting):
    _guarded(gen, nesting, "await acquire 0", "release 0")


def _sem(gen, nesting):
    number = gen.number("sem")
    _guarded(gen, nesting, f"await sacquire {number}", f"srelease {number}")


def _cond(gen, nesting):
    lines = {"notify 0 1": 4, "notifyall 0": 2, "notify 0 2": 1}
    if gen.body != 0:
        lines.update({"await cwait 0": 5, "await cwaitfor 0 0": 2})
    gen.emit("withcond 0")
    for _ in range(gen.rng.choice((1, 1, 2, 3))):
        line = gen.draw(lines)
        if "notify" in line and gen.chance(0.4):
            gen.emit("  var 0 1")
        gen.emit("  " + line)
        if gen.chance(0.3):
            gen.emit(f"  await sleep {gen.ticks()}")
    gen.emit("end")


def _event(gen, nesting):
    if gen.chance(0.5):
        gen.emit("await event 0")
        if gen.chance(0.4):
            gen.emit("clear 0")
    else:
        gen.emit(f"await sleep {gen.ticks()}")
        gen.emit("set 0")
        if gen.chance(0.4):
            gen.emit("clear 0")


def _barrier(gen, nesting):
    for _ in range(gen.rng.choice((1, 2))):
        gen.emit("await bwait 0")


def _queue(gen, nesting):
    number = gen.number("queue")
    choice = gen.draw(gen.queue_roles)
    if choice == "join":
        gen.emit(f"await join {number}")
        return
    gen.emit(f"loop {gen.rng.choice((2, 2, 3))}")
    if choice == "produce":
        gen.emit(f"  await put {number} {gen.value()}")
    else:
        gen.emit(f"  await get {number}")
    if gen.chance(0.4):
        gen.emit(f"  await sleep {gen.ticks()}")
    if choice == "consume" and gen.chance(0.7):
        gen.emit(f"  taskdone {number}")
    gen.emit("end")


def _retry_shield(gen, nesting):
    slot = gen.awaitable_slot()
    if slot is None:
        return
    gen.emit("loop 2")
    gen.emit("  try")
    gen.emit(f"    await shield f {slot}")
    gen.emit("  except cancelled")
    gen.emit("    cancellingself")
    gen.emit("  end")
    gen.emit("end")


def _suppress(gen, nesting):
    """Catches a cancellation, takes it back and goes on."""
    gen.emit("try")
    gen.nested(1, nesting)
    gen.emit("except cancelled")
    if gen.chance(0.5):
        gen.emit("  uncancelself")
    if gen.chance(0.5):
        gen.emit(f"  await sleep {gen.ticks()}")
    gen.emit("end")


def _patience(gen, nesting):
    """Sleeps in a try whose cleanup takes time: what others must wait for."""
    gen.emit("try")
    gen.emit(f"  await {gen.awaitable()}")
    gen.emit("finally")
    gen.emit(f"  await sleep {gen.rng.choice((0, 1, 2, 4))}")
    gen.emit("end")


def _stubborn(gen, nesting):
    """Answers a cancellation with something else than its end."""
    gen.emit("try")
    gen.emit(f"  await {gen.awaitable()}")
    gen.emit("except cancelled")
    if gen.groups or "group" in gen.themes and gen.chance(0.3):
        gen.emit("  " + (instruction(gen, "gspawn") or "mark 0"))
    if gen.chance(0.4):
        gen.emit(f"  await sleep {gen.ticks()}")
    gen.emit(f"  {gen.draw({'raise': 3, 'return': 1})} {gen.value()}")
    gen.emit("end")


def _abandoned_shield(gen, nesting):
    """Leaves a shielded body behind, which may fail when nobody waits for it any more."""
    body = gen.start_body()
    if body is None:
        return
    gen.emit(f"timeout 1 {gen.rng.choice((0, 1, 2))}")
    gen.emit(f"  await shield c {body}")
    gen.emit("end")


def _observed_future(gen, nesting):
    """Keeps a combined future in a slot and looks at it while its parts move."""
    text = _ensured(gen, gen.expression(gen.draw({"gather": 2, "shield": 2}), 1))
    if text is None:
        return
    gen.emit(text)
    slot = int(text.split()[1])
    for _ in range(gen.rng.choice((1, 2, 3))):
        lines = (f"peek {slot}", f"await sleep {gen.ticks()}", instruction(gen, "cancel"),
                 f"cancel {slot} {gen.message()}")
        gen.emit(gen.rng.choice(lines))
    wrappers = ("",) if slot < TASK_SLOT else ("", "shield ", "gather return 1 ")
    gen.emit(f"await {gen.rng.choice(wrappers)}f {slot}")


def _parent(gen, nesting):
    """A group whose end is survived, so that what it leaves behind in the task shows."""
    gen.emit("try")
    gen.depth += 1
    gen.write_group(nesting + 1)
    gen.depth -= 1
    gen.emit(f"except {gen.rng.choice(('any', 'any', 'group', 'cancelled'))}")
    if gen.chance(0.5):
        gen.emit("  cancellingself")
    gen.emit(f"  await {gen.awaitable()}")
    gen.emit("end")


def _late_timeout(gen, nesting):
    """A timeout in a task that has been cancelled before and went on."""
    if gen.chance(0.5):
        gen.emit(f"cancelself {gen.message()}")
    gen.emit("try")
    gen.emit(f"  await {gen.awaitable()}")
    gen.emit("except cancelled")
    gen.emit("end")
    gen.emit("try")
    gen.emit(f"  timeout 0 {gen.rng.choice((0, 1, 2, 3))}")
    gen.emit(f"    await {gen.awaitable()}")
    gen.emit("  end")
    gen.emit("except any")
    gen.emit("  cancellingself")
    gen.emit("end")


def _wait_for_failure(gen, nesting):
    slots = [slot for slot in (gen.awaitable_slot() for _ in range(3)) if slot is not None]
    if slots:
        slots = " ".join(f"f {slot}" for slot in slots)
        count = len(slots.split()) // 2
        gen.emit(f"await wait exception {gen.rng.choice((2, 4, 'none'))} {count} {slots}")


def _context(gen, nesting):
    """Moves context variables about; the copies are shared by tasks that are spawned in them."""
    lines = {"ctxcopy": 3, "ctxset": 4, "ctxrun": 3, "ctxsee": 3, "ctxreset": 3, "ctxget": 2}
    gen.emit(instruction(gen, "ctxcopy"))
    for _ in range(gen.rng.choice((2, 3, 4))):
        gen.emit(instruction(gen, gen.draw(lines)))


def _future(gen, nesting):
    slot = _slot_of_future(gen)
    wrappers = ("", "", "shield ", "waitfor 2 ", "gather return 1 ")
    gen.emit(f"await {gen.rng.choice(wrappers)}f {slot}")
    if gen.chance(0.3):
        gen.emit(f"{gen.rng.choice(('result', 'error', 'future'))} {slot}")


def _callback(gen, nesting):
    """Callbacks on something that will be done, one of them perhaps taken back."""
    last = gen.draw({"remdone": 2, "adddone": 1, "callsoon": 1, "hcancel": 1})
    for op in ("adddone", "adddone", last):
        text = instruction(gen, op)
        if text is not None:
            gen.emit(text)
    gen.emit(f"await sleep {gen.ticks()}")


_OF_THEME = {
    "barrier": (_barrier,), "callback": (_callback,), "cond": (_cond,), "context": (_context,),
    "event": (_event,), "future": (_future,), "gather": (_observed_future,),
    "group": (_parent, _stubborn), "lock": (_lock,), "queue": (_queue,), "sem": (_sem,),
    "shield": (_retry_shield, _abandoned_shield, _observed_future), "timeout": (_late_timeout,),
    "wait": (_wait_for_failure,),
}


def _of_themes(gen):
    return [idiom for theme in sorted(gen.themes) for idiom in _OF_THEME.get(theme, ())]


def write(gen, nesting):
    """One idiom of the themes of the program, or of cancellation in general."""
    choices = _of_themes(gen) * 2 + [_suppress, _patience, _stubborn]
    gen.rng.choice(choices)(gen, min(nesting, 3))


# --- storms: several tasks blocked on the same thing while main wakes and cancels without pause

def storm_theme(gen):
    """The theme that the program is about, or None."""
    themes = [theme for theme in sorted(gen.themes) if theme in _OF_THEME]
    return gen.rng.choice(themes) if themes else None


def write_victim(gen):
    """The content of a body that main will storm."""
    gen.rng.choice(_OF_THEME[gen.storm])(gen, 1)
    if gen.chance(0.3):
        write(gen, 1)
    gen.statements(gen.rng.choice((0, 0, 1)), 2)


def storm(gen, wakes):
    """Starts more tasks of the same bodies, lets them block, then wakes and cancels without pause.

    `wakes` are the instructions of the storm's theme with their weights.
    """
    for _ in range(gen.rng.choice((2, 3, 4))):
        gen.write_spawn(0)
    gen.emit(f"await sleep {gen.rng.choice((0, 0, 1, 1, 2))}")
    actions = {"cancel": 1.5, "race": 6, "breathe": 4, "sleep": 1.5, "await": 0.5}
    if wakes:
        actions["wake"] = 4
    if gen.storm in ("cond", "barrier"):
        actions["hold"] = 8
    for _ in range(gen.rng.choice((4, 6, 8, 10, 14))):
        _storm_action(gen, gen.draw(actions), wakes)


def _storm_action(gen, action, wakes):
    if action == "breathe":
        gen.emit("await sleep 0")
    elif action == "sleep":
        gen.emit(f"await sleep {gen.ticks()}")
    elif action == "await":
        gen.write_try(2)
    elif action == "hold" and gen.storm == "cond":
        _cond(gen, 0)
    elif action == "hold":
        gen.emit("await " + gen.draw({"breset 0": 4, "babort 0": 1, "waitfor 0 bwait 0": 1}))
    else:
        lines = [instruction(gen, "cancel")] if action != "wake" else []
        if action != "cancel" and wakes:
            lines.append(instruction(gen, gen.draw(wakes)))
        if action == "race" and gen.chance(0.3):
            lines.append(instruction(gen, "cancel"))
        gen.rng.shuffle(lines)
        for line in lines:
            gen.emit(line or "mark 0")
