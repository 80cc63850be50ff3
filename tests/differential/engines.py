"""The two sides of a comparison: CPython in WebAssembly, and a program under test.

An engine has `run(texts)`: one trace (a list of lines, without the `program` line) for each
program.
"""

import json
import os
import pathlib
import subprocess
import tempfile
import time

import language

HERE = pathlib.Path(__file__).resolve().parent
# CPython 3.14 is the reference; 3.15 is asked only for what 3.14 does not have (TaskGroup.cancel).
PACKAGES = {"3.14": "314.0.7", "3.15": "315.0.0-alpha.2"}
INTERPRETER_SECONDS = 100  # for one batch of programs, which takes well under a second
PAUSES = (0, 5, 30)        # seconds before each attempt to fetch one: a registry may fail once
HANGS = 3                  # after so many hangs the rest of a batch is given up


class EngineError(Exception):
    """A side could not be started or broke down."""


def install(build, version):
    """Has npm install one CPython below `build`, unless it is there; returns its folder."""
    wanted = PACKAGES[version]
    prefix = pathlib.Path(build) / f"cpython-{version}"
    folder = prefix / "node_modules" / "pyodide"
    manifest = folder / "package.json"
    if not (manifest.exists() and json.loads(manifest.read_text())["version"] == wanted):
        prefix.mkdir(parents=True, exist_ok=True)
        (prefix / "package.json").write_text("{}\n")
        for pause in PAUSES:
            time.sleep(pause)
            done = subprocess.run(["npm", "install", "--no-audit", "--no-fund",
                                   f"pyodide@{wanted}"],
                                  cwd=prefix, capture_output=True, text=True)
            if done.returncode == 0:
                break
        else:
            raise EngineError(f"npm cannot install pyodide@{wanted}:\n{done.stderr}")
    return folder


class _Files:
    """The two files through which programs and traces pass."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="differential-")
        self.programs = os.path.join(self.folder.name, "programs")
        self.traces = os.path.join(self.folder.name, "traces")

    def write(self, texts):
        pathlib.Path(self.programs).write_text("\n".join(texts) + "\n")
        pathlib.Path(self.traces).write_text("")

    def read(self):
        text = pathlib.Path(self.traces).read_text(errors="replace")
        return [trace.split("\n")[1:] for trace in language.split(text)]


class Oracle:
    """CPython's asyncio, in a process that stays up between batches."""

    def __init__(self, build, version="3.14", messages="kept"):
        folder = install(build, version)
        sources = [*sorted((HERE / "oracle").glob("*.py")), HERE / "language.py"]
        self.messages = messages
        self.files = _Files()
        self.process = subprocess.Popen(["node", HERE / "oracle" / "host.mjs", folder, *sources],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline().split()
        if ready[:1] != ["ready"] or not ready[1].startswith(version + "."):
            raise EngineError(f"CPython {version} does not start: {' '.join(ready)}")
        self.version = ready[1]

    def run(self, texts, mutant=None):
        """The traces of the programs; `mutant` names a mistake to put into asyncio first."""
        self.files.write(texts)
        request = {"programs": self.files.programs, "traces": self.files.traces, "mutant": mutant,
                   "messages": self.messages}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "done":
            raise EngineError(f"the oracle failed: {answer}")
        return self.files.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Mutant:
    """An oracle with a mistake in it, which takes the place of an implementation under test."""

    def __init__(self, oracle, name):
        self.oracle, self.name = oracle, name

    def run(self, texts):
        return self.oracle.run(texts, self.name)


class Interpreter:
    """An executable called as `interpreter PROGRAMS TRACES`.

    It must write the trace of each program before it starts the next. If it dies or hangs, the
    program without a verdict gets the line `crash <how>`, and the rest is given to a new process.
    """

    def __init__(self, path):
        self.path = os.path.abspath(path)
        if not os.access(self.path, os.X_OK):
            raise EngineError(f"there is no interpreter at {path}: build it (README.md)")
        self.files = _Files()

    def run(self, texts):
        traces = []
        hangs = 0
        while len(traces) < len(texts):
            remaining = texts[len(traces):]
            if hangs == HANGS:
                return traces + [["crash not run"]] * len(remaining)
            failure = self._attempt(remaining)
            hangs += failure == "timeout"
            complete = self.files.read()[:len(remaining)]
            broken = []
            if complete and not _has_verdict(complete[-1]):
                broken = complete.pop()
            traces += complete
            if len(traces) < len(texts):
                traces.append(broken + [f"crash {failure or 'no trace'}"])
        return traces

    def _attempt(self, texts):
        self.files.write(texts)
        try:
            done = subprocess.run([self.path, self.files.programs, self.files.traces],
                                  capture_output=True, text=True, timeout=INTERPRETER_SECONDS,
                                  errors="replace")
        except subprocess.TimeoutExpired:
            return "timeout"
        if done.returncode == 0:
            return None
        said = done.stderr.strip().split("\n")[-1]
        return f"status {done.returncode} {said}".strip()


def _has_verdict(trace):
    return bool(trace) and trace[-1].startswith("verdict ")
