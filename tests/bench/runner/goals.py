# SPDX-License-Identifier: MIT
"""The figures that the library is held to, and what bounds those that it misses."""

from dataclasses import dataclass

from . import peers


@dataclass(frozen=True)
class Goal:
    what: str
    workload: str
    metric: str
    most: float  # or, of a share, the least
    peer: str = peers.OURS
    share: bool = False  # of the rate of the physical limit; or how much more it costs
    bound: str = ""


FIBER, BUSY = f"{peers.OURS}-fiber", f"{peers.OURS}-busy"
ENTRY = "each entry point checks its arguments and its thread, and keeps what asyncio promises:"

CALLBACK = (
    f"{ENTRY} a handle that can be cancelled, a context, an error that is reported: 150"
    " instructions where a bare FIFO has eight"
)
ALONE = "the same, and one iteration of the loop: 235 instructions"
SPAWN = "a task with a number, a context, its place among all tasks, and an outcome that is awaited"
SWITCH = "a sleep is made, awaited and freed, and the task goes through the ready queue"
JUMP = "the same, and two jumps between stacks"
QUEUE = (
    "put and get are futures that can be cancelled, combined and given to a task: making, awaiting"
    " and freeing them is most of it"
)
PING_PONG = "each item is two waits: two futures, four operations' steps and two switches of tasks"
TIMER = "a handle, a context and a clock read for each; a bare wheel has none of them"
POST = (
    "two lines go from one processor's cache to the other's: the call's, and the inbox's, at which a"
    " loop without other work looks all the time"
)
IDLE = "398 bytes from the allocator, and pages that are not full"
KERNEL = "the kernel's part; what is ours in it is in the instructions of the suite cost"

GOALS = [
    Goal("callback, among 1,000", "callback", "among 1000", 6, bound=CALLBACK),
    Goal("callback, alone", "callback", "alone", 10, bound=ALONE),
    Goal("spawn + join, step", "spawn", "spawn + join", 25, bound=SPAWN),
    Goal("spawn + join, fiber", "spawn", "spawn + join", 50, FIBER, bound=SPAWN),
    Goal("switch, 2 tasks, step", "switch", "2 tasks", 6, bound=SWITCH),
    Goal("switch, 2 tasks, fiber", "switch", "2 tasks", 10, FIBER, bound=JUMP),
    Goal("switch, 1,000 tasks, step", "switch", "1000 tasks", 6, bound=SWITCH),
    Goal("switch, 1,000 tasks, fiber", "switch", "1000 tasks", 10, FIBER, bound=JUMP),
    Goal("queue, capacity 1", "queue", "capacity 1", 15, bound=PING_PONG),
    Goal("queue, capacity 1,024", "queue", "capacity 1024", 5, bound=QUEUE),
    Goal("timer, arm + cancel", "timer", "arm + cancel", 15, bound=TIMER),
    Goal("timer, arm + fire", "timer", "arm + fire", 320, bound=TIMER),
    Goal("timer of 1.3 ms, p50", "timer", "1.3 ms, p50", 1.34, bound=KERNEL),
    Goal("post, loop awake", "post", "flood", 20, bound=POST),
    Goal("wake-up, of the limit's", "post", "wake-up, round trip", 1.03, share=True, bound=KERNEL),
    Goal(
        "echo, 50 connections, of the limit's",
        "echo",
        "plain, 50 connections, 64 B: requests",
        0.99,
        share=True,
        bound=KERNEL,
    ),
    Goal(
        "echo, 1,000 connections, of the limit's",
        "echo",
        "plain, 1000 connections, 64 B: requests",
        0.98,
        share=True,
        bound=KERNEL,
    ),
    Goal("system calls a request, 1", "echo", "plain, 1 connection, 64 B: system calls", 3.0),
    Goal("system calls a request, 100", "echo", "plain, 100 connections, 64 B: system calls", 2.05),
    Goal(
        "echo, 1 connection, p50, polling",
        "echo",
        "plain, 1 connection, 64 B: latency p50",
        21,
        BUSY,
        bound=KERNEL,
    ),
    Goal("process, 1 at a time, of the limit's", "process", "1 at a time", 0.97, share=True),
    Goal("process, 16 at a time, of the limit's", "process", "16 at a time", 0.97, share=True),
    Goal("process, from 1 GiB, of the limit's", "process", "with 1 GiB resident", 0.97, share=True),
    Goal(
        "memory, sleeping task, step",
        "memory",
        "sleeping task",
        192,
        bound="128 and 64 bytes, and a share of their chunk",
    ),
    Goal("memory, sleeping task, fiber", "memory", "sleeping task", 4505, FIBER),
    Goal("memory, idle connection", "memory", "idle connection", 400, bound=IDLE),
    Goal("thread pool, 1 in flight", "thread", "1 in flight", 17000, bound=KERNEL),
    Goal("thread pool, 64 in flight", "thread", "64 in flight", 450, bound=KERNEL),
]
