# SPDX-License-Identifier: MIT
"""What the machine is, what stands on it, and what else it did while we measured."""

import contextlib
import os
import platform
import resource
import struct

from . import build, peers

CPU_LATENCY = "/dev/cpu_dma_latency"


def description():
    return f"{platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}"


def times():
    """(stolen, busy, all, our own) seconds since the machine started, over all processors."""
    with open("/proc/stat", encoding="utf-8") as stat:
        user, nice, system, idle, wait, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    busy = user + nice + system + irq + softirq
    own = sum(
        resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    tick = os.sysconf("SC_CLK_TCK")
    return [count / tick for count in (steal, busy, busy + idle + wait + steal)] + [own]


def stolen(before):
    """The share of the processors' time that went to other machines since."""
    steal, _, everything, _ = (after - old for after, old in zip(times(), before))
    return steal / everything if everything > 0 else 0.0


@contextlib.contextmanager
def awake():
    """Idle processors poll instead of halting, if we may ask for it (the kernel's PM QoS, by root).

    A virtual processor that halts is given back to the host, which takes 40 us to bring it back
    when it is calm and 600 when it is not: that would be most of what is measured.
    """
    try:
        latency = open(CPU_LATENCY, "wb", buffering=0)
    except OSError:
        yield
        return
    with latency:
        latency.write(struct.pack("i", 0))  # microseconds; it holds while the file is open
        yield


def disturbance(before):
    steal, busy, everything, own = (after - old for after, old in zip(times(), before))
    everything = everything or 1
    others = max(0, busy - own)
    return (
        f"other machines took {steal / everything:.0%} of the processors' time (steal), and other"
        f" programs on this one {others / everything:.0%}"
    )


def versions(wanted):
    found = {
        peer.name: build.installed_version(peer.packages[0])
        for peer in wanted
        if peer.name != peers.OURS
    }
    return {name: version for name, version in found.items() if version and name != peers.LIMIT}
