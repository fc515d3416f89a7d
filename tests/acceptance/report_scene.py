"""A migration as a board sees it: several trees, a kill, failures for several reasons, waivers, exclusions, people."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

from connectors.box.sandbox import Sandbox
from tests.program import Program, program_for

YEAR = 365 * 86_400

#: Tree → its folders, and how many files lie in each of them.
SHARE = {
    "Accounting": {"2019": 14, "2023": 22, "2024": 30, "Audit": 6},
    "Engineering": {"Drawings": 40, "Models": 18, "Archive/old/older": 25},
    "Legal": {"Contracts": 34, "Disputes <b>2024</b>": 9},
    "Marketing": {"Campaigns": 26, "Photos": 30},
    "People & Culture": {"Personnel": 20},
}

PEOPLE = {
    "Accounting": [{"login": "ann@example.com", "role": "editor"}, {"login": "new@outside.example", "role": "viewer"}],
    "Engineering": [{"group": "Engineers", "role": "editor"}, {"login": "ann@example.com", "role": "viewer"}],
    "Legal": [{"login": "ben@example.com", "role": "co-owner"}],
    "Marketing": [{"login": "ben@example.com", "role": "viewer"}],
}  # fmt: skip

#: What Box answers to which file, for ever.
REFUSED = {
    "report 3.xlsx": (403, "access_denied_insufficient_permissions"),
    "report 5.xlsx": (403, "access_denied_insufficient_permissions"),
    "report 7.xlsx": (413, "request_entity_too_large"),
    "report 8.xlsx": (400, "item_name_invalid"),
}

#: Names that are markup to a browser, or formulas to a spreadsheet.
HOSTILE = (
    "<img src=x onerror=alert(1)>.txt",
    '=HYPERLINK("http:x").txt',
    "+1.txt",
    "@SUM(1).txt",
    "_x0041_.txt",
)


def build_share(root: Path) -> None:
    """Some 300 files of all sizes and ages; the same each time."""
    rng, now = random.Random(7), time.time()
    for tree, folders in SHARE.items():
        for folder, count in folders.items():
            place = root / tree / folder
            place.mkdir(parents=True)
            for number in range(count):
                path = place / f"report {number}.xlsx"
                size = min(int(10 ** rng.uniform(2.5, 6.3)), 1_500_000)
                path.write_bytes(rng.randbytes(size))
                modified = now - YEAR * rng.expovariate(0.4)
                os.utime(path, (modified, modified))
    for number in range(2):
        (root / "Engineering" / "Models" / f"assembly {number}.bin").write_bytes(rng.randbytes(22_000_000))
    for name in HOSTILE:
        (root / "Legal" / name).write_bytes(b"x")
    (root / "Accounting" / "2024" / "Thumbs.db").write_bytes(b"x" * 90_000)
    (root / "Marketing" / "Photos" / "~$draft.docx").write_bytes(b"x" * 200)
    os.mkfifo(root / "Marketing" / "Campaigns" / "printer")


def plan_for(folder: Path, box: Sandbox, root: Path) -> Program:
    """The program with a plan for that share, at a pace that is seen."""
    box.add_user("ben@example.com", name="Ben Example")
    box.add_group("Engineers")
    trees = [{"source": tree, "collaborators": PEOPLE.get(tree, [])} for tree in SHARE]
    program = program_for(folder, box, {"url": f"file://{root}"}, trees=trees)
    limits = program.plan["box"]["limits"] | {"uploads_per_minute": 2_400}
    program.write_plan(name="head-office", box=program.plan["box"] | {"limits": limits})
    return program


def refuse(box: Sandbox) -> None:
    """Box takes some files of one folder never, and is busy for a moment."""
    for name, (status, error) in REFUSED.items():
        box.faults.next("POST /files/content").about(name).status(status, error=error).times(None)
    box.faults.next("POST /files/content").status(429).times(3)


def migrate_with_troubles(program: Program, box: Sandbox) -> None:
    """Killed in the middle, gone on with after a while; some fail, and a person waives some of them."""
    assert program.kill_when(lambda: len(box.files()) > 120)
    time.sleep(4)
    refuse(box)
    program.run("migrate")
    program.run("waive", "Legal/Contracts", "--why", "kept in the old archive <until 2030>")
    time.sleep(2)
    program.run("migrate")
