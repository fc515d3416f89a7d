"""Figures: the pictures of a report in their order, each with a sentence and its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from flows.reporting.advice import advice_for
from flows.reporting.course import Course
from flows.reporting.findings import LISTED
from flows.reporting.pictures.bars import Panel, bars
from flows.reporting.pictures.drawing import NARROW, WIDE, Figure, draw
from flows.reporting.pictures.progress import progress_figure
from flows.reporting.pictures.treemap import OTHERS, OWN, TREES_SHOWN, largest_trees, treemap
from flows.reporting.shape import FAILED, IN_BOX, LEFT_OUT, SLOWEST_SHOWN, STATES, TO_SEND, Amount, Shape
from flows.reporting.status import person_name
from flows.words import counted, duration_words, printable, size_words

#: Reasons that have a bar of their own.
REASONS_SHOWN = 20

#: What a person's state is called, the good one first.
PEOPLE_WORDS = {
    "accepted": "let in",
    "pending": "still to accept",
    "planned": "not invited yet",
    "rejected": "declined",
    "failed": "refused by Box",
}

STILL_IN = "not in the plan any more, still in"


def figures(document: Mapping[str, Any], shape: Shape, course: Course | None) -> list[Figure]:
    """All that there is something to show for."""
    found = [progress_figure(course, document["calls"]["total"])] if course else []
    if any(sizes.total() for sizes in shape.trees.values()):
        found.append(_treemap(shape))
    if reasons := failed_reasons(document):
        found.append(_failures(reasons))
    if people := _people_by_state(document):
        found.append(_people(people, document))
    if any(amount.files for amount in shape.sizes.values()):
        found += [_sizes(shape), _ages(shape)]
    if any(folder.seconds >= 1 for folder in shape.slowest):
        found.append(_slowest(shape))
    return found


def failed_reasons(document: Mapping[str, Any]) -> list[tuple[str, int]]:
    """How many entries of the plan's trees failed for which reason, the most frequent first, as status has them."""
    found: Counter[str] = Counter()
    for tree in document["trees"]:
        if tree["in_plan"]:
            found.update(tree["failures_by_reason"])
    return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))


def _treemap(shape: Shape) -> Figure:
    total: Counter[str] = Counter()
    for sizes in shape.trees.values():
        total.update(sizes)
    parts = ", ".join(f"{size_words(total[state])} {state}" for state in STATES if total[state])
    says = f"The share by bytes, {counted(len(shape.trees), 'tree')}: {parts}."
    if len(shape.trees) > TREES_SHOWN:
        says += f" The {TREES_SHOWN} largest trees have a rectangle each."
    rows = []
    for name, sizes in largest_trees(shape.trees):
        rows.append((name if name == OTHERS else printable(name), "all", *_state_words(sizes)))
        for folder, below in shape.folders.get(name, {}).items():
            if len(shape.folders[name]) > 1 and below.total():
                rows.append((printable(name), printable(folder) if folder else OWN, *_state_words(below)))
    return Figure(
        key="share",
        title="The share by bytes",
        says=says,
        wide=draw(treemap(shape.trees, shape.folders, width=WIDE, height=380), width="wide", says=says),
        narrow=draw(treemap(shape.trees, shape.folders, width=NARROW, height=400), width="narrow", says=says),
        columns=("Tree", "Folder", *(state.capitalize() for state in STATES)),
        rows=rows,
        legend=tuple(state for state in STATES if total[state]),
    )


def _state_words(sizes: Counter[str]) -> tuple[str, ...]:
    return tuple(size_words(sizes[state]) for state in (IN_BOX, TO_SEND, FAILED, LEFT_OUT))


def _sizes(shape: Shape) -> Figure:
    amounts = shape.sizes
    files = sum(amount.files for amount in amounts.values())
    small = sum(amounts[words].files for words in ("empty", "under 10 kB", "10 to 100 kB", "100 kB to 1 MB"))
    size = sum(amount.size for amount in amounts.values())
    large = sum(amounts[words].size for words in ("100 MB to 1 GB", "1 to 10 GB", "over 10 GB"))
    says = (
        f"{100 * small // files} % of {counted(files, 'file')} are smaller than 1 MB;"
        f" files of 100 MB and more hold {100 * large // max(1, size)} % of {size_words(size)}."
    )
    return _distribution("sizes", "How large the files are", "Size", says, amounts)


def _ages(shape: Shape) -> Figure:
    amounts = shape.ages
    files = sum(amount.files for amount in amounts.values())
    old = sum(amounts[words].files for words in ("2 to 5 years", "5 to 10 years", "over 10 years"))
    says = f"{100 * old // files} % of {counted(files, 'file')} were last modified more than two years ago."
    return _distribution("ages", "How old the files are", "Last modified", says, amounts)


def _distribution(key: str, title: str, column: str, says: str, amounts: Mapping[str, Amount]) -> Figure:
    used = [place for place, amount in enumerate(amounts.values()) if amount.files]
    shown = dict(list(amounts.items())[used[0] : used[-1] + 1])
    labels, each = list(shown), list(shown.values())
    panels = (
        Panel("files", [a.files for a in each], [f"{a.files:,}" for a in each]),
        Panel("bytes", [a.size for a in each], [size_words(a.size) for a in each], fill="var(--bar-2)"),
    )
    return _bars_figure(key, title, says, labels, panels, (column, "Files", "Bytes"))


def _bars_figure(
    key: str,
    title: str,
    says: str,
    labels: Sequence[str],
    panels: Sequence[Panel],
    columns: tuple[str, ...],
    rows: Sequence[tuple[str, ...]] | None = None,
    *,
    wide_labels: int = 150,
) -> Figure:
    wide = draw(bars(labels, panels, width=WIDE, label_width=wide_labels), width="wide", says=says)
    small = bars([_short(label, 17) for label in labels], panels, width=NARROW, label_width=124)
    narrow = draw(small, width="narrow", says=says)
    numbers = [tuple(each) for each in zip(labels, *(panel.words for panel in panels), strict=True)]
    return Figure(
        key=key,
        title=title,
        says=says,
        wide=wide,
        narrow=narrow,
        columns=columns,
        rows=numbers if rows is None else rows,
    )


def _failures(reasons: Sequence[tuple[str, int]]) -> Figure:
    total, most = sum(count for _, count in reasons), reasons[0][1]
    first = printable(reasons[0][0])
    says = f"{counted(total, 'entry', 'entries')} failed, for {counted(len(reasons), 'reason')}"
    says += f"; most often, {most:,} times, {first}." if len(reasons) > 1 else f": {first}."
    shown = reasons[:REASONS_SHOWN]
    panel = Panel(
        "entries that failed",
        [count for _, count in shown],
        [f"{count:,}" for _, count in shown],
        fill="url(#failed)",
        stroke="var(--failed)",
    )
    rows = [(printable(reason), f"{count:,}", advice_for(reason)) for reason, count in reasons]
    columns = ("Reason", "Entries", "What to do")
    labels = [printable(reason) for reason, _ in shown]
    return _bars_figure("failures", "What failed, and what to do", says, labels, [panel], columns, rows)


def _slowest(shape: Shape) -> Figure:
    slowest = [folder for folder in shape.slowest if folder.seconds >= 1][:SLOWEST_SHOWN]
    first = slowest[0]
    says = (
        f"The slowest folder: {printable(first.path)}, {counted(first.files, 'file')},"
        f" {size_words(first.size)} in {duration_words(first.seconds)} from the first to the last arrival,"
        " pauses left out."
    )
    panel = Panel(
        "time from the first to the last arrival",
        [folder.seconds for folder in slowest],
        [duration_words(folder.seconds) for folder in slowest],
    )
    rows = [
        (printable(each.path), f"{each.files:,}", size_words(each.size), duration_words(each.seconds))
        for each in slowest
    ]
    labels = [_short(printable(each.path), 40) for each in slowest]
    columns = ("Folder", "Files", "Bytes", "Time")
    return _bars_figure("slowest", "Slowest folders", says, labels, [panel], columns, rows, wide_labels=300)


def _short(text: str, most: int) -> str:
    """The end of a long path, which says more than its beginning."""
    return text if len(text) <= most else f"…{text[1 - most :]}"


def _people_by_state(document: Mapping[str, Any]) -> Counter[str]:
    found: Counter[str] = Counter()
    for tree in document["trees"]:
        found.update(PEOPLE_WORDS.get(each["status"], each["status"]) for each in tree["collaborators"])
        found[STILL_IN] += len(tree["still_in"])
    return +found


def _people(people: Counter[str], document: Mapping[str, Any]) -> Figure:
    order = [*PEOPLE_WORDS.values(), STILL_IN]
    labels = sorted(people, key=lambda words: (order.index(words) if words in order else 99, words))
    says = f"{counted(people.total(), 'invitation')} of people and groups to trees: "
    says += ", ".join(f"{people[words]:,} {words}" for words in labels) + "."
    panel = Panel(
        "invitations", [people[words] for words in labels], [f"{people[words]:,}" for words in labels]
    )
    columns = ("Tree", "Who", "Role", "State")
    rows = list(islice(_people_rows(document), LISTED))
    if people.total() > LISTED:
        rows.append((f"… and {people.total() - LISTED:,} more in report.xlsx", "", "", ""))
    return _bars_figure("people", "Who was let in", says, labels, [panel], columns, rows, wide_labels=230)


def _people_rows(document: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for tree in document["trees"]:
        for person in tree["collaborators"]:
            state = PEOPLE_WORDS.get(person["status"], person["status"])
            yield printable(tree["name"]), printable(person_name(person)), person["role"], state
        for person in tree["still_in"]:
            yield printable(tree["name"]), printable(person_name(person)), person["role"], STILL_IN
