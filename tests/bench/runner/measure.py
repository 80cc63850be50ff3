# SPDX-License-Identifier: MIT
"""Runs one measurement: a program of its own, or a server with the load generator against it.

Every answer is a list of samples {"workload", "peer", "metric", "value", "unit"}. Whatever fails
raises build.Failure.
"""

import contextlib
import ctypes
import glob
import json
import os
import re
import signal
import subprocess

from . import build

PAGE = os.sysconf("SC_PAGESIZE")
PR_SET_THP_DISABLE = 41
SECONDS_AT_MOST = 900

# Of the processors that we may use, which need not be the first ones.
SERVER_CPU, *OTHER_CPUS = sorted(os.sched_getaffinity(0))
LOAD_CPU = OTHER_CPUS[0] if OTHER_CPUS else SERVER_CPU


def small_pages():
    """Called in the child: no huge pages.

    They would round memory up, and make a fork cheap that has one large block, while the blocks of
    real programs are many and small.
    """
    ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)


def pin(processor):
    os.sched_setaffinity(0, {processor})


def environment():
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def program(command, count, use_small_pages):
    """Runs a program that measures itself, and answers its samples."""
    prepare = small_pages if use_small_pages else None
    command = [*command, str(count)]
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=build.HERE,
            preexec_fn=prepare,
            env=environment(),
            timeout=SECONDS_AT_MOST,
        )
    except subprocess.TimeoutExpired:
        raise build.Failure(f"no end within {SECONDS_AT_MOST} s: {' '.join(command)}")
    samples = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not samples:
        raise build.Failure(f"status {done.returncode}: {' '.join(command)}\n{done.stderr}")
    return samples


# --- servers ---


class Process:
    """A child on one processor, with lines in and out. Ends with the block it is used in."""

    def __init__(self, command, processor, use_small_pages=False):
        def prepare():
            pin(processor)
            if use_small_pages:
                small_pages()

        self.name = " ".join(command)
        self.child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=build.HERE,
            preexec_fn=prepare,
            env=environment(),
        )

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.child.kill()
        self.child.communicate()

    def line(self):
        text = self.child.stdout.readline()
        if not text:
            raise build.Failure(f"ended early, status {self.child.wait()}: {self.name}")
        return text.strip()

    def go(self):
        """Answers the load generator's `ready`."""
        self.child.stdin.write("\n")
        self.child.stdin.flush()

    def until_ready(self):
        text = self.line()
        if text != "ready":
            raise build.Failure(f"expected `ready`, got {text!r}: {self.name}")


def cpu_seconds(pid):
    """Time that the threads of a process had a processor: in nanoseconds, where stat has ticks."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path, encoding="utf-8") as schedstat:
            total += int(schedstat.read().split()[0])
    return total / 1e9


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="utf-8") as statm:
        return int(statm.read().split()[1]) * PAGE


@contextlib.contextmanager
def under_load(command, mode, certificate, load, *load_args, use_small_pages=False):
    """A server, and the load generator with its connections standing."""
    arguments = [*command, mode, *(certificate if mode == "tls" else ())]
    with Process(arguments, SERVER_CPU, use_small_pages) as server:
        port = server.line()
        with Process([*load, load_args[0], port, *map(str, load_args[1:])], LOAD_CPU) as client:
            client.until_ready()
            yield server, client


def sample(workload, peer, metric, value, unit):
    return {"workload": workload, "peer": peer, "metric": metric, "value": value, "unit": unit}


def echo(peer, command, kind, certificate, load, seconds, mode=None):
    """Requests a second, latency, and the server's processor time a request."""
    with under_load(
        command,
        mode or kind.mode,
        certificate,
        load,
        kind.mode,
        kind.connections,
        kind.size,
        seconds,
    ) as (server, client):
        before = cpu_seconds(server.child.pid)
        client.go()
        result = json.loads(client.line())
        client.until_ready()
        cpu = cpu_seconds(server.child.pid) - before
    return [
        sample("echo", peer, f"{kind.name}: requests", result["rate"], "/s"),
        sample("echo", peer, f"{kind.name}: latency p50", result["p50_us"], "us"),
        sample("echo", peer, f"{kind.name}: latency p99", result["p99_us"], "us"),
        sample("echo", peer, f"{kind.name}: server CPU", cpu * 1e6 / result["requests"], "us"),
    ]


def accept(peer, command, load, seconds):
    with under_load(command, "accept", (), load, "accept", seconds) as (server, client):
        before = cpu_seconds(server.child.pid)
        client.go()
        result = json.loads(client.line())
        client.until_ready()
        cpu = cpu_seconds(server.child.pid) - before
    return [
        sample("accept", peer, "accept and close", result["rate"], "/s"),
        sample("accept", peer, "server CPU", cpu * 1e6 / result["requests"], "us"),
    ]


def idle(peer, command, load, connections):
    """Resident bytes for each idle connection that has echoed once."""
    with under_load(command, "echo", (), load, "idle", connections, use_small_pages=True) as (
        server,
        client,
    ):
        before = resident_bytes(server.child.pid)
        client.go()
        client.until_ready()
        grown = resident_bytes(server.child.pid) - before
    return [sample("memory", peer, "idle connection", grown / connections, "B")]


def system_calls(peer, command, kind, certificate, load, seconds, folder):
    """System calls a request, by strace, attached only while the load runs."""
    counts = os.path.join(folder, "strace")
    with under_load(
        command, kind.mode, certificate, load, kind.mode, kind.connections, kind.size, seconds
    ) as (server, client):
        tracer = subprocess.Popen(
            ["strace", "-f", "-c", "-U", "calls,name", "-o", counts, "-p", str(server.child.pid)],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            said = tracer.stderr.readline()
            if "attached" not in said:
                raise build.Failure(
                    f"strace could not attach to {peer}: {said}{tracer.stderr.read()}"
                )
            client.go()
            result = json.loads(client.line())
            client.until_ready()
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate()
    with open(counts, encoding="utf-8") as table:
        total = re.search(r"^\s*(\d+)\s+total$", table.read(), re.MULTILINE)
    if not total:
        raise build.Failure(f"strace counted nothing for {peer}")
    return [
        sample(
            "echo",
            peer,
            f"{kind.name}: system calls",
            int(total[1]) / result["requests"],
            "a request",
        )
    ]
