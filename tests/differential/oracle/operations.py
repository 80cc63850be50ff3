"""The instructions that never suspend: functions of the machine and their arguments."""

import asyncio
import contextvars

from awaitables import build, seconds
from naming import UserError, error_name, outcome_name, value_name
from virtual_loop import TICKS


def _ticks(when):
    return "none" if when is None else int(when * TICKS)


def _call_soon(m, handle, func):
    m.handle[handle] = m.loop.call_soon(m.callback[func])


def _call_later(m, handle, ticks, func):
    m.handle[handle] = m.loop.call_later(seconds(ticks), m.callback[func])


def _call_at(m, handle, ticks, func):
    m.handle[handle] = m.loop.call_at(seconds(ticks), m.callback[func])


def _ensure(m, slot, aw):
    m.slot[slot] = asyncio.ensure_future(build(m, aw))


def _spawn(m, slot, body, mode, context):
    activation = m.activation(body)
    held = None if context < 0 else m.ctx[context]
    m.slot[slot] = asyncio.create_task(m.enter(activation), eager_start=mode == "eager",
                                       context=held)
    return f"c{activation.number}"


def _gspawn(m, group, slot, body, mode):
    activation = m.activation(body)
    m.slot[slot] = m.group[group].create_task(m.enter(activation), eager_start=mode == "eager")
    return f"c{activation.number}"


def _raise(m, number):
    raise UserError(number)


def _error(m, slot):
    error = m.slot[slot].exception()
    return "none" if error is None else error_name(error)


def _name(task):
    name = task.get_name()
    return "default" if name.startswith("Task-") else name


def _set_variable(m, number, value):
    m.token[number] = m.contextvars[number].set(value)


def _resched(m, number, when):
    m.timeout[number].reschedule(None if when is None else m.loop.time() + seconds(when))


def _barrier_state(m, number):
    barrier = m.barrier[number]
    return f"{barrier.parties} {barrier.n_waiting} {int(barrier.broken)}"


def _queue_state(m, number):
    queue = m.queue[number]
    return f"{queue.qsize()} {int(queue.empty())} {int(queue.full())}"


def _call(method):
    """A method of an object of one space, without an answer that the trace shows."""
    space, _, name = method.partition(".")

    def call(machine, number, *args):
        getattr(getattr(machine, space)[number], name)(*args)
    return call


def _ask(method):
    """The same for what answers a number or a boolean."""
    space, _, name = method.partition(".")
    return lambda machine, number, *args: int(getattr(getattr(machine, space)[number], name)(*args))


OPERATIONS = {
    "mark": lambda m, number: None,
    "now": lambda m: m.loop.ticks(),
    "alltasks": lambda m: len(asyncio.all_tasks()),
    "var": lambda m, number, value: m.var.__setitem__(number, value),
    "future": lambda m, slot: m.slot.__setitem__(slot, m.loop.create_future()),
    "setres": _call("slot.set_result"),
    "seterr": lambda m, slot, number: m.slot[slot].set_exception(UserError(number)),
    "cancel": _ask("slot.cancel"),
    "peek": lambda m, slot: outcome_name(m.slot[slot]),
    "result": lambda m, slot: value_name(m.slot[slot].result()),
    "error": _error,
    "ensure": _ensure,
    "adddone": lambda m, slot, func: m.slot[slot].add_done_callback(m.callback[func]),
    "remdone": lambda m, slot, func: m.slot[slot].remove_done_callback(m.callback[func]),
    "spawn": _spawn,
    "gspawn": _gspawn,
    "gcancel": _call("group.cancel"),
    "uncancel": _ask("slot.uncancel"),
    "cancelling": _ask("slot.cancelling"),
    "setname": _call("slot.set_name"),
    "getname": lambda m, slot: _name(m.slot[slot]),
    "callsoon": _call_soon,
    "calllater": _call_later,
    "callat": _call_at,
    "hcancel": _call("handle.cancel"),
    "ctxset": _set_variable,
    "ctxget": lambda m, number: m.contextvars[number].get(),
    "ctxreset": lambda m, number: m.contextvars[number].reset(m.token[number]),
    "ctxcopy": lambda m, number: m.ctx.__setitem__(number, contextvars.copy_context()),
    "ctxrun": lambda m, context, number, value: m.ctx[context].run(_set_variable, m, number, value),
    "ctxsee": lambda m, context, number: m.ctx[context].run(m.contextvars[number].get),
    "release": _call("lock.release"),
    "locked": _ask("lock.locked"),
    "set": _call("event.set"),
    "clear": _call("event.clear"),
    "isset": _ask("event.is_set"),
    "notify": _call("cond.notify"),
    "notifyall": _call("cond.notify_all"),
    "crelease": _call("cond.release"),
    "clocked": _ask("cond.locked"),
    "srelease": _call("sem.release"),
    "slocked": _ask("sem.locked"),
    "bstate": _barrier_state,
    "putn": _call("queue.put_nowait"),
    "getn": lambda m, number: m.queue[number].get_nowait(),
    "taskdone": _call("queue.task_done"),
    "qstate": _queue_state,
    "shutdown": lambda m, number, immediate: m.queue[number].shutdown(immediate != 0),
    "resched": _resched,
    "when": lambda m, number: _ticks(m.timeout[number].when()),
    "expired": lambda m, number: int(m.timeout[number].expired()),
    "raise": _raise,
    # Instructions of tasks alone: about the running one.
    "cancelself": lambda m, message: int(asyncio.current_task().cancel(message)),
    "uncancelself": lambda m: asyncio.current_task().uncancel(),
    "cancellingself": lambda m: asyncio.current_task().cancelling(),
    "whoami": lambda m: _name(asyncio.current_task()),
}
