"""`python -m tests.benchmarks [NAME ...]`: run the benchmarks, print one line each. Ratios hold; seconds do not."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import tests.benchmarks


def names() -> list[str]:
    """Every benchmark: a module bench_NAME with a function main()."""
    modules = pkgutil.iter_modules(tests.benchmarks.__path__)
    return [module.name.removeprefix("bench_") for module in modules if module.name.startswith("bench_")]


def main(chosen: list[str]) -> int:
    """Run those chosen, or all."""
    unknown = set(chosen) - set(names())
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    for name in chosen or names():
        print(f"== {name}", flush=True)
        importlib.import_module(f"tests.benchmarks.bench_{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
