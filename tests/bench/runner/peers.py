# SPDX-License-Identifier: MIT
"""Who is measured: the folder of each peer's programs, and the Debian packages they need.

A peer's program for a workload is the file of that name in its folder; `spawn_fiber.cpp` is a
second program for `spawn`. Where there is none, ABSENT says why, and the report repeats it: nothing
is left out in silence.
"""

import os
import pathlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    name: str
    folder: str
    packages: tuple  # the first one's version is the peer's
    libs: str = ""
    tools: tuple = ()  # as in TOOLS, for this peer alone: (program, package) pairs


# Whatever is measured, it is measured against these: our own programs, and the physical limits.
OURS, LIMIT = "asyncloop", "limit"
BUSY = (OURS, LIMIT)  # whose servers can poll without sleeping

# Ours is measured as it stands in this tree, built in its build/, or in $ASYNCLOOP_BUILD (meson
# setup build; ninja -C build).
ROOT = pathlib.Path(__file__).resolve().parents[3]
OUR_BUILD = pathlib.Path(os.environ.get("ASYNCLOOP_BUILD", ROOT / "build"))
OUR_LIBRARY = OUR_BUILD / "lib"
OUR_FLAGS = f"-I{ROOT}/include -L{OUR_LIBRARY} -lasyncloop -Wl,-rpath,{OUR_LIBRARY}"

PEERS = [
    Peer(OURS, "asyncloop", ("libevent-dev", "libssl-dev"), OUR_FLAGS),
    Peer(LIMIT, "limit", ("libboost-context-dev", "libssl-dev"), "-lboost_context -lssl -lcrypto"),
    Peer("libuv", "libuv", ("libuv1-dev", "libssl-dev"), "-luv -lssl -lcrypto"),
    Peer("libevent", "libevent", ("libevent-dev",), "-levent -levent_pthreads"),
    Peer(
        "bufferevent",
        "bufferevent",
        ("libevent-dev", "libssl-dev"),
        "-levent -levent_openssl -lssl -lcrypto",
    ),
    Peer("libev", "libev", ("libev-dev", "libssl-dev"), "-lev -lssl -lcrypto"),
    Peer("asio", "asio", ("libboost-dev", "libssl-dev"), "-lssl -lcrypto"),
    Peer("asio-coro", "asio-coro", ("libboost-dev", "libssl-dev"), "-lssl -lcrypto"),
    Peer("boost-fiber", "boost-fiber", ("libboost-fiber-dev",), "-lboost_fiber -lboost_context"),
    Peer("state-threads", "state-threads", ("libst-dev",), "-lst"),
    Peer("go", "go", ("golang-go",)),
    Peer(
        "tokio",
        "tokio",
        ("librust-tokio-dev", "librust-tokio-openssl-dev", "librust-libc-dev"),
        tools=(("cargo", "cargo"),),
    ),
    Peer("asyncio", "python", ("python3",)),
    Peer("uvloop", "python", ("python3-uvloop", "python3")),
]

# What every run needs: a program that must be found, and the package that brings it. C and C++ are
# what the limits and the load generator are written in.
TOOLS = {
    "gcc": "gcc",
    "g++": "g++",
    "meson": "meson",
    "ninja": "ninja-build",
    "strace": "strace",
    "openssl": "openssl",
}

NO_TASKS = "has callbacks, not tasks"
NO_POOL = "has no thread pool"
STREAMS_ONLY = "is libevent's stream layer; see libevent"
FIBERS_ONLY = "only switches tasks; it is not an event loop"
SAME = "is Boost.Asio with coroutines; see asio"

ABSENT = {
    OURS: {},
    LIMIT: {},
    "libuv": dict.fromkeys(("spawn", "switch", "queue", "memory_task"), NO_TASKS),
    "libevent": {
        **dict.fromkeys(("spawn", "switch", "queue", "memory_task"), NO_TASKS),
        "process": "starts and reaps no processes",
        "thread": NO_POOL,
        "tls": "has TLS only in bufferevent_openssl; see bufferevent",
    },
    "bufferevent": dict.fromkeys(
        (
            "callback",
            "spawn",
            "switch",
            "queue",
            "timer",
            "post",
            "process",
            "thread",
            "memory_task",
            "memory_timer",
            "start",
        ),
        STREAMS_ONLY,
    ),
    "libev": {
        **dict.fromkeys(("spawn", "switch", "queue", "memory_task"), NO_TASKS),
        "thread": NO_POOL,
    },
    "asio": {
        **dict.fromkeys(("spawn", "switch", "memory_task"), "see asio-coro"),
        "queue": "has no queue in this version",
        "process": "starts no processes (Boost.Process is another library)",
    },
    "asio-coro": {
        **dict.fromkeys(("callback", "timer", "post", "thread", "memory_timer", "start"), SAME),
        "queue": "has no queue in this version",
        "process": "starts no processes (Boost.Process is another library)",
    },
    "boost-fiber": dict.fromkeys(
        ("callback", "timer", "post", "process", "thread", "memory_timer", "start", "server"),
        FIBERS_ONLY,
    ),
    "state-threads": {
        **dict.fromkeys(
            ("callback", "timer", "post", "process", "thread", "memory_timer", "start", "server"),
            FIBERS_ONLY,
        ),
        "switch": "has no yield; see queue, capacity 1",
    },
    "go": {
        "callback": "has no callbacks; see switch",
        "thread": "has goroutines instead of a thread pool",
        "start": "has no loop that a program could start",
    },
    "tokio": {},
    "asyncio": {},
    "uvloop": {},
}
