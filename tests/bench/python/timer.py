# SPDX-License-Identifier: MIT
"""call_later, a million times."""

import asyncio
import random
import time

from . import bench


def nothing():
    pass


async def arm_cancel(n):
    loop = asyncio.get_running_loop()
    delays = [random.uniform(1, 60) for _ in range(n)]
    start = time.perf_counter()
    for handle in [loop.call_later(delay, nothing) for delay in delays]:
        handle.cancel()
    await asyncio.sleep(0)  # asyncio takes cancelled timers out of its heap in the next round
    return bench.per_op(start, n)


async def arm_fire(n):
    loop = asyncio.get_running_loop()
    finished = loop.create_future()
    delays = [random.uniform(0, 1) for _ in range(n)]
    left = n

    def fired():
        nonlocal left
        left -= 1
        if left == 0:
            finished.set_result(None)

    start = time.process_time()
    for delay in delays:
        loop.call_later(delay, fired)
    time.sleep(
        1
    )  # every loop is late at times; here the last deadline has passed before the first timer fires
    await finished
    return (time.process_time() - start) * 1e9 / n


async def precision(samples):
    loop = asyncio.get_running_loop()
    elapsed = []
    for _ in range(samples):
        fired = loop.create_future()
        armed = time.perf_counter()
        loop.call_later(0.0013, lambda: fired.set_result(time.perf_counter()))
        elapsed.append((await fired - armed) * 1e3)
    elapsed.sort()
    bench.emit("timer", "1.3 ms, earliest", elapsed[0], "ms")
    bench.emit("timer", "1.3 ms, p50", elapsed[samples // 2], "ms")
    bench.emit("timer", "1.3 ms, p99", elapsed[samples * 99 // 100], "ms")


bench.emit("timer", "arm + cancel", bench.run(arm_cancel(bench.count())), "ns")
bench.emit("timer", "arm + fire", bench.run(arm_fire(bench.count())), "ns")
bench.run(precision(1 + bench.count() // 1000))
