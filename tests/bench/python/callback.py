# SPDX-License-Identifier: MIT
"""Callbacks that call_soon themselves again."""

import asyncio
import time

from . import bench


async def measure(callbacks, calls):
    loop = asyncio.get_running_loop()
    finished = loop.create_future()
    left = calls - callbacks

    def again():
        nonlocal left
        if left > 0:
            left -= 1
            loop.call_soon(again)
        elif not finished.done():
            finished.set_result(None)

    start = time.perf_counter()
    for _ in range(callbacks):
        loop.call_soon(again)
    await finished
    return bench.per_op(start, calls)


bench.emit("callback", "among 1000", bench.run(measure(1000, bench.count())), "ns")
bench.emit("callback", "alone", bench.run(measure(1, bench.count())), "ns")
