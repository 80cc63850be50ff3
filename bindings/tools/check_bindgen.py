#!/usr/bin/env python3
"""check_bindgen.py: asyncloop-sys, which comes from SWIG's XML, is what bindgen
makes of the headers: each function, function type, struct and constant.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = ROOT / "bindings/rust/asyncloop-sys/src/lib.rs"
OPTIONS = ["--no-layout-tests", "--no-doc-comments", "--size_t-is-usize", "--use-core",
           "--ctypes-prefix", "core::ffi", "--no-rustfmt-bindings",
           "--allowlist-function", "aloop_.*", "--allowlist-type", "aloop_.*",
           "--allowlist-var", "ALOOP_.*"]


def bindgen():
    with tempfile.TemporaryDirectory() as work:
        header = pathlib.Path(work) / "all.h"
        header.write_text("#include <asyncloop.h>\n#include <asyncloop/libevent.h>\n")
        done = subprocess.run(["bindgen", *OPTIONS, str(header), "--", f"-I{ROOT}/include"],
                              capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{done.stderr}bindgen failed")
    return done.stdout


def normal(text):
    """One spelling for what the two write differently."""
    text = re.sub(r"//.*", "", text)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"(?::: ?)?\b(?:core|std) ?:: ?(?:option|os ?:: ?raw|ffi|marker) ?:: ?", "", text)
    text = re.sub(r" ?([(){}<>,:;=*.!]) ?", r"\1", text)
    text = re.sub(r" ?->? ?", lambda found: found.group().strip(), text)
    return text.replace(",)", ")").replace(",}", "}")


def declarations(text):
    text = normal(text)
    found = {}
    for name, rest in re.findall(r"pub fn (aloop_\w+)(\(.*?);", text):
        found[f"fn {name}"] = rest
    for name, rest in re.findall(r"pub type (aloop_\w+)=(.*?);", text):
        found[f"type {name}"] = rest
    for name, rest in re.findall(r"pub struct (aloop_\w+)\{(.*?)\}", text):
        fields = re.findall(r"pub (\w+:.*?)(?=,pub|$)", rest)
        found[f"struct {name}"] = ["opaque"] if not fields else fields
    for name, value in re.findall(r"pub const (ALOOP_\w+):\w+=(-?\w+);", text):
        found[f"const {name}"] = int(value, 0)
    return found


def main():
    ours, theirs = declarations(OURS.read_text()), declarations(bindgen())
    skipped = {"fn aloop_scope_leave_", "fn aloop_unref_cleanup_"}
    wrong = []
    for name in sorted((ours.keys() | theirs.keys()) - skipped):
        if ours.get(name) != theirs.get(name):
            wrong.append(f"{name}\n  ours    {ours.get(name)}\n  bindgen {theirs.get(name)}")
    print("\n".join(wrong) or f"{len(ours)} declarations are the same")
    return 1 if wrong or len(ours) < 100 else 0


sys.exit(main())
