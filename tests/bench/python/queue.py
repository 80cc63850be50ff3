# SPDX-License-Identifier: MIT
"""Two tasks over an asyncio.Queue; and a foreign thread, whose way in is call_soon_threadsafe."""

import asyncio
import threading
import time

from . import bench


async def produce(queue, items):
    for i in range(items):
        await queue.put(i)


async def measure(capacity, items):
    queue = asyncio.Queue(capacity)
    start = time.perf_counter()
    producer = asyncio.create_task(produce(queue, items))
    for _ in range(items):
        await queue.get()
    await producer
    return bench.per_op(start, items)


async def measure_thread(items):
    queue = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def produce_in_thread():
        bench.pin_thread(1)
        for i in range(items):
            loop.call_soon_threadsafe(queue.put_nowait, i)

    thread = threading.Thread(target=produce_in_thread)
    start = time.perf_counter()
    thread.start()
    for _ in range(items):
        await queue.get()
    return bench.per_op(start, items)


bench.pin_thread(0)
bench.emit("queue", "capacity 1", bench.run(measure(1, bench.count())), "ns")
bench.emit("queue", "capacity 1024", bench.run(measure(1024, bench.count())), "ns")
bench.emit("queue", "from a thread", bench.run(measure_thread(bench.count())), "ns")
