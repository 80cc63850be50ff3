"""Deliberate mistakes in asyncio, by which the self-check proves that the suite notices mistakes.

Each is one that an implementation could really make: a wake-up that is not passed on, an order,
an off-by-one in a comparison, a message or a count that gets lost.
"""

from asyncio import base_events, locks, queues, taskgroups, tasks, timeouts

from virtual_loop import ArmedTimer, VirtualLoop, rewrite

# name: (owner, function, expression, mistake)
_REWRITTEN = {
    "iteration-runs-new-callbacks": (base_events.BaseEventLoop, "_run_once",
                                     "for i in range(ntodo):", "while self._ready:"),
    "lock-cancelled-waiter-keeps-wakeup": (locks.Lock, "acquire", "if not self._locked:",
                                           "if False:"),
    "lock-barging": (locks.Lock, "acquire", "all(w.cancelled() for w in self._waiters)", "True"),
    "lock-wakes-newest": (locks.Lock, "_wake_up_first", "next(iter(self._waiters))",
                          "self._waiters[-1]"),
    "event-wakes-one": (locks.Event, "set", "in self._waiters:", "in list(self._waiters)[:1]:"),
    "condition-loses-notify": (locks.Condition, "wait", "self._notify(1)", "pass"),
    "condition-loses-late-cancel": (locks.Condition, "wait", "err = e", "pass"),
    "condition-notifies-woken": (locks.Condition, "_notify",
                                 "if not fut.done():\n            idx += 1",
                                 "idx += 1\n        if not fut.done():"),
    "semaphore-loses-token": (locks.Semaphore, "acquire", "self._value += 1", "pass"),
    "semaphore-leaves-waiters": (locks.Semaphore, "acquire", "while self._value > 0:",
                                 "while False:"),
    "semaphore-barging": (locks.Semaphore, "locked",
                          "any(not w.cancelled() for w in (self._waiters or ()))", "False"),
    "barrier-never-resets": (locks.Barrier, "_exit",
                             "(_BarrierState.RESETTING, _BarrierState.DRAINING)",
                             "(_BarrierState.DRAINING,)"),
    "barrier-forgets-drained": (locks.Barrier, "_exit", "self._cond.notify_all()", "pass"),
    "queue-getter-keeps-wakeup": (queues.Queue, "get",
                                  "not self.empty() and not getter.cancelled()", "False"),
    "queue-putter-keeps-wakeup": (queues.Queue, "put",
                                  "not self.full() and not putter.cancelled()", "False"),
    "queue-putter-not-rechecking": (queues.Queue, "put", "while self.full():", "if self.full():"),
    "queue-shutdown-leaves-putters": (queues.Queue, "shutdown", "while self._putters:",
                                      "while False:"),
    "queue-shutdown-frees-join": (queues.Queue, "shutdown", "if self._unfinished_tasks == 0:",
                                  "if True:"),
    "gather-swallows-cancel": (tasks, "gather", "if outer._cancel_requested:", "if False:"),
    "gather-drops-message": (tasks._GatheringFuture, "cancel", "child.cancel(msg=msg)",
                             "child.cancel()"),
    "shield-silent": (tasks, "shield", "inner.add_done_callback(_log_on_exception)", "pass"),
    "shield-fails-instead-of-cancelling": (tasks, "shield", "outer.cancel()",
                                           "outer.set_exception(exceptions.CancelledError())"),
    "wait-counts-cancelled-as-failed": (tasks, "_wait", "(not f.cancelled() and",
                                        "(f.cancelled() or"),
    "wait-for-zero-runs": (tasks, "wait_for", "timeout <= 0", "timeout < 0"),
    "wait-for-zero-does-not-wait": (tasks, "wait_for", "await _cancel_and_wait(fut)",
                                    "fut.cancel()"),
    "as-completed-timeout-once": (tasks._AsCompletedIterator, "_handle_timeout",
                                  "in self._todo:", "in list(self._todo)[:1]:"),
    "as-completed-keeps-timer": (tasks._AsCompletedIterator, "_handle_completion",
                                 "self._timeout_handle.cancel()", "pass"),
    "sleep-zero-arms-timer": (tasks, "sleep", "delay <= 0", "delay < 0"),
    "sleep-keeps-timer": (tasks, "sleep", "h.cancel()", "pass"),
    "timeout-now-arms-timer": (timeouts.Timeout, "reschedule", "when <= loop.time()",
                               "when < loop.time()"),
    "timeout-ignores-earlier-cancel": (timeouts.Timeout, "__aenter__", "self._task.cancelling()",
                                       "0"),
    "timeout-wins-over-cancel": (timeouts.Timeout, "__aexit__", "<= self._cancelling", ">= 0"),
    "timeout-never-uncancels": (timeouts.Timeout, "__aexit__", "self._task.uncancel()",
                                "self._task.cancelling() - 1"),
    "group-aborts-backwards": (taskgroups.TaskGroup, "_abort", "in self._tasks:",
                               "in reversed(list(self._tasks)):"),
    "group-drops-recancel": (taskgroups.TaskGroup, "_aexit", "self._parent_task.cancel()", "pass"),
    "group-swallows-outside-cancel": (taskgroups.TaskGroup, "_aexit",
                                      "propagate_cancellation_error = ex\n", "pass\n"),
    "group-aborts-twice": (taskgroups.TaskGroup, "_on_task_done",
                           "not self._aborting and not self._parent_cancel_requested", "True"),
    "group-accepts-while-aborting": (taskgroups.TaskGroup, "create_task", "if self._aborting:",
                                     "if False:"),
    "group-error-order": (taskgroups.TaskGroup, "_on_task_done", "self._errors.append(exc)",
                          "self._errors.insert(0, exc)"),
}


def _timers_latest_first():
    """Equal deadlines fire in the opposite order."""
    original = ArmedTimer.__lt__
    ArmedTimer.__lt__ = (lambda self, other:
                         (self._when, -self._order) < (other._when, -other._order))
    return lambda: setattr(ArmedTimer, "__lt__", original)


def _no_delay_is_soon():
    """call_later(0) as call_soon."""
    def call_later(self, delay, callback, *args, context=None):
        if delay <= 0:
            return self.call_soon(callback, *args, context=context)
        return base_events.BaseEventLoop.call_later(self, delay, callback, *args, context=context)
    VirtualLoop.call_later = call_later
    return lambda: delattr(VirtualLoop, "call_later")


MUTANTS = {
    "timers-latest-first": _timers_latest_first,
    "no-delay-is-soon": _no_delay_is_soon,
    **{name: (lambda change=change: rewrite(*change)) for name, change in _REWRITTEN.items()},
}


def apply(name):
    """Puts one mistake into asyncio; returns what takes it out again."""
    return MUTANTS[name]()
