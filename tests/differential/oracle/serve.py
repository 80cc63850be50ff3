"""Where the host enters: runs a file's worth of programs and returns their traces."""

import gc
import sys
import warnings

import asyncio

import mutants
import virtual_loop
from language import parse, split
from machine import Machine

COLLECT_EVERY = 200   # programs; between two collections nothing that is pending can vanish


def start():
    """Prepares the interpreter; returns its version."""
    asyncio._set_running_loop(None)   # the host runs Python inside a loop of its own
    if asyncio.Task.__module__ != "_asyncio" or asyncio.Future.__module__ != "_asyncio":
        raise RuntimeError("the accelerated Task and Future are not in use")
    virtual_loop.install()
    warnings.simplefilter("ignore")       # coroutines that a program drops before their first step
    sys.unraisablehook = lambda _: None   # abandoned coroutines that await while they are destroyed
    gc.collect()
    gc.freeze()
    gc.disable()
    return sys.version.split()[0]


def run(text, mutant, keep_messages):
    """The traces of all programs in `text`, each opened by its `program` line."""
    asyncio._set_running_loop(None)
    undo = mutants.apply(mutant) if mutant else None
    lines = []
    try:
        for count, source in enumerate(split(text)):
            program = parse(source)
            lines.append(f"program {program.number}")
            lines.extend(Machine(program, keep_messages).run())
            if count % COLLECT_EVERY == COLLECT_EVERY - 1:
                gc.collect()
        gc.collect()
    finally:
        if undo:
            undo()
    return "\n".join(lines) + "\n"
