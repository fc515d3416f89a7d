"""`python -m tests.benchmarks [--out FOLDER] [NAME ...]`: run the benchmarks; tables, and files with the same.

Ratios hold; seconds do not. FOLDER/NAME.json and NAME.svg are what each of them found, in build/benchmarks by default.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import tests.benchmarks
from tests.benchmarks.results import keep, table

#: Beside the sources, and never among them.
OUT = Path(__file__).parents[2] / "build" / "benchmarks"


def names() -> list[str]:
    """Every benchmark: a module bench_NAME with a function main(), which returns rows."""
    modules = pkgutil.iter_modules(tests.benchmarks.__path__)
    return [module.name.removeprefix("bench_") for module in modules if module.name.startswith("bench_")]


def main(words: list[str]) -> int:
    """Run those chosen, or all."""
    out, chosen = (Path(words[1]), words[2:]) if words[:1] == ["--out"] and words[1:] else (OUT, words)
    unknown = set(chosen) - set(names())
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    for name in chosen or names():
        print(f"== {name}", flush=True)
        rows = importlib.import_module(f"tests.benchmarks.bench_{name}").main()
        print(table(rows), flush=True)
        for path in keep(out, name, rows):
            print(f"kept as {path}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
