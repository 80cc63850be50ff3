"""Runs one program: its objects, its activations, its phases, its trace."""

import asyncio
import contextvars

import blocks
from language import LIMIT, MAX_ACTIVATIONS
from naming import bare_error_name, error_name, outcome_name
from operations import OPERATIONS
from virtual_loop import VirtualLoop

KILL_PHASES = 2   # so often is an idle program cancelled that has not ended; then it is abandoned

_contextvars = [contextvars.ContextVar(f"v{n}", default=0) for n in range(LIMIT)]


def _variables():
    return f"{_contextvars[0].get()} {_contextvars[1].get()}"


class Activation:
    """One call of a body, numbered by the instruction that evaluated it."""

    __slots__ = ("number", "body", "line", "task")

    def __init__(self, number, body):
        self.number, self.body, self.line = number, body, body.line
        self.task = None    # set by the first step; None again when the body has ended


class Machine:
    """The state of a running program. Attributes named as the number spaces hold the objects."""

    def __init__(self, program, keep_messages):
        self.program = program
        self.loop = VirtualLoop(keep_messages)
        self.loop.set_exception_handler(self.on_exception)
        self.trace = []
        self.activations = []
        self.contextvars = _contextvars
        self.slot, self.handle, self.timeout, self.group, self.ctx, self.token = (
            {} for _ in range(6))
        self.lock, self.event, self.cond = {}, {}, {}
        self.sem, self.barrier, self.queue = {}, {}, {}
        self.var = [0] * LIMIT
        self.callback = {number: self.make_callback(node) for number, node in program.funcs.items()}
        for node in program.declarations:
            self.declare(node.op, *node.args)

    def declare(self, kind, number, *args):
        """Creates one of the objects that the program opens with."""
        if kind == "lock":
            self.lock[number] = asyncio.Lock()
        elif kind == "event":
            self.event[number] = asyncio.Event()
        elif kind == "cond":
            self.cond[number] = asyncio.Condition(self.lock[args[0]] if args[0] >= 0 else None)
        elif kind == "sem":
            self.sem[number] = asyncio.Semaphore(args[0])
        elif kind == "bsem":
            self.sem[number] = asyncio.BoundedSemaphore(args[0])
        elif kind == "barrier":
            self.barrier[number] = asyncio.Barrier(args[0])
        elif kind == "queue":
            make = {"fifo": asyncio.Queue, "lifo": asyncio.LifoQueue, "prio": asyncio.PriorityQueue}
            self.queue[number] = make[args[0]](args[1])
        else:
            self.slot[number] = self.loop.create_future()

    def log(self, who, line, text):
        """One line of the trace."""
        self.trace.append(f"{self.loop.iteration} {self.loop.ticks()} {who} {line} {text}")

    def runnable(self, node):
        """Whether all that the instruction reads has been written and no limit forbids it."""
        if len(self.activations) + node.bodies > MAX_ACTIVATIONS:
            return False
        for space, number in node.reads:
            held = getattr(self, "slot" if space == "task" else space)
            if number not in held:
                return False
            if space == "task" and not isinstance(held[number], asyncio.Task):
                return False
        return True

    def step(self, who, node):
        """Executes an instruction that never suspends."""
        if not self.runnable(node):
            self.log(who, node.line, "skip")
            return
        try:
            value = OPERATIONS[node.op](self, *node.args)
        except BaseException as error:
            self.log(who, node.line, "! " + error_name(error))
            raise
        self.log(who, node.line, "=" if value is None else f"= {value}")

    def activation(self, body):
        """Numbers a new call of a body."""
        activation = Activation(len(self.activations), self.program.bodies[body])
        self.activations.append(activation)
        return activation

    async def enter(self, activation):
        """The coroutine of one activation."""
        body, who = activation.body, f"c{activation.number}"
        activation.task = asyncio.current_task()
        self.log(who, body.line, f"start {_variables()}")
        try:
            returned = await blocks.run(self, activation, body.block, None)
        except GeneratorExit:
            raise
        except BaseException as error:
            activation.task = None
            self.log(who, body.line, "failed " + error_name(error))
            raise
        activation.task = None
        value = 0 if returned is None else returned.value
        self.log(who, body.line, f"ended {value}")
        return value

    def make_callback(self, node):
        """The one function object of `func N`: equal to itself for remove_done_callback."""
        who = f"k{node.args[0]}"

        def callback(*args):
            outcome = outcome_name(args[0]) if args else "-"
            self.log(who, node.line, f"run {outcome} {_variables()}")
            for instruction in node.block:
                self.step(who, instruction)
        return callback

    def on_exception(self, loop, context):
        """The loop's exception handler. What depends on garbage collection is not traced."""
        message = context["message"]
        if message.startswith("Exception in callback"):
            kind = "callback"
        elif message.endswith("exception in shielded future"):
            kind = "shield"
        elif "has errored out but its parent" in message:
            kind = "group"
        else:
            return
        self.log("-", 0, f"report {kind} {bare_error_name(context['exception'])}")

    def idle(self, phase):
        """Ends a phase: logs what is unfinished and returns it. Iterations start again from 0."""
        self.loop.iteration = 0
        left = [activation for activation in self.activations if activation.task is not None]
        waiting = "".join(f" c{a.number}@{a.line}" for a in left)
        self.log("-", 0, f"idle {phase} tasks {len(asyncio.all_tasks(self.loop))}{waiting}")
        return left

    def kill(self, left):
        """Cancels every task that runs an unfinished activation, each once, between two phases."""
        seen = set()
        for activation in left:
            if activation.task not in seen:
                seen.add(activation.task)
                accepted = int(activation.task.cancel("kill"))
                self.log("-", 0, f"kill c{activation.number} = {accepted}")

    def run(self):
        """Runs the program to its verdict and returns the trace."""
        self.loop.create_task(self.enter(self.activation(0)))
        for phase in range(KILL_PHASES + 1):
            self.loop.run_forever()
            left = self.idle(phase)
            if not left:
                break
            if phase < KILL_PHASES:
                self.kill(left)
        self.trace.append("verdict " + ("stuck" if left else "end"))
        return self.trace
