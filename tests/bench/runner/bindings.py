# SPDX-License-Identifier: MIT
"""What an await and a callback cost in each language: runs the benchmarks that stand with the
bindings, and puts their figures under common names.

A language is one entry of LANGUAGES. What its tool is missing for, or its part of the library, is
reported as not measured.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from . import build, measure, peers


@dataclass(frozen=True)
class Language:
    name: str
    tool: str  # that runs it; not every machine has it
    folder: str  # the command's, below bindings/
    command: tuple
    quick: tuple  # what is appended for a short run
    line: str  # of its output: a regular expression with the groups `what` and `ns`
    metrics: tuple  # (what, our name for it); the rest is left out
    needs: str = ""  # a file of the build
    environment: tuple = ()


RECORDS = "completion record, in batches"
CALLBACK = "callback, in batches"
ONE = "await, one task"
MANY = "await, many tasks"

BUILD = str(peers.OUR_BUILD)
LIBRARIES = f"{BUILD}/lib:{BUILD}/bindings/csharp"

LANGUAGES = [
    Language(
        "go",
        "go",
        "go",
        ("go", "test", "-run", "-", "-bench", "."),
        ("-benchtime", "200x"),
        r"^Benchmark(?P<what>\w+?)(-\d+)?\s+\d+\s+(?P<ns>[\d.]+) ns/op",
        (
            ("CompletionRecords", RECORDS),
            ("Callbacks", CALLBACK),
            ("Await1", ONE),
            ("Await64", MANY),
            ("AwaitInATask", "await, in a task of the language"),
            ("Post", "post a closure"),
        ),
        environment=(
            ("CGO_CFLAGS", f"-I{peers.ROOT}/include"),
            ("PKG_CONFIG_PATH", f"{BUILD}/meson-uninstalled"),
            ("CGO_LDFLAGS", f"-L{peers.OUR_LIBRARY}"),
            ("GOFLAGS", "-count=1"),
            ("GOPROXY", "off"),
            ("GOTOOLCHAIN", "local"),
        ),
    ),
    Language(
        "csharp",
        "dotnet",
        "csharp",
        ("dotnet", "run", "--project", "bench", "-c", "Release", "--artifacts-path")
        + (f"{BUILD}/csharp", "-p:UseSharedCompilation=false"),
        (),
        r"^(?P<what>\S.*?)\s{2,}(?P<ns>\d+) ns$",
        (
            ("completion record, in batches of 256", RECORDS),
            ("completion record, one at a time", "completion record, one at a time"),
            ("callback, 256 at a time", CALLBACK),
            ("callback, one at a time", "callback, one at a time"),
            ("await future, one task", ONE),
            ("await future, 256 tasks", MANY),
            ("spawn and await a task", "spawn and await a task"),
        ),
        needs="bindings/csharp/libasyncloop_csharp.so",
        environment=(("DOTNET_CLI_TELEMETRY_OPTOUT", "1"), ("DOTNET_NOLOGO", "1")),
    ),
    Language(
        "rust",
        "cargo",
        "rust",
        (f"{peers.ROOT}/tests/bindings-rust/with_cargo", "bench", "-p", "asyncloop", "--"),
        ("quick",),
        r"^(?P<what>\S.*?)\s{2,}(?P<ns>\d+) ns$",
        (
            ("completion record, in batches of 256", RECORDS),
            ("completion record, one at a time", "completion record, one at a time"),
            ("callback, 256 at a time", CALLBACK),
            ("callback, one at a time", "callback, one at a time"),
            ("await sleep(0), one task", ONE),
            ("await sleep(0), 256 tasks", MANY),
            ("spawn and await a task", "spawn and await a task"),
            ("post from a thread, in batches", "post a closure"),
        ),
        environment=(
            ("CARGO_TARGET_DIR", f"{BUILD}/cargo"),
            ("PKG_CONFIG_PATH", f"{BUILD}/meson-uninstalled"),
        ),
    ),
]


def absence(language):
    """Why it cannot be measured here; empty: it can."""
    if not shutil.which(language.tool):
        return f"needs {language.tool}"
    if language.needs and not (peers.OUR_BUILD / language.needs).exists():
        return f"is not built (meson configure -Dbindings={language.name})"
    if not (peers.ROOT / "bindings" / language.folder).is_dir():
        return "is not there yet"
    return ""


def run(language, quick):
    """Its samples."""
    command = [*language.command, *(language.quick if quick else ())]
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=peers.ROOT / "bindings" / language.folder,
            env={**os.environ, "LD_LIBRARY_PATH": LIBRARIES, **dict(language.environment)},
            timeout=900,
        )
    except subprocess.TimeoutExpired:
        raise build.Failure(f"no end within 900 s: {' '.join(command)}") from None
    figures = []
    for line in done.stdout.splitlines():
        found = re.match(language.line, line)
        name = dict(language.metrics).get(found["what"]) if found else None
        if name:
            figures.append((name, float(found["ns"])))
    if done.returncode != 0 or len(figures) != len(language.metrics):
        raise build.Failure(f"status {done.returncode}: {' '.join(command)}\n{done.stdout}")
    return [measure.sample("bindings", language.name, name, ns, "ns") for name, ns in figures]
