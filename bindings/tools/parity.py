#!/usr/bin/env python3
"""parity.py LIBRARY: what the library exports, what the headers declare and what
each raw binding wraps is one and the same list of functions.

What a language leaves out stands in parity-allow.txt with the reason; an entry
that is not needed is an error, too. And no type slipped past the rules of
swig/*.i, which would show as a pointer type of SWIG's own.
"""
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BINDINGS = HERE.parent
LANGUAGES = ("go", "csharp", "rust")


def exported(library):
    table = subprocess.run(["nm", "-D", "--defined-only", library], check=True,
                           capture_output=True, text=True).stdout
    return set(re.findall(r"\b(aloop_\w+)(?:@|$)", table, re.M))


def headers():
    return [p.read_text() for p in sorted((BINDINGS.parent / "include/asyncloop").glob("*.h"))]


def declared():
    found = set()
    for text in headers():
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        text = re.sub(r"^#.*(?:\\\n.*)*$", "", text, flags=re.M)
        found.update(re.findall(r"ALOOP_API\b[^;(]*?\b(aloop_\w+)\(", text))
    return found


def wrapped(language):
    if language == "go":
        text = (BINDINGS / "go/internal/sys/asyncloop.go").read_text()
        named = set(re.findall(r"^func (\w+)\(", text, re.M))
        called = re.findall(r"C\._wrap_(\w+?)_sys_[0-9a-f]{16}\(", text)
        return {"aloop_" + name.lower() for name in called
                if name[0].upper() + name[1:] in named} - {"aloop_swig_free", "aloop_swig_malloc"}
    if language == "csharp":
        text = (BINDINGS / "csharp/AsyncLoop/Native.cs").read_text()
        return set(re.findall(r'EntryPoint="CSharp_AsyncLoop_(\w+)"', text))
    text = (BINDINGS / "rust/asyncloop-sys/src/lib.rs").read_text()
    return set(re.findall(r"^ +pub fn (\w+)\(", text, re.M))


def allowed():
    """name: the languages that leave it out"""
    found = {}
    for line in (HERE / "parity-allow.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        names, languages, reason = (part.strip() for part in line.split(":", 2))
        assert reason and set(languages.split()) <= set(LANGUAGES), line
        for name in names.split():
            found.setdefault(name, set()).update(languages.split())
    return found


def compare(functions):
    allow = allowed()
    for language in LANGUAGES:
        there = wrapped(language)
        out = {name for name, languages in allow.items() if language in languages}
        yield from (f"{language}: {n} is missing" for n in sorted(functions - there - out))
        yield from (f"{language}: {n} is no function of the library"
                    for n in sorted(there - functions))
        yield from (f"parity-allow.txt: {language} has {n}, or nobody does"
                    for n in sorted(out & there | out - functions))


def strange_types():
    rules = set(re.findall(r"RULE\((\w+)\)", (BINDINGS / "swig/functions.i").read_text()))
    types = set(re.findall(r"^typedef .*\(\*(aloop_\w+)\)", "".join(headers()), re.M))
    yield from (f"swig/functions.i and the headers differ in {n}" for n in sorted(rules ^ types))
    go = (BINDINGS / "go/internal/sys/asyncloop.go").read_text()
    yield from (f"go: no rule for a type: {line}" for line in go.splitlines()
                if re.match(r"func .*(Struct_SS|_swig_fnptr|Swigcptr\w)", line))
    csharp = (BINDINGS / "csharp/AsyncLoop/Native.cs").read_text()
    yield from (f"csharp: no rule for {n}"
                for n in sorted(set(re.findall(r"SWIGTYPE_\w+", csharp))))


def main():
    functions = exported(sys.argv[1])
    complaints = [f"{n} is exported or declared, but not both"
                  for n in sorted(functions ^ declared())]
    complaints += compare(functions)
    complaints += strange_types()
    print("\n".join(complaints) or f"{len(functions)} functions in C, Go, C# and Rust")
    return 1 if complaints or not functions else 0


sys.exit(main())
