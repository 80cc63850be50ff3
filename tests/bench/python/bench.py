# SPDX-License-Identifier: MIT
"""What the Python programs share.

Each is run as `python3 -m python.WORKLOAD asyncio|uvloop ...`: the same code under CPython's own
event loop and under uvloop's.
"""

import asyncio
import json
import os
import sys
import time


def loop_factory():
    if PEER == "uvloop":
        import uvloop

        return uvloop.new_event_loop
    return asyncio.new_event_loop


def run(main):
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(main)


def emit(workload, metric, value, unit):
    print(
        json.dumps(
            {"workload": workload, "peer": PEER, "metric": metric, "value": value, "unit": unit}
        ),
        flush=True,
    )


def count():
    return int(sys.argv[2])


def per_op(start, n):
    """Nanoseconds an operation, of n since start (perf_counter)."""
    return (time.perf_counter() - start) * 1e9 / n


def resident_bytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def pin_thread(processor):
    """Gives the calling thread, and those it starts, one processor."""
    if processor < os.cpu_count():
        os.sched_setaffinity(0, {processor})


if len(sys.argv) < 3 or sys.argv[1] not in ("asyncio", "uvloop"):
    sys.exit("usage: python3 -m python.WORKLOAD asyncio|uvloop COUNT")
PEER = sys.argv[1]
