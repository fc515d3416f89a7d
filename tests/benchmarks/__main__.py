"""`python -m tests.benchmarks [--quick] [--out FOLDER] [NAME ...]`: run the benchmarks; tables, and files of them.

Ratios hold; seconds do not. FOLDER/NAME.json and NAME.svg are what each of them found, in build/benchmarks by default.
Each table is followed by its targets, and all of them come once more at the end. `--quick` makes all of it small, as a
look that everything works: its figures say little.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path

import tests.benchmarks
from tests.benchmarks.results import keep, table
from tests.benchmarks.targets import judged, unjudged

#: Beside the sources, and never among them.
OUT = Path(__file__).parents[2] / "build" / "benchmarks"


def names() -> list[str]:
    """Every benchmark: a module bench_NAME with a function main(), which returns rows, and its arguments when quick."""
    modules = pkgutil.iter_modules(tests.benchmarks.__path__)
    return [module.name.removeprefix("bench_") for module in modules if module.name.startswith("bench_")]


def main(words: Sequence[str]) -> int:
    """Run those chosen, or all. One that fails is told, and the others run all the same; 1 then."""
    options = _parser().parse_args(words)
    unknown = set(options.names) - set(names())
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    told: dict[str, list[str]] = {}
    failed = dict[str, Exception]()
    for name in options.names or names():
        print(f"== {name}", flush=True)
        try:
            told[name] = _run(name, options.out, quick=options.quick)
        except Exception as exc:  # an hour of others' figures is not lost by it
            failed[name] = exc
            print(f"{name} failed: {exc}", file=sys.stderr, flush=True)
    print("== targets", flush=True)
    for name, verdicts in told.items():
        for verdict in verdicts:
            print(f"{name}: {verdict}")
    for name, error in failed.items():
        print(f"{name}: FAILED: {error}")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--quick", action="store_true", help="small, as a look that everything works")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER", help="for the files")
    parser.add_argument("names", nargs="*", metavar="NAME")
    return parser


def _run(name: str, out: Path, *, quick: bool) -> list[str]:
    """Run one; what it says of its targets."""
    module = importlib.import_module(f"tests.benchmarks.bench_{name}")
    rows = module.main(**(module.QUICK if quick else {}))
    verdicts = [] if quick else [str(verdict) for verdict in judged(name, rows)]
    verdicts += [] if quick else [f"NOT MEASURED: {says}" for says in unjudged(name, rows)]
    print(table(rows), flush=True)
    for verdict in verdicts:
        print(verdict, flush=True)
    for path in keep(out, name, rows):
        print(f"kept as {path}", flush=True)
    return verdicts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
