#!/usr/bin/env python3
"""coverage.py LANGUAGE LIBRARY: coverage/LANGUAGE.tsv says of every C function what
a program of the language uses for it, and the layer has that.

A line is FUNCTION, a tab, and one of the following. A FUNCTION that ends with * is
for all that begin so and have no line of their own; a build may leave those out. What
sets or adds something, an option for instance, is not done with that, unless the whole
family is native or of fibers: the layer calls it, or it has a line with the reason.
    Type.name, name     a public symbol of the layer (Rust: Type::name)
    inside: WHY         the layer calls it, no program needs to
    native: WHY         the language has it itself (defer, iterators, contexts)
    fiber: WHY          it belongs to stackful coroutines, which managed code has not
"""
import fnmatch
import pathlib
import re
import subprocess
import sys

BINDINGS = pathlib.Path(__file__).resolve().parents[1]
SOURCES = {
    "go": ("go", "*.go", r"(?:^func (?:\(\w+ \*?{type}(?:\[\w+(?:, ?\w+)*\])?\) )?{name}\b"
           r"|^type {name}\b|^\t{name}\b)"),
    "rust": ("rust/asyncloop/src", "**/*.rs",
             r"\b(?:fn|struct|enum|trait|const|type|mod) {name}\b"
             r"|^    {name}\(.*\) \w+ = "),  # made by a macro
    "csharp": ("csharp/AsyncLoop", "**/*.cs", r"\b(?:public|override|const)\b[^;={{]*\b{name}\b"),
}
CALLS = {"go": lambda name: "sys." + name[6].upper() + name[7:], "rust": "sys::{}".format,
         "csharp": "Native.{}".format}
SETTER = re.compile(r"aloop_\w+_(?:set|add)_\w+|aloop_(?:set|add)_\w+")
REASON = re.compile(r"(?:inside|native|fiber): \S.+")


def exported(library):
    table = subprocess.run(["nm", "-D", "--defined-only", library], check=True,
                           capture_output=True, text=True).stdout
    return set(re.findall(r"\b(aloop_\w+)(?:@|$)", table, re.M))


def layer(language):
    folder, pattern, _ = SOURCES[language]
    files = [p for p in sorted((BINDINGS / folder).glob(pattern))
             if p.name not in ("Native.cs",) and not p.name.endswith("_test.go")]
    return "\n".join(p.read_text() for p in files)


def has(language, text, symbol):
    parts = re.split(r"\.|::", symbol)
    rule = SOURCES[language][2]
    return re.search(rule.format(type=parts[0] if len(parts) > 1 else r"\w+", name=parts[-1]),
                     text, re.M) is not None and (
        len(parts) == 1 or re.search(rf"\b{parts[0]}\b", text) is not None)


def symbols(language):
    """The symbols of the layer that the table names."""
    lines = (BINDINGS / "coverage" / f"{language}.tsv").read_text().splitlines()
    named = {line.partition("\t")[2].strip() for line in lines if not line.startswith("#")}
    return {what for what in named if what and not REASON.fullmatch(what)}


def family(name, rows):
    """What the closest line that is for several functions says of this one."""
    patterns = [one for one in rows if one.endswith("*") and fnmatch.fnmatchcase(name, one)]
    return rows[max(patterns, key=len)] if patterns else ""


def forgotten(language, functions, rows, text):
    """The setters that the layer does not call, and of which nothing is said."""
    for name in sorted(functions - rows.keys()):
        if not SETTER.fullmatch(name) or re.match("native: |fiber: ", family(name, rows)):
            continue
        if not re.search(rf"{re.escape(CALLS[language](name))}\b", text):
            yield f"{name}: the layer does not call it, and no line says why"


def complaints(language, library):
    rows = {}
    path = BINDINGS / "coverage" / f"{language}.tsv"
    for line in path.read_text().splitlines():
        if line.startswith("#") or not line:
            continue
        name, _, what = line.partition("\t")
        if name in rows:
            yield f"{name} stands twice"
        rows[name] = what.strip()
    functions = exported(library)
    patterns = [n for n in rows if n.endswith("*")]
    for name in sorted(functions - rows.keys()):
        if not any(fnmatch.fnmatchcase(name, p) for p in patterns):
            yield f"{name} has no line in {path.name}"
    for name in sorted(rows):
        if name not in functions and name not in patterns:
            yield f"{name} is no function of the library"
    text = layer(language)
    yield from forgotten(language, functions, rows, text)
    for name, what in sorted(rows.items()):
        if REASON.fullmatch(what):
            continue
        if ":" in what.replace("::", "") or not what:
            yield f"{name}: neither a symbol nor a reason: {what!r}"
        elif not has(language, text, what):
            yield f"{name}: the layer has no {what}"


def main():
    found = list(complaints(*sys.argv[1:]))
    print("\n".join(found) or f"every function is covered in {sys.argv[1]}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
