#!/usr/bin/env python3
"""concepts.py: what one language's layer can do the others can, too.

coverage/concepts.tsv has a line for each concept: its name, and for Go, C# and Rust the
symbols that stand for it, or `native: WHY` where the language has it itself. This fails
where a cell is empty or names what the layer has not, and where a layer has a public type,
or a symbol in coverage/LANGUAGE.tsv, that stands in no cell of its column: a concept that
came to one language has to get its line, and so its cells in the others.
"""
import re
import sys

import coverage

LANGUAGES = ("go", "csharp", "rust")
TYPES = {
    "go": r"^type ([A-Z]\w*)",
    "csharp": r"^public (?:sealed |abstract |static |unsafe |readonly |partial )*"
              r"(?:class|struct|enum|interface|record struct|record) (\w+)",
    "rust": r"^pub (?:struct|enum|trait) (\w+)",
}
HIDDEN = {"rust": {"MaybeDone", "Parts", "PollFn"}}  # #[doc(hidden)]


def head(symbol):
    return re.split(r"\.|::", symbol)[0]


def rows():
    path = coverage.BINDINGS / "coverage" / "concepts.tsv"
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def complaints():
    columns = {language: set() for language in LANGUAGES}
    layers = {language: coverage.layer(language) for language in LANGUAGES}
    for concept, *cells in rows():
        for language, cell in zip(LANGUAGES, cells + [""] * (3 - len(cells))):
            if coverage.REASON.fullmatch(cell) and cell.startswith("native: "):
                continue
            symbols = [symbol.strip() for symbol in cell.split(",") if symbol.strip()]
            if not symbols:
                yield f"{concept}: {language} has it not"
            for symbol in symbols:
                if not coverage.has(language, layers[language], symbol):
                    yield f"{concept}: the {language} layer has no {symbol}"
            columns[language].update(symbols)
    for language, known in columns.items():
        heads = {head(symbol) for symbol in known}
        for name in sorted(set(re.findall(TYPES[language], layers[language], re.M))):
            if name not in heads and name not in HIDDEN.get(language, ()):
                yield f"{language} has {name}, which is of no concept"
        for symbol in sorted(coverage.symbols(language)):
            if symbol not in known | heads and head(symbol) not in known:
                yield f"{language} has {symbol}, which is of no concept"


def main():
    found = list(complaints())
    print("\n".join(found) or "each concept is there in every language")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
