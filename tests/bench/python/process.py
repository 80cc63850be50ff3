# SPDX-License-Identifier: MIT
"""create_subprocess_exec of /bin/true, by as many tasks as there are to be children at a time."""

import asyncio
import time

from . import bench


async def one_after_another(children):
    for _ in range(children):
        process = await asyncio.create_subprocess_exec("/bin/true")
        assert await process.wait() == 0


async def measure(children, at_a_time):
    if bench.PEER == "asyncio":  # its default until 3.12 starts a thread for each child
        watcher = asyncio.PidfdChildWatcher()
        watcher.attach_loop(asyncio.get_running_loop())
        asyncio.set_child_watcher(watcher)
    start = time.perf_counter()
    for task in [
        asyncio.create_task(one_after_another(children // at_a_time)) for _ in range(at_a_time)
    ]:
        await task
    return children // at_a_time * at_a_time / (time.perf_counter() - start)


bench.emit("process", "1 at a time", bench.run(measure(bench.count(), 1)), "/s")
bench.emit("process", "16 at a time", bench.run(measure(bench.count(), 16)), "/s")
ballast = b"1" * (1 << 30)
bench.emit("process", "with 1 GiB resident", bench.run(measure(1 + bench.count() // 20, 1)), "/s")
