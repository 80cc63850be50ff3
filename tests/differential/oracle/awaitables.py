"""Evaluates awaitable expressions into asyncio's own coroutines and futures."""

import asyncio

from naming import WaitResult
from virtual_loop import TICKS


def seconds(ticks):
    """Ticks as seconds; None stays None."""
    return None if ticks is None else ticks / TICKS


async def _wait(mode, timeout, futures):
    when = {"first": asyncio.FIRST_COMPLETED, "exception": asyncio.FIRST_EXCEPTION,
            "all": asyncio.ALL_COMPLETED}[mode]
    done, pending = await asyncio.wait(futures, timeout=seconds(timeout), return_when=when)
    return WaitResult(futures, done, pending)


_BUILDERS = {
    "f": lambda m, slot: m.slot[slot],
    "c": lambda m, body: m.enter(m.activation(body)),
    "sleep": lambda m, ticks: asyncio.sleep(seconds(ticks)),
    "sleepres": lambda m, ticks, value: asyncio.sleep(seconds(ticks), value),
    "acquire": lambda m, n: m.lock[n].acquire(),
    "event": lambda m, n: m.event[n].wait(),
    "cacquire": lambda m, n: m.cond[n].acquire(),
    "cwait": lambda m, n: m.cond[n].wait(),
    "cwaitfor": lambda m, n, v: m.cond[n].wait_for(lambda: m.var[v] != 0),
    "sacquire": lambda m, n: m.sem[n].acquire(),
    "bwait": lambda m, n: m.barrier[n].wait(),
    "breset": lambda m, n: m.barrier[n].reset(),
    "babort": lambda m, n: m.barrier[n].abort(),
    "put": lambda m, n, value: m.queue[n].put(value),
    "get": lambda m, n: m.queue[n].get(),
    "join": lambda m, n: m.queue[n].join(),
    "gather": lambda m, mode, aws: asyncio.gather(*build_all(m, aws),
                                                  return_exceptions=mode == "return"),
    "shield": lambda m, aw: asyncio.shield(build(m, aw)),
    "wait": lambda m, mode, timeout, aws: _wait(mode, timeout, build_all(m, aws)),
    "waitfor": lambda m, timeout, aw: asyncio.wait_for(build(m, aw), seconds(timeout)),
}


def build(machine, aw):
    """Evaluates one expression, its arguments first and from left to right."""
    return _BUILDERS[aw.kind](machine, *aw.args)


def build_all(machine, aws):
    """Evaluates a list of expressions."""
    return [build(machine, aw) for aw in aws]
