"""Walks the nested blocks of a body: what suspends, and what contains other instructions.

A block ends by falling off its end (None), by `return` (Returned) or by an exception.
GeneratorExit is the oracle's own housekeeping (an abandoned program is garbage) and leaves no
mark.
"""

import asyncio

from awaitables import build, build_all, seconds
from naming import error_name, matches, outcome_name, value_name
from operations import OPERATIONS


class Returned:
    """`return V` on its way out of the blocks around it."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


async def run(machine, activation, nodes, caught):
    """Runs a list of instructions; `caught` is the error of the innermost handler around them."""
    for node in nodes:
        activation.line = node.line
        if node.op in OPERATIONS:
            machine.step(f"c{activation.number}", node)
            continue
        if not machine.runnable(node):
            machine.log(f"c{activation.number}", node.line, "skip")
            continue
        returned = await _SUSPENDING[node.op](machine, activation, node, caught)
        if returned is not None:
            return returned
    return None


class _Logged:
    """Logs the exception that leaves a `with` of this, at the line of the instruction."""

    def __init__(self, machine, activation, node):
        self.machine, self.who, self.node = machine, f"c{activation.number}", node

    def log(self, text):
        self.machine.log(self.who, self.node.line, text)

    def failure(self, error):
        return "! " + error_name(error)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if error is not None and kind is not GeneratorExit:
            self.log(self.failure(error))
        return False


async def _await(machine, activation, node, caught):
    with _Logged(machine, activation, node) as logged:
        value = await build(machine, node.args[0])
        logged.log("= " + value_name(value))


async def _await_self(machine, activation, node, caught):
    with _Logged(machine, activation, node) as logged:
        await asyncio.current_task()
        logged.log("=")


async def _reraise(machine, activation, node, caught):
    if caught is None:
        machine.log(f"c{activation.number}", node.line, "skip")
        return
    with _Logged(machine, activation, node):
        raise caught


async def _return(machine, activation, node, caught):
    machine.log(f"c{activation.number}", node.line, f"= {node.args[0]}")
    return Returned(node.args[0])


async def _loop(machine, activation, node, caught):
    for _ in range(node.args[0]):
        returned = await run(machine, activation, node.block, caught)
        if returned is not None:
            return returned


async def _handled(machine, activation, node, caught):
    """The `try` block with its `except` clauses, without its `finally`."""
    try:
        return await run(machine, activation, node.block, caught)
    except GeneratorExit:
        raise
    except BaseException as error:
        for clause in node.clauses:
            if clause.op == "except" and matches(clause.args[0], error):
                machine.log(f"c{activation.number}", clause.line, "caught " + error_name(error))
                return await run(machine, activation, clause.block, error)
        raise


async def _try(machine, activation, node, caught):
    if not node.clauses or node.clauses[-1].op != "finally":
        return await _handled(machine, activation, node, caught)
    failure = None
    try:
        returned = await _handled(machine, activation, node, caught)
    except GeneratorExit:
        raise
    except BaseException as error:
        failure = error
    overriding = await run(machine, activation, node.clauses[-1].block, caught)
    if overriding is not None:
        return overriding
    if failure is not None:
        raise failure
    return returned


async def _timeout(machine, activation, node, caught):
    number, when = node.args
    absolute = node.op == "timeoutat"
    scope = (asyncio.timeout_at if absolute else asyncio.timeout)(seconds(when))
    with _Logged(machine, activation, node) as logged:
        logged.failure = lambda error: f"! {error_name(error)} {int(scope.expired())}"
        async with scope:
            machine.timeout[number] = scope
            logged.log("enter")
            returned = await run(machine, activation, node.block, caught)
        logged.log(f"exit {int(scope.expired())}")
    return returned


async def _group(machine, activation, node, caught):
    with _Logged(machine, activation, node) as logged:
        returned = None     # stays so if the group swallows the cancellation that gcancel caused
        async with asyncio.TaskGroup() as group:
            machine.group[node.args[0]] = group
            logged.log("enter")
            returned = await run(machine, activation, node.block, caught)
        logged.log("exit")
    return returned


async def _with(machine, activation, node, caught):
    scope = getattr(machine, node.op.removeprefix("with"))[node.args[0]]
    with _Logged(machine, activation, node) as logged:
        async with scope as value:
            logged.log("enter " + value_name(value))
            returned = await run(machine, activation, node.block, caught)
        logged.log("exit")
    return returned


async def _each(machine, activation, node, caught):
    mode, timeout, aws = node.args
    with _Logged(machine, activation, node) as logged:
        futures = build_all(machine, aws)
        iterator = asyncio.as_completed(futures, timeout=seconds(timeout))
        if mode == "async":
            return await _each_future(machine, activation, node, caught, futures, iterator)
        for coming in iterator:
            try:
                value = await coming
            except Exception as error:
                if mode == "plain":
                    raise
                logged.log("missed " + error_name(error))
                continue
            logged.log("next " + value_name(value))
            returned = await run(machine, activation, node.block, caught)
            if returned is not None:
                return returned
        logged.log("exit")


async def _each_future(machine, activation, node, caught, futures, iterator):
    async for future in iterator:
        position = futures.index(future) if future in futures else "-"
        machine.log(f"c{activation.number}", node.line, f"next {position} {outcome_name(future)}")
        returned = await run(machine, activation, node.block, caught)
        if returned is not None:
            return returned
    machine.log(f"c{activation.number}", node.line, "exit")


_SUSPENDING = {
    "await": _await, "awaitself": _await_self, "reraise": _reraise, "return": _return,
    "loop": _loop, "try": _try, "timeout": _timeout, "timeoutat": _timeout, "group": _group,
    "each": _each,
    "withlock": _with, "withcond": _with, "withsem": _with, "withbarrier": _with,
}
