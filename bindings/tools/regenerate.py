#!/usr/bin/env python3
"""regenerate.py [--check]: writes every generated file of the bindings, or says
which of those checked in are not what would be written (and fails).

Needs Python 3 and SWIG 4.1.0, no compiler. The same tree gives the same bytes
wherever it stands.
"""
import pathlib
import re
import sys
import tempfile

import gen_go
import gen_rust
import interface

GO = "go/internal/sys"
# Nothing of SWIG's helpers is used: the types cross as they are (swig/csharp.i).
CSHARP = ["-DSWIG_CSHARP_NO_EXCEPTION_HELPER", "-DSWIG_CSHARP_NO_STRING_HELPER",
          "-DSWIG_CSHARP_NO_IMCLASS_STATIC_CONSTRUCTOR", "-namespace", "AsyncLoop",
          "-module", "Native", "-dllimport", "asyncloop_csharp"]


def tidy(text):
    """Takes out what depends on where the tree stands, and trailing blanks."""
    text = re.sub(r"^// source: .*\n\n", "", text, flags=re.M)
    text = re.sub(r"^ \* source: .*\n", "", text, flags=re.M)
    return re.sub(r"[ \t]+$", "", text, flags=re.M).rstrip("\n") + "\n"


def swig_files():
    with tempfile.TemporaryDirectory() as work:
        at = pathlib.Path(work)
        interface.swig("-go", "-cgo", "-intgosize", "64", "-package", "sys",
                       "-outdir", work, "-o", f"{work}/asyncloop_wrap.c")
        interface.swig("-csharp", *CSHARP, "-outdir", work, "-outfile", "Native.cs",
                       "-o", f"{work}/asyncloop_csharp_wrap.c")
        read = {p.name: tidy(p.read_text()) for p in at.iterdir()}
    return {
        f"{GO}/asyncloop.go": read["asyncloop.go"],
        f"{GO}/asyncloop_wrap.c": read["asyncloop_wrap.c"],
        "csharp/AsyncLoop/Native.cs": read["Native.cs"],
        "csharp/native/asyncloop_csharp_wrap.c": read["asyncloop_csharp_wrap.c"],
    }


def generated():
    found = interface.load()
    return {
        "headers.i": interface.write_headers(),
        **swig_files(),
        f"{GO}/constants.go": gen_go.write(found),
        "rust/asyncloop-sys/src/lib.rs": gen_rust.write(found),
    }


def main():
    check = sys.argv[1:] == ["--check"]
    stale = []
    for name, text in generated().items():
        path = interface.BINDINGS / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(f"bindings/{name}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if not stale:
        print("the generated files are current")
        return 0
    print("\n".join(stale))
    if check:
        print("the files above are not what is generated now: sh bindings/regenerate",
              file=sys.stderr)
    return 1 if check else 0


sys.exit(main())
