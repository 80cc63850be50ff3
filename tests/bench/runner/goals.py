# SPDX-License-Identifier: MIT
"""The figures that the library is held to, and what bounds those that it misses."""

from dataclasses import dataclass

from . import peers


@dataclass(frozen=True)
class Goal:
    """A figure that is wanted: at most `most`, in the metric's unit.

    As a share: at least so much of the rate of the physical limit, or at most so many times its
    cost. So stands what is mostly the machine's own time, of waking a thread or of starting a
    process, in which machines differ by five times.
    """

    what: str
    workload: str
    metric: str
    most: float
    peer: str = peers.OURS
    share: bool = False
    limit: str = peers.LIMIT  # whose program is the limit
    bound: str = (
        ""  # {spread}: ours in this run; {cpu}: our server's processor time, of the limit's
    )
    valid: float = 0  # a peer that is better than this is wrong


FIBER, BUSY = f"{peers.OURS}-fiber", f"{peers.OURS}-busy"
ENTRY = "each entry point checks its arguments and its thread, and keeps what asyncio promises:"

CALLBACK = (
    f"{ENTRY} a handle that can be cancelled, a context, an error that is reported: 150"
    " instructions where a bare FIFO has eight"
)
ALONE = "the same, and one iteration of the loop: 235 instructions"
SPAWN = "a task with a number, a context, its place among all tasks, and an outcome that is awaited"
SWITCH = "a sleep is made and awaited, and the task goes through the ready queue: 310 instructions"
JUMP = "the same, and two jumps between stacks"
QUEUE = (
    "put and get are futures that can be cancelled, combined and given to a task: making, awaiting"
    " and freeing them is most of it"
)
PING_PONG = (
    "each item is two waits: two futures, four operations' steps and two switches of tasks, each in"
    " an iteration of its own, as in asyncio: 1,920 instructions"
)
TIMER = "a handle, a context and a clock read for each; a bare wheel has none of them"
POST = (
    "two lines go from one processor's cache to the other's: the call's, and the inbox's, at which"
    " a loop without other work looks all the time"
)
IDLE = "398 bytes from the allocator, and pages that are not full"
LATE = "the bare timerfd fires as late: its interrupt, and the wake-up of a process that sleeps"
WAKE = (
    "one write and one epoll_wait each way, as in the limit; the rest is the wake-up of a sleeping"
    " thread, whose time spread by {spread} in this run"
)
ECHO = (
    "the system calls are as many as the limit's, and a request takes {cpu} of the limit's"
    " processor time; rates also follow how server and client happen to fall into step, and ours spread by"
    " {spread} in this run"
)
POLLING = (
    "two system calls and the way through the kernel's TCP are the limit's 20 us; ours adds the"
    " walk through the loop, 5,500 instructions for both ends; ours spread by {spread} in this run"
)
CHILD = (
    "a child takes the processor time that it takes the limit, within the noise, though it costs ten"
    " short system calls more: its pidfd, and the parent's descriptors kept from it; what is left is"
    " when the children get the processors; ours spread by {spread} in this run"
)
POOL = (
    "two wake-ups of threads that sleep; what is ours is the future, its cancellation and the fiber"
    " that awaits; ours spread by {spread} in this run"
)
POOL_MANY = (
    "each job is a future that a fiber awaits, with a context, and can be cancelled while it waits;"
    " the limit passes bare pointers through a list; ours spread by {spread} in this run"
)
STACK = f"{peers.LIMIT}-fiber"

GOALS = [
    Goal("callback, among 1,000", "callback", "among 1000", 6, bound=CALLBACK),
    Goal("callback, alone", "callback", "alone", 10, bound=ALONE),
    Goal("spawn + join, step", "spawn", "spawn + join", 25, bound=SPAWN),
    Goal("spawn + join, fiber", "spawn", "spawn + join", 50, FIBER, limit=STACK, bound=SPAWN),
    Goal("switch, 2 tasks, step", "switch", "2 tasks", 6, bound=SWITCH),
    Goal("switch, 2 tasks, fiber", "switch", "2 tasks", 10, FIBER, limit=STACK, bound=JUMP),
    Goal("switch, 1,000 tasks, step", "switch", "1000 tasks", 6, bound=SWITCH),
    Goal("switch, 1,000 tasks, fiber", "switch", "1000 tasks", 10, FIBER, limit=STACK, bound=JUMP),
    Goal("queue, capacity 1", "queue", "capacity 1", 15, bound=PING_PONG),
    Goal("queue, capacity 1,024", "queue", "capacity 1024", 5, bound=QUEUE),
    Goal("timer, arm + cancel", "timer", "arm + cancel", 15, bound=TIMER),
    Goal("timer, arm + fire", "timer", "arm + fire", 320, bound=TIMER),
    Goal(
        "timer of 1.3 ms, p50, of the limit's (1.34 ms where that takes 1.33)",
        "timer",
        "1.3 ms, p50",
        1.01,
        share=True,
        bound=LATE,
        valid=1.3,
    ),
    Goal("post, loop awake", "post", "flood", 20, bound=POST),
    Goal("wake-up, of the limit's", "post", "wake-up, round trip", 1.03, share=True, bound=WAKE),
    Goal(
        "echo, 50 connections, of the limit's",
        "echo",
        "plain, 50 connections, 64 B: requests",
        0.99,
        share=True,
        bound=ECHO,
    ),
    Goal(
        "echo, 1,000 connections, of the limit's",
        "echo",
        "plain, 1000 connections, 64 B: requests",
        0.98,
        share=True,
        bound=ECHO,
    ),
    Goal("system calls a request, 1", "echo", "plain, 1 connection, 64 B: system calls", 3.0),
    Goal("system calls a request, 100", "echo", "plain, 100 connections, 64 B: system calls", 2.05),
    Goal(
        "echo, 1 connection, p50, polling, of the limit's (21 us where that takes 20.2)",
        "echo",
        "plain, 1 connection, 64 B: latency p50",
        1.04,
        BUSY,
        share=True,
        limit=f"{peers.LIMIT}-busy",
        bound=POLLING,
    ),
    Goal(
        "process, 1 at a time, of the limit's",
        "process",
        "1 at a time",
        0.97,
        share=True,
        bound=CHILD,
    ),
    Goal(
        "process, 16 at a time, of the limit's",
        "process",
        "16 at a time",
        0.97,
        share=True,
        bound=CHILD,
    ),
    Goal(
        "process, from 1 GiB, of the limit's",
        "process",
        "with 1 GiB resident",
        0.97,
        share=True,
        bound=CHILD,
    ),
    Goal(
        "memory, sleeping task, step",
        "memory",
        "sleeping task",
        192,
        bound="128 and 64 bytes, and a share of their chunk",
    ),
    Goal("memory, sleeping task, fiber", "memory", "sleeping task", 4505, FIBER, limit=STACK),
    Goal("memory, idle connection", "memory", "idle connection", 400, bound=IDLE),
    Goal(
        "thread pool, 1 in flight, of the limit's (17 us where that takes 16.9)",
        "thread",
        "1 in flight",
        1.01,
        share=True,
        bound=POOL,
    ),
    Goal(
        "thread pool, 64 in flight, of the limit's (450 ns where that takes 385)",
        "thread",
        "64 in flight",
        1.17,
        share=True,
        bound=POOL_MANY,
    ),
]
