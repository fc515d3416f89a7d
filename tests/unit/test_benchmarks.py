"""What benchmarks print and keep: the same figures as a table, as JSON and as a picture."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks.measuring import measure
from tests.benchmarks.results import Row, keep, read, table
from tests.benchmarks.targets import TARGETS, Target, beside, judged, unjudged

ROWS = [
    Row("0 ms a call", "ours", {"files/s": 1_433.2, "CPU ms a file": 0.731}),
    Row("0 ms a call", "rclone <1.75>", {"files/s": 43.04}),
]


def test_the_table() -> None:
    """A column for each figure; what was not measured has none."""
    assert [
        "what         who            files/s  CPU ms a file",
        "0 ms a call  ours             1,433          0.731",
        "0 ms a call  rclone <1.75>       43              -",
    ] == table(ROWS).splitlines()


def test_what_is_kept(tmp_path: Path) -> None:
    """JSON that gives the rows back and says what machine it was, and a picture that shows each figure."""
    kept, picture = keep(tmp_path / "new", "upload", ROWS)

    assert read(kept) == ROWS
    document = json.loads(kept.read_text())
    assert {"benchmark", "at", "python", "processor", "cores", "load", "rows"} == set(document)
    drawing = picture.read_text()
    assert drawing.startswith("<svg")
    for words in ("files/s", "CPU ms a file", "rclone &lt;1.75&gt;: 0 ms a call", "0.731"):
        assert words in drawing


def test_nothing_found_leaves_nothing(tmp_path: Path) -> None:
    """No empty picture."""
    assert ([], []) == (keep(tmp_path, "upload", []), list(tmp_path.iterdir()))


@pytest.mark.parametrize("name", benchmarks.names())
def test_every_benchmark_returns_rows(name: str) -> None:
    """So that all of them are kept and drawn alike."""
    # Read, not imported: all of them together bring half of the program.
    module = ast.parse((Path(benchmarks.__file__).parent / f"bench_{name}.py").read_text(encoding="utf-8"))
    [main] = [each for each in module.body if isinstance(each, ast.FunctionDef) and each.name == "main"]
    assert main.returns is not None
    assert "list[Row]" == ast.unparse(main.returns)


def test_one_benchmark_from_its_name_to_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table is printed, and the files are where they were asked for."""
    monkeypatch.setattr("tests.benchmarks.bench_memory.main", lambda **sizes: ROWS if sizes else [])

    assert 0 == benchmarks.main(["--quick", "--out", str(tmp_path), "memory"])
    assert {"memory.json", "memory.svg"} == {path.name for path in tmp_path.iterdir()}
    assert table(ROWS) in capsys.readouterr().out
    assert 2 == benchmarks.main(["nobody"])


def test_what_is_to_be_reached(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each table says of its targets whether they are met, and all of them come once more at the end."""
    monkeypatch.setattr("tests.benchmarks.bench_upload_rclone.main", lambda: ROWS)
    monkeypatch.setattr("tests.benchmarks.bench_memory.main", lambda: 1 / 0)

    assert 1 == benchmarks.main(["--out", str(tmp_path), "memory", "upload_rclone"])
    told = capsys.readouterr().out.splitlines()
    assert 2 == sum("met: times rclone's speed, no latency: 33.3, at least 25" in line for line in told)
    assert told[-7:] == [
        "upload_rclone: met: times rclone's speed, no latency: 33.3, at least 25",
        "upload_rclone: met: CPU ms a file, no latency: 0.731, at most 0.9",
        "upload_rclone: NOT MEASURED: Box calls a file, proof included",
        "upload_rclone: NOT MEASURED: of rclone's CPU, no latency",
        "upload_rclone: NOT MEASURED: times rclone's speed, 60 ms a call",
        "upload_rclone: NOT MEASURED: of a bare client's speed, 60 ms a call",
        "memory: FAILED: division by zero",
    ]


def test_a_target_that_is_missed() -> None:
    """In capitals; what was not measured is not judged, and told as that."""
    one, other = (
        Target("x", beside("0 ms", "files/s"), most=33),
        Target("y", beside("60 ms", "files/s"), least=1),
    )

    assert "NOT MET: x: 33.3, at most 33" == str(one.judge(ROWS))
    assert other.judge(ROWS) is None
    assert [] == judged("nobody", ROWS)
    assert [] == unjudged("nobody", ROWS)


def test_small_files_are_judged_as_migrate_reads_them() -> None:
    """And not as the quickest of all ways that were measured."""
    ways = {"as migrate reads": 2.0, "opened": 4.0}
    rows = [Row(what, "ours", {"times rclone's speed": speed}) for what, speed in ways.items()]

    assert [False] == [verdict.met for verdict in judged("small_files_smb", rows)]


def test_targets_are_of_benchmarks() -> None:
    """A benchmark that is renamed takes its targets along."""
    assert set(TARGETS) <= set(benchmarks.names())


def test_what_a_command_takes_is_its_own() -> None:
    """Not the memory of whoever measures it; its output and how it ended are told."""
    held = bytearray(120_000_000)
    took = measure([sys.executable, "-I", "-S", "-c", "print('small')"])
    large = measure([sys.executable, "-I", "-S", "-c", "bytearray(b'1') * 150_000_000"])

    assert took.output == "small\n"
    assert took.peak_megabytes < 60 < len(held) / 1e6 < large.peak_megabytes
    assert 0 < took.cpu_seconds < 5
    for command in ([sys.executable, "-c", "import sys; sys.exit('no')"], ["/nowhere"]):
        with pytest.raises(RuntimeError, match=r"ended with 1: no|was not started: (.|\n)*/nowhere"):
            measure(command)
