# SPDX-License-Identifier: MIT
"""The figures that the library should reach, and where the time goes in those that it misses."""

from dataclasses import dataclass

from . import peers


@dataclass(frozen=True)
class Goal:
    """A figure to reach: at most `most`, in the metric's unit.

    As a share: at least this part of the rate of the physical limit, or at most this many times its
    cost. Used where most of the time is the machine's own (waking a thread, starting a process), in
    which machines differ by a factor of five.
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
ENTRY = "each entry point checks its arguments and its thread, and provides what asyncio promises:"

CALLBACK = (
    f"{ENTRY} a handle that can be cancelled, a context, an error that is reported: 150"
    " instructions where a bare FIFO has eight"
)
ALONE = "the same, plus one iteration of the loop: 235 instructions"
SPAWN = "each task has a number, a context, a place among all tasks, and an outcome that is awaited"
SWITCH = "each switch awaits a new sleep, and goes through the ready queue: 310 instructions"
JUMP = "the same, plus two switches between stacks"
QUEUE = (
    "each put and get is a future that can be cancelled, combined and given to a task; most of the"
    " time goes into creating, awaiting and freeing it"
)
PING_PONG = (
    "each item takes two waits: two futures, four steps of operations and two switches of tasks,"
    " each in an iteration of its own, as in asyncio: 1,920 instructions"
)
TIMER = "each timer has a handle, a context and a clock read; a bare wheel has none of them"
POST = (
    "two cache lines move between the processors: that of the call, and that of the inbox, which a"
    " loop without other work reads all the time"
)
IDLE = "398 bytes from the allocator, plus pages that are not full"
LATE = "a bare timerfd is as late: its interrupt, and the wake-up of a sleeping process"
WAKE = (
    "one write and one epoll_wait each way, as in the limit; the rest is waking a sleeping thread;"
    " spread of our result: {spread}"
)
ECHO = (
    "as many system calls as the limit, and {cpu} of the limit's processor time per request; the"
    " rate also depends on how the server and the client interleave; spread of our result: {spread}"
)
POLLING = (
    "two system calls and the kernel's TCP take the limit 20 us; ours adds the way through the"
    " loop, 5,500 instructions for both ends; spread of our result: {spread}"
)
CHILD = (
    "a child takes the same processor time as in the limit, within the noise, although there are"
    " ten more short system calls, for its pidfd and to keep the parent's descriptors from it; the"
    " rest is scheduling of the children; spread of our result: {spread}"
)
POOL = (
    "mostly the wake-ups of two sleeping threads; ours adds the future, its cancellation and the"
    " fiber that awaits; spread of our result: {spread}"
)
POOL_MANY = (
    "each job is a future that a fiber awaits, with a context, and can be cancelled while it waits;"
    " the limit passes bare pointers through a list; spread of our result: {spread}"
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
        "timer of 1.3 ms, p50, relative to the limit",
        "timer",
        "1.3 ms, p50",
        1.01,
        share=True,
        bound=LATE,
        valid=1.3,
    ),
    Goal("post, loop awake", "post", "flood", 20, bound=POST),
    Goal(
        "wake-up, relative to the limit",
        "post",
        "wake-up, round trip",
        1.03,
        share=True,
        bound=WAKE,
    ),
    Goal(
        "echo, 50 connections, share of the limit",
        "echo",
        "plain, 50 connections, 64 B: requests",
        0.99,
        share=True,
        bound=ECHO,
    ),
    Goal(
        "echo, 1,000 connections, share of the limit",
        "echo",
        "plain, 1000 connections, 64 B: requests",
        0.98,
        share=True,
        bound=ECHO,
    ),
    Goal(
        "system calls per request, 1 connection",
        "echo",
        "plain, 1 connection, 64 B: system calls",
        3.0,
    ),
    Goal(
        "system calls per request, 100 connections",
        "echo",
        "plain, 100 connections, 64 B: system calls",
        2.05,
    ),
    Goal(
        "echo, 1 connection, polling, p50, relative to the limit",
        "echo",
        "plain, 1 connection, 64 B: latency p50",
        1.04,
        BUSY,
        share=True,
        limit=f"{peers.LIMIT}-busy",
        bound=POLLING,
    ),
    Goal(
        "process, 1 at a time, share of the limit",
        "process",
        "1 at a time",
        0.97,
        share=True,
        bound=CHILD,
    ),
    Goal(
        "process, 16 at a time, share of the limit",
        "process",
        "16 at a time",
        0.97,
        share=True,
        bound=CHILD,
    ),
    Goal(
        "process, from 1 GiB, share of the limit",
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
        bound="a block of 128 bytes and one of 64, plus their share of a chunk",
    ),
    Goal("memory, sleeping task, fiber", "memory", "sleeping task", 4505, FIBER, limit=STACK),
    Goal("memory, idle connection", "memory", "idle connection", 400, bound=IDLE),
    Goal(
        "thread pool, 1 in flight, relative to the limit",
        "thread",
        "1 in flight",
        1.01,
        share=True,
        bound=POOL,
    ),
    Goal(
        "thread pool, 64 in flight, relative to the limit",
        "thread",
        "64 in flight",
        1.17,
        share=True,
        bound=POOL_MANY,
    ),
]
