"""CPython's own event loop on a virtual clock, with insertion order where CPython leaves it open.

The loop is asyncio.BaseEventLoop with a selector that never has events: polling with a timeout
moves the clock by that timeout, polling without one (nothing ready, no timer) stops the loop.
Everything else is CPython's. The clock ticks in 1/512 s, which doubles and integer nanoseconds
both represent exactly.

`install()` fixes what CPython leaves to hashing or to an unstable heap, by substitution and not
by new semantics: timers with equal deadlines fire in arming order, and the sets inside wait(),
as_completed() and TaskGroup iterate in insertion order. `rewrite()` is the tool: it recompiles
one function of asyncio with one expression replaced, and returns what undoes that; the mutants of
the self-check use it too.
"""

import asyncio
import inspect
import itertools
import textwrap
from asyncio import base_events, events, taskgroups, tasks

TICKS = 512


class VirtualLoop(base_events.BaseEventLoop):
    """A loop whose clock jumps to the next timer; `iteration` counts the passes of a phase."""

    def __init__(self, keep_messages):
        super().__init__()
        self._selector = self
        self._clock_resolution = 1e-9
        self._keep_messages = keep_messages
        self.now = 0.0
        self.iteration = 0

    def time(self):
        return self.now

    def ticks(self):
        return int(self.now * TICKS)

    def select(self, timeout):
        self.iteration += 1
        if timeout is None:
            self.stop()
        else:
            self.now += timeout
        return ()

    def _process_events(self, event_list):
        pass

    def _write_to_self(self):
        pass

    def call_soon(self, callback, *args, context=None):
        # A task ends in one of its steps, which are scheduled here: nobody looks at it before that.
        task = getattr(callback, "__self__", None)
        if self._keep_messages and isinstance(task, asyncio.Task):
            return super().call_soon(step_and_keep, task, callback, *args, context=context)
        return super().call_soon(callback, *args, context=context)

    def create_task(self, coro, **options):
        task = super().create_task(coro, **options)
        if self._keep_messages:
            keep_message(task)    # one that started eagerly may have ended
        return task


def step_and_keep(task, step, *args):
    step(*args)
    keep_message(task)


def keep_message(task):
    """Makes every retrieval of a cancelled task carry the message of the first one.

    CPython hands out the CancelledError that ended the task once and forgets its message after
    that, so which of two awaiters sees the message depends on their order; plain futures keep it.
    """
    if task.cancelled():
        args = task._make_cancelled_error().args
        task._cancel_message = args[0] if args else None


class OrderedSet(dict):
    """What asyncio uses of set, iterating in insertion order."""

    def __init__(self, items=()):
        super().__init__(dict.fromkeys(items))

    def add(self, item):
        self[item] = None

    def discard(self, item):
        self.pop(item, None)

    def remove(self, item):
        del self[item]


class ArmedTimer(events.TimerHandle):
    """A timer that knows when it was armed, so that equal deadlines have an order."""

    __slots__ = ("_order",)
    _counter = itertools.count()

    def __init__(self, *args):
        super().__init__(*args)
        self._order = next(self._counter)

    def __lt__(self, other):
        return (self._when, self._order) < (other._when, other._order)


_sources = {}   # functions that rewrite() compiled: their source


def rewrite(owner, name, old, new):
    """Recompiles the function `owner.name` with text `old` replaced by `new`; returns the undo."""
    original = getattr(owner, name)
    source = _sources.get(original) or textwrap.dedent(inspect.getsource(original))
    if old not in source:
        raise LookupError(f"{name} has no {old!r}")
    source = source.replace(old, new)
    module = owner if inspect.ismodule(owner) else inspect.getmodule(owner)
    scope = {}
    exec(compile(source, f"<{name}, rewritten>", "exec"), module.__dict__, scope)
    replacement = scope[original.__name__]
    _sources[replacement] = source
    homes = [owner] + [asyncio] * (getattr(asyncio, name, None) is original)
    for home in homes:
        setattr(home, name, replacement)

    def undo():
        for home in homes:
            setattr(home, name, original)
    return undo


def _fix_group_cancel():
    """TaskGroup.cancel() of 3.15 with the two corrections that came after its first candidate.

    gh-155433: an outside cancellation that arrives while the group waits is not lost. gh-155418: a
    child that cancels its group before its first suspension is cancelled too. A version that has
    them is left alone.
    """
    group = taskgroups.TaskGroup
    if "gh-155433" not in inspect.getsource(group._aexit):
        rewrite(group, "_aexit", "as ex:", "as ex:\n            self._outside = ex")
        rewrite(group, "_aexit", "if self._parent_task.uncancel() == 0:",
                "if self._parent_task.uncancel():\n"
                "            propagate_cancellation_error = (propagate_cancellation_error\n"
                "                or getattr(self, '_outside', None))\n"
                "        else:")
    if "gh-155418" not in inspect.getsource(group.create_task):
        rewrite(group, "create_task", "task.add_done_callback(self._on_task_done)",
                "task.add_done_callback(self._on_task_done)\n"
                "    if self._aborting and not task.done(): task.cancel()")


def install():
    """Gives asyncio's unspecified orders the order of insertion."""
    events.TimerHandle = ArmedTimer
    tasks.set = taskgroups.set = OrderedSet
    rewrite(tasks._AsCompletedIterator, "__init__",
            "{ensure_future(aw, loop=loop) for aw in set(aws)}",
            "set([ensure_future(aw, loop=loop) for aw in set(aws)])")
    # A cancelled gather asks its last child for a message, even if that was not cancelled at all.
    rewrite(tasks, "gather", "fut._make_cancelled_error()",
            "(fut._make_cancelled_error() if fut.cancelled() else exceptions.CancelledError())")
    # A shield that ended with its inner future schedules a callback that finds nothing to do;
    # an iteration for that alone would be counted.
    rewrite(tasks, "shield", "if outer.cancelled():",
            "outer.remove_done_callback(_outer_done_callback) if not outer.done() else None\n"
            "        if outer.cancelled():")
    if hasattr(taskgroups.TaskGroup, "cancel"):
        _fix_group_cancel()
