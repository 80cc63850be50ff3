# SPDX-License-Identifier: MIT
"""call_soon_threadsafe from another thread; and between two loops, each asleep by turns."""

import asyncio
import threading
import time

from . import bench


async def flood(n):
    loop = asyncio.get_running_loop()
    finished = loop.create_future()
    done = 0

    def work():
        nonlocal done
        done += 1
        if done == n:
            finished.set_result(None)

    def post_all():
        bench.pin_thread(1)
        for _ in range(n):
            loop.call_soon_threadsafe(work)

    start = time.perf_counter()
    threading.Thread(target=post_all).start()
    await finished
    return bench.per_op(start, n)


async def round_trip(n):
    here, there = asyncio.get_running_loop(), bench.loop_factory()()
    finished = here.create_future()
    left = n

    def answer():
        here.call_soon_threadsafe(ask)

    def ask():
        nonlocal left
        left -= 1
        if left >= 0:
            there.call_soon_threadsafe(answer)
        else:
            finished.set_result(None)

    def run_other():
        bench.pin_thread(1)
        there.run_forever()

    thread = threading.Thread(target=run_other)
    thread.start()
    start = time.perf_counter()
    ask()
    await finished
    ns = bench.per_op(start, n)
    there.call_soon_threadsafe(there.stop)
    thread.join()
    return ns


bench.pin_thread(0)
bench.emit("post", "flood", bench.run(flood(bench.count())), "ns")
bench.emit(
    "post", "wake-up, round trip", bench.run(round_trip(1 + bench.count() // 100)) / 1000, "us"
)
