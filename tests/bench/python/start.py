# SPDX-License-Identifier: MIT
"""A loop made, turned once and closed."""

import time

from . import bench

factory = bench.loop_factory()
start = time.perf_counter()
for _ in range(bench.count()):
    loop = factory()
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
bench.emit("start", "loop", bench.per_op(start, bench.count()) / 1000, "us")
