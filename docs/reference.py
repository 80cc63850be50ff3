#!/usr/bin/env python3
"""Reads the public headers as they are written, for whoever shows them otherwise.

usage: reference.py doxygen HEADER             the header, with comments as Doxygen wants them
       reference.py man FOLDER VERSION HEADER...   a manual page for each function and header
       reference.py missing HEADER...          the functions that nothing describes

A comment describes the declarations below it, up to the next comment or empty
line. One that an empty line follows begins a section: its first line, up to
dashes, is the title, and it describes what in the section nothing else does. A
comment like "Bytes: what reads give." above aloop_bytes_new is about it and all of
that name that follow.
"""
import os
import re
import sys
import textwrap

k_skipped = re.compile(r"#define (ASYNCLOOP_|ALOOP_API|ALOOP_PRINTF)|#\s*(if|ifdef|ifndef|else|elif|endif|include|undef)\b|extern \"C\"|}$")
k_name = re.compile(r"\b(aloop_\w+)\s*\(|\(\*(aloop_\w+)\)")


class entry:
    """One declaration or macro: its lines, what describes it, and what stands behind it."""

    def __init__(self, line, text, comment, section, group):
        self.line, self.text, self.comment = line, text, comment
        self.section, self.group = section, group
        self.trailing = re.search(r"/\* (.*?) \*/\s*$", text, re.S)

    def is_function(self):
        return self.text.startswith("ALOOP_API") and "(" in self.text

    def name(self):
        found = k_name.search(self.text)
        return found and (found.group(1) or found.group(2))

    def prototype(self):
        text = re.sub(r"/\*.*?\*/", "", self.text, flags=re.S)
        text = re.sub(r"ALOOP_API |\s*ALOOP_PRINTF\([^)]*\)", "", text)
        return re.sub(r"\s+", " ", text).strip()

    def description(self):
        """What describes it: its own comment, else its section's; and what stands behind it."""
        parts = [self.comment or (self.section and self.section.text) or ""]
        if self.trailing:
            parts.append(re.sub(r"\s*\n\s*\*? *", " ", self.trailing.group(1)))
        return "\n\n".join(p for p in parts if p)


class section:
    def __init__(self, text):
        first, _, rest = text.partition("\n")
        self.title = re.sub(r"\s*-{3,}\s*$", "", first).strip()
        self.text = rest.strip("\n")


def comment_text(lines):
    """The words of a comment, without its stars."""
    text = "\n".join(lines)
    text = re.sub(r"^/\*+ ?", "", text)
    text = re.sub(r"\s*\*/\s*$", "", text)
    return "\n".join(re.sub(r"^ \* ?", "", line).rstrip() for line in text.split("\n")).strip("\n")


class header:
    """The entries of a header, in order, and the lines that each begins on."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)
        self.lines = open(path, encoding="utf-8").read().split("\n")
        self.entries, self.sections = [], {}
        self.about = ""
        self.parse()

    def parse(self):
        i, comment, current, group = 0, None, None, 0
        topics = {}  # a section of one name, and the one that it stands in
        while i < len(self.lines):
            line = self.lines[i]
            if line.startswith("/*"):
                end = i
                while "*/" not in self.lines[end]:
                    end += 1
                text = comment_text(self.lines[i:end + 1])
                if not self.about:
                    self.about = re.sub(r"\s*SPDX.*", "", text)
                    about = re.sub(rf"^({re.escape(self.name)}|libasyncloop): ", "", self.about)
                    self.about = about[:1].upper() + about[1:]
                elif end + 1 < len(self.lines) and self.lines[end + 1] == "":
                    current = section(text)
                    self.sections[i] = current
                    comment = None
                else:
                    comment = text
                    group += 1
                    below = self.lines[end + 1] if end + 1 < len(self.lines) else ""
                    if current in topics and current.title not in below:
                        current = topics[current]
                    topic = re.match(r"([A-Z]\w+): (.)", text)
                    if topic and f"aloop_{topic.group(1).lower()}_" in below:
                        comment = topic.group(2).upper() + text[topic.end():]
                        outer, current = current, section(
                            f"aloop_{topic.group(1).lower()}_\n{comment}")
                        topics[current] = topics.get(outer, outer)
                i = end + 1
            elif line == "":
                comment = None
                group += 1
                i += 1
            elif k_skipped.match(line):
                i += 1
            else:
                i = self.declaration(i, comment, current, group)

    def declaration(self, i, comment, current, group):
        """The declaration that begins on line i; the line after it."""
        end = i
        if self.lines[i].startswith("#"):
            while self.lines[end].endswith("\\"):
                end += 1
        else:
            depth = 0
            while True:
                code = re.sub(r"/\*.*?\*/", "", self.lines[end])
                depth += code.count("{") - code.count("}")
                if depth == 0 and re.search(r"[;}]\s*(/\*.*)?$", code):
                    break
                end += 1
        while re.search(r"/\*(?!.*\*/)", self.lines[end]) or (
                end > i and "*/" not in self.lines[end] and self.lines[end].startswith(" * ")):
            end += 1
        text = "\n".join(self.lines[i:end + 1])
        self.entries.append(entry(i, text, comment, current, group))
        return end + 1


# Doxygen ----------------------------------------------------------------------------------


def escaped(text):
    """Doxygen reads \\, @, <, #, % as commands, but not in indented examples."""
    lines = []
    for line in text.split("\n"):
        if not line.startswith("    "):
            line = re.sub(r"([\\@<>#%])", r"\\\1", line)
        lines.append(line)
    return "\n".join(lines)


def members_of(text):
    """A structure whose members all have a comment: before them, behind them, or its own."""
    lines = []
    for line in text.split("\n"):
        before = bool(lines) and lines[-1].endswith("*/") and lines[-1].lstrip().startswith(("/**", "*"))
        if line.lstrip().startswith("/* "):
            line = line.replace("/* ", "/** ", 1)
        elif line.endswith("*/"):
            line = line.replace("/* ", "/**< ", 1)
        elif line.startswith("    ") and line.endswith(";") and not before:
            line += " /**< as the structure says */"
        lines.append(line)
    return "\n".join(lines)


def contents(h):
    """What there is: each header that h includes, with its first sentence."""
    folder = os.path.dirname(h.path)
    lines = ["| header | what it has |", "| --- | --- |"]
    for line in h.lines:
        found = re.match(r"#include <(asyncloop/(\w+\.h))>", line)
        if found:
            about = header(os.path.join(folder, found.group(1))).about
            first = re.split(r"(?<=[a-z)])[.:](?:\s|$)", about.replace("\n", " "))[0]
            lines.append(f'| \\ref {found.group(2)} "{found.group(2)}" | {escaped(first)} |')
    lines += ["", "The tutorial, guides and how-to pages are in docs/ of the source.", ""]
    return "\n".join(lines)


def doxygen(path):
    """The header with a comment of Doxygen's before each declaration."""
    h = header(path)
    print("/** \\file\n" + escaped(h.about) + " */")
    if h.name == "asyncloop.h":
        print("/** \\mainpage\n" + escaped(h.about) + "\n\n" + contents(h) + " */")
    for i, e in enumerate(h.entries):
        members = "{" in e.text
        about = e.description()
        if not about and not e.is_function():  # what it is for comes after it
            about = next((f.description() for f in h.entries[i:] if f.description()), "")
        if e.text.startswith("typedef struct") and not members:
            about = "Opaque: an object of the library."
        if members:
            text = members_of(e.text)
        else:
            text = re.sub(r"/\*.*?\*/", "", e.text, flags=re.S)
        print(f"/** {escaped(about)} */\n{text}\n" if about else text + "\n")


# Manual pages ---------------------------------------------------------------------------------


def roff(text):
    """Paragraphs and examples in man's language."""
    lines, in_example = [], False
    for line in text.split("\n"):
        example = line.startswith("    ")
        if example != in_example:
            lines.append(".EX" if example else ".EE")
            in_example = example
        line = line.replace("\\", "\\e").replace("-", "\\-")
        if line.startswith((".", "'")):
            line = "\\&" + line
        lines.append(line if line or example else ".PP")
    if in_example:
        lines.append(".EE")
    return "\n".join(lines)


def first_sentence(text):
    text = text.strip().replace("\n", " ").removeprefix("An operation: ")
    sentence = re.split(r"(?<=[a-z)\]])[.:](?:\s|$)", text)[0]
    return roff(sentence[:1].lower() + sentence[1:])


def page(folder, name, version, parts):
    """Writes a page; parts: [(heading, body)]."""
    with open(os.path.join(folder, name + ".3"), "w", encoding="utf-8") as file:
        file.write(f'.TH {name} 3 "" "libasyncloop {version}" "libasyncloop"\n'
                   ".nh\n.ad l\n")
        for title, body in parts:
            file.write(f".SH {title}\n{body}\n")


def references(names):
    """Other pages, as a list."""
    return ",\n".join(f".BR {name} (3)" for name in names).replace(",\n", " ,\n")


def man(folder, version, paths):
    """A page for each function and each header, one for all, and what ninja is to know of them."""
    os.makedirs(folder, exist_ok=True)
    all_headers = []
    for path in paths:
        h = header(path)
        all_headers.append(h)
        stem = h.name[:-2]
        functions = [e for e in h.entries if e.is_function() and e.name()]
        include = "asyncloop/libevent.h" if stem == "libevent" else "asyncloop.h"
        for e in functions:
            same = [f for f in functions if f.group == e.group and f.comment == e.comment]
            around = [f.name() for f in functions if f.section is e.section and f is not e]
            about = first_sentence(e.description()) or stem
            lines = [line for f in same
                     for line in textwrap.wrap(f.prototype(), 72, subsequent_indent="    ")]
            synopsis = f".nf\n.B #include <{include}>\n.PP\n" + "\n".join(
                f'.B "{line.replace("-", chr(92) + "-")}"' for line in lines) + "\n.fi"
            parts = [("NAME", f"{e.name()} \\- {about}"), ("SYNOPSIS", synopsis),
                     ("DESCRIPTION", roff(e.description()))]
            if e.comment and e.section and e.section.text not in ("", e.comment):
                parts.append(("NOTES", roff(e.section.text)))
            parts.append(("SEE ALSO", references([f"asyncloop_{stem}"] + around[:12])))
            page(folder, e.name(), version, parts)
        page(folder, f"asyncloop_{stem}", version, [
            ("NAME", f"asyncloop_{stem} \\- " + first_sentence(h.about)),
            ("SYNOPSIS", f".B #include <{include}>"), ("DESCRIPTION", roff(h.about)),
            ("FUNCTIONS", references([e.name() for e in functions]))])
    page(folder, "asyncloop", version, [
        ("NAME", "asyncloop \\- asyncio for C: an event loop with coroutines, tasks and streams"),
        ("SYNOPSIS", ".B #include <asyncloop.h>\n.PP\n.B cc program.c "
                     "$(pkg\\-config \\-\\-cflags \\-\\-libs asyncloop)"),
        ("DESCRIPTION", "Each function has a page, and each header has one that lists its functions:\n"
         + "\n".join(f".TP\n.BR asyncloop_{h.name[:-2]} (3)\n{first_sentence(h.about)}"
                     for h in all_headers)),
        ("ENVIRONMENT", "\n".join((
            ".TP\n.B ASYNCLOOP_DEBUG\n1: debug mode: slow callbacks, operations that nobody"
            " awaited and calls from the wrong thread are reported.",
            ".TP\n.B ASYNCLOOP_CLOCK\nvirtual: time jumps to the next timer when there is"
            " nothing to do.",
            ".TP\n.B ASYNCLOOP_TRACE\nA file to which a timeline for Perfetto is written.")))])
    print(f"{folder}: " + " ".join(paths), file=open(folder + ".d", "w"))


def missing(paths):
    """Functions without a word, or with a word too little to be one."""
    bad = [f"{path}:{e.line + 1}: {e.name()}" for path in paths for e in header(path).entries
           if e.is_function() and len(e.description()) < 5]
    print("\n".join(bad))
    return bool(bad)


def main():
    what, *rest = sys.argv[1:]
    if what == "doxygen":
        doxygen(*rest)
    elif what == "man":
        man(rest[0], rest[1], rest[2:])
    elif what == "missing":
        sys.exit(missing(rest))


main()
