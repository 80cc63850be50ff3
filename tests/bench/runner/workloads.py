# SPDX-License-Identifier: MIT
"""What is measured: for each workload its programs, and how many operations they do."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    name: str
    full: int
    quick: int


@dataclass(frozen=True)
class Echo:
    """One way of loading a server."""

    mode: str  # echo or tls: what the server is told
    connections: int
    size: int

    @property
    def name(self):
        size = f"{self.size} B" if self.size < 1024 else f"{self.size // 1024} KiB"
        plain = "plain" if self.mode == "echo" else "TLS"
        many = "1 connection" if self.connections == 1 else f"{self.connections} connections"
        return f"{plain}, {many}, {size}"


@dataclass(frozen=True)
class Workload:
    name: str
    about: str
    programs: tuple = ()
    kind: str = "program"  # growth, bindings, or what servers are put to: echo, accept, memory
    small_pages: bool = False  # see measure.small_pages
    noisy: bool = True  # else three rounds suffice

    @property
    def needs(self):
        """The names of the programs that a peer should have for this workload."""
        server = ("server",) if self.kind in ("echo", "accept", "memory") else ()
        return tuple(program.name for program in self.programs) + server


ECHOES = [
    Echo(mode, connections, size)
    for mode in ("echo", "tls")
    for connections, size in ((1, 64), (50, 64), (1000, 64), (50, 16384))
]
TRACED = [Echo(mode, connections, 64) for mode in ("echo", "tls") for connections in (1, 100)]

SECONDS = {"full": 1.0, "quick": 0.1}  # of each load on a server
IDLE = {"full": 10_000, "quick": 300}  # idle connections
ROUNDS = {"full": 7, "quick": 1}
ROUNDS_CALM = 3  # of the workloads that are not noisy

WORKLOADS = [
    Workload(
        "callback",
        "a callback that reschedules itself: one of 1,000, or alone",
        (Program("callback", 5_000_000, 50_000),),
    ),
    Workload(
        "spawn",
        "spawning 1,000 tasks that do nothing, and awaiting all of them",
        (Program("spawn", 1_000_000, 10_000),),
    ),
    Workload(
        "switch",
        "one switch between tasks that yield to each other",
        (Program("switch", 5_000_000, 50_000),),
    ),
    Workload(
        "queue",
        "passing one item through a bounded queue, between two tasks and from another thread",
        (Program("queue", 2_000_000, 20_000),),
    ),
    Workload(
        "timer",
        "a million timers: armed for 1 to 60 s and cancelled, or armed within 1 s and fired"
        " (processor time); and how late a timer of 1.3 ms fires (1 ms for uvloop)",
        (Program("timer", 1_000_000, 20_000),),
    ),
    Workload(
        "post",
        "a thread posts callbacks to a running loop; two idle loops wake each other",
        (Program("post", 2_000_000, 20_000),),
    ),
    Workload(
        "echo", "an echo server on one processor, the load generator on the other", (), "echo"
    ),
    Workload("accept", "accepting and closing connections", (), "accept"),
    Workload(
        "process",
        "starting /bin/true and waiting for it",
        (Program("process", 2_000, 32),),
        small_pages=True,
    ),
    Workload(
        "thread",
        "round trips to a pool of four threads, on the other processor",
        (Program("thread", 20_000, 640),),
    ),
    Workload(
        "memory",
        "resident bytes for each object",
        (Program("memory_task", 1_000_000, 20_000), Program("memory_timer", 1_000_000, 20_000)),
        "memory",
        small_pages=True,
        noisy=False,
    ),
    Workload(
        "start",
        "creating a loop, running one iteration, and closing it",
        (Program("start", 10_000, 200),),
    ),
    Workload(
        "growth",
        "one operation of this library while this many objects of its kind exist (processor time)",
        (Program("growth", 1_000_000, 10_000),),
        "growth",
        noisy=False,
    ),
    Workload(
        "bindings",
        "one await, and one callback, in other languages",
        (),
        "bindings",
        noisy=False,
    ),
]

# Some are slow or large enough that a fraction of the operations says the same, at less expense.
FRACTIONS = {
    **{
        (peer, program): 10
        for peer in ("asyncio", "uvloop")
        for program in ("callback", "spawn", "switch", "queue", "post", "thread", "start")
    },
    **{(peer, "memory_task"): 10 for peer in ("boost-fiber", "state-threads")},
    ("limit", "memory_task_fiber"): 10,
}
