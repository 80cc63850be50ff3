"""How values and errors look in a trace: short names that a program in any language can produce."""

import asyncio


class UserError(Exception):
    """What `raise K` and `seterr S K` raise."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


class WaitResult:
    """What wait() answered: positions in its argument list."""

    def __init__(self, futures, done, pending):
        position = {}
        for index, future in enumerate(futures):
            position.setdefault(future, index)
        self.done = [position[f] for f in done]
        self.pending = [position[f] for f in pending]

    def __str__(self):
        return f"done{_listed(self.done)} pending{_listed(self.pending)}"


# In the order of the tests: the first match names the error.
_NAMES = (
    (asyncio.TimeoutError, "Timeout"),
    (asyncio.InvalidStateError, "InvalidState"),
    (asyncio.QueueEmpty, "QueueEmpty"),
    (asyncio.QueueFull, "QueueFull"),
    (asyncio.QueueShutDown, "QueueShutDown"),
    (asyncio.BrokenBarrierError, "BrokenBarrier"),
    (RuntimeError, "Runtime"),
    (ValueError, "Value"),
)


def _listed(items):
    return "[" + ",".join(str(item) for item in items) + "]"


def error_name(error):
    """The name of an exception, with the children of a group and the message of a cancellation."""
    if isinstance(error, asyncio.CancelledError):
        message = error.args[0] if error.args else None
        return f"Cancelled({message})" if message else "Cancelled"
    if isinstance(error, UserError):
        return f"Err{error.number}"
    if isinstance(error, BaseExceptionGroup):
        return "Group" + _listed(error_name(child) for child in error.exceptions)
    for kind, name in _NAMES:
        if isinstance(error, kind):
            return name
    return f"?{type(error).__name__}({error})"   # never equal to anything: a bug of the suite


def bare_error_name(error):
    """The name without details, for where only a code arrives."""
    return error_name(error).partition("(")[0].partition("[")[0]


def value_name(value):
    """The name of a result. None and the booleans, which carry no information, are `-`."""
    if value is None or isinstance(value, bool):
        return "-"
    if isinstance(value, BaseException):
        return error_name(value)
    if isinstance(value, list):
        return _listed(value_name(item) for item in value)
    return str(value)


def outcome_name(future):
    """What a future holds, without touching what CPython tracks about its retrieval."""
    if not future.done():
        return "pending"
    if future.cancelled():
        return "cancelled"
    error = future.exception()
    if error is not None:
        return "failed " + error_name(error)
    return "done " + value_name(future.result())


def matches(kind, error):
    """Whether `except kind` catches the error."""
    if kind == "any":
        return True
    if kind == "cancelled":
        return isinstance(error, asyncio.CancelledError)
    if kind == "timeout":
        return isinstance(error, TimeoutError)
    if kind == "group":
        return isinstance(error, BaseExceptionGroup)
    return isinstance(error, Exception)
