"""`boxhaul doctor`: an archive for a colleague, with everything that helps and no secret, wherever one may be (P8)."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest

from connectors.box.sandbox import Sandbox
from tests.integration.box.secrets import secrets_of
from tests.program import Program, program_for
from tests.servers import free_port
from tests.trees import build_tree

NAMES = ("Accounting", "salaries", "ann@example.com", "pipe-of-bob")

#: By where it stands. Long enough for no accident, with signs that URLs and JSON spell otherwise.
CANARIES = {
    where: f'canary/{where}+"0123456789 ü'
    for where in ("link", "option", "dotenv", "environment", "harmless", "log", "plan")
}
PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEcanarykeymaterial\n-----END RSA PRIVATE KEY-----"


@pytest.fixture(params=["sqlite", "postgres"])
def program(request: pytest.FixtureRequest, tmp_path: Path, box: Sandbox) -> Program:
    """A plan that ran once, whose files, variables and log then get a secret wherever one fits."""
    (tmp_path / "share").mkdir()
    build_tree(
        tmp_path / "share",
        {"Accounting": {"salaries.txt": b"1", "plain.txt": b"2"}, "Legal": {"c.txt": b"3"}},
    )
    os.mkfifo(tmp_path / "share/Accounting/pipe-of-bob")
    url = "sqlite:///state.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    source = {"url": (tmp_path / "share").as_uri()}
    people = [{"login": "ann@example.com", "role": "editor"}]
    trees = [{"source": "Accounting", "collaborators": people}, {"source": "Legal"}]
    program = program_for(tmp_path / "run", box, source, trees=trees, state_url=url)
    assert 1 == program.run("migrate").code
    link = {"access": "open", "password": "${LINK}"}
    plain = {"access": "open", "password": CANARIES["plan"]}
    program.write_plan(
        trees=[{**trees[0], "shared_link": link}, {**trees[1], "shared_link": plain}],
        # No option of a local share: `check` then says no more than that.
        source=source | ({"options": {"token": "${OPTION}"}} if request.param == "sqlite" else {}),
    )
    program.environment = {
        "OPTION": CANARIES["option"],
        "SOME_API_KEY": CANARIES["environment"],
        "HARMLESS": CANARIES["harmless"],
    }
    beside = tmp_path / "run/.env"
    beside.write_text(f"LINK='{CANARIES['link']}'\nOTHER_PASSWORD='{CANARIES['dotenv']}'\n")
    beside.chmod(0o600)
    [log] = list((tmp_path / "run").glob("*.log"))
    # What no plan refers to and no name tells of is no secret that anybody could know.
    unknown = ("log", "harmless", *(() if request.param == "sqlite" else ("option",)))
    planted = [text for where, text in CANARIES.items() if where not in unknown]
    said = "; ".join([*planted, quote(CANARIES["link"]), repr(CANARIES["dotenv"])])
    lines = [
        f"it went wrong: {said}",
        "Authorization: Bearer canary.canary.canary",
        PRIVATE_KEY,
        "eyJhbGciOicanary.canary.canary",
        f"smb://ann:{quote(CANARIES['log'], safe='')}@host/share",
    ]
    with log.open("a", encoding="utf-8") as file:
        file.write("".join(f"2026-11-29T11:07:22.957+00:00 ERROR   test 1 | {line}\n" for line in lines))
    return program


def diagnosed(program: Program, *options: str) -> tuple[dict[str, str], str]:
    """The texts in the archive by name, and the last line that the command printed."""
    file = program.folder / f"archive{len(options)}.tar.gz"
    finished = program.run("doctor", "--out", str(file), *options)
    assert 0 == finished.code, finished.output
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    with tarfile.open(file) as archive:
        texts = {
            Path(entry.name).name: archive.extractfile(entry).read().decode()  # type: ignore[union-attr]
            for entry in archive.getmembers()
        }
    return texts, finished.stdout.splitlines()[-1]


def leaks(texts: dict[str, str], secrets: list[str]) -> list[tuple[str, str]]:
    """Which file holds which secret, in whatever form."""
    forms = {
        (secret, form)
        for secret in secrets
        for form in (
            secret,
            quote(secret),
            quote(secret, safe=""),
            json.dumps(secret)[1:-1],
            base64.b64encode(secret.encode()).decode().rstrip("="),
        )
    }
    return sorted({(name, secret) for name, text in texts.items() for secret, form in forms if form in text})


@pytest.mark.gate(1)
def test_everything_that_helps_and_no_secret(program: Program, box: Sandbox) -> None:
    """Plan, options, state_url, environment, log, `.env` and Box's file each have a canary; the archive has none."""
    texts, last = diagnosed(program)
    state_url = str(program.plan["state_url"])
    password = re.search(r"//[^:/]+:([^@]+)@", state_url)
    assert bool(password) is ("postgresql" in state_url)
    secrets = [*CANARIES.values(), *secrets_of(box), *([password[1]] if password else [])]

    assert [] == leaks(texts, secrets)
    assert not [name for name, text in texts.items() if "canary" in text.lower()]
    documents = {name: json.loads(text) for name, text in texts.items() if name.endswith(".json")}
    assert documents["check.json"].get("checks") or "token" in documents["check.json"]["error"]
    assert 2 == len(documents["status.json"]["trees"])
    assert "Accounting" in texts["status.txt"]
    assert {"not_a_file": 1} == documents["failures.json"]["by_reason"]
    assert ["Accounting/pipe-of-bob"] == [each["path"] for each in documents["failures.json"]["examples"]]
    assert "it went wrong" in texts["log.txt"]
    assert "${LINK}" == documents["plan.json"]["plan"]["trees"][0]["shared_link"]["password"]
    assert None is documents["environment.json"]["environment"]["HARMLESS"]
    assert ("postgresql" if password else "sqlite") == documents["database.json"]["kind"]
    assert 4 == documents["database.json"]["rows"]["items"]
    assert (
        "ix_items" in "".join(documents["database.json"]["query_plans"]["the next files to send"]) or password
    )
    assert "prefect" in documents["packages.json"]["packages"]
    assert set(texts) - {"INDEX.txt"} == set(re.findall(r"^(\S+\.\w+) ", texts["INDEX.txt"], re.MULTILINE))
    assert "names of files, folders and people" in last


@pytest.mark.torture  # unit/test_redaction.py has it in the gate
def test_no_names(program: Program, box: Sandbox) -> None:
    """Files, folders and people have other names; counts, reasons and states are as they were."""
    texts, last = diagnosed(program, "--no-names")

    assert [] == [(name, word) for name, text in texts.items() for word in NAMES if word in text]
    assert "canary" not in "".join(texts.values())
    assert {"not_a_file": 1} == json.loads(texts["failures.json"])["by_reason"]
    assert "not_a_file" == json.loads(texts["failures.json"])["examples"][0]["reason"]
    assert {"complete", "incomplete"} == {tree["state"] for tree in json.loads(texts["status.json"])["trees"]}
    assert "replaced" in last


def test_plan_that_cannot_be_read(tmp_path: Path) -> None:
    """What is wrong with it is told, its keys are, and no value that may be a secret; nothing is overwritten."""
    address = f"sftp://ann:{CANARIES['plan']}@127.0.0.1:{free_port()}/x"
    program = Program(tmp_path, {"name": "faulty", "source": {"url": address, "pasword": CANARIES["link"]}})
    program.write_plan()
    texts, _ = diagnosed(program)

    assert [] == leaks(texts, list(CANARIES.values()))
    assert {"url", "pasword"} == set(json.loads(texts["plan.json"])["plan"]["source"])
    assert "source" in json.loads(texts["plan.json"])["fault"]
    assert "error" in json.loads(texts["database.json"])

    there = (tmp_path / "archive0.tar.gz").read_bytes()
    again = program.run("doctor", "--out", str(tmp_path / "archive0.tar.gz"))
    assert (2, 1) == (again.code, again.stderr.count("\n"))
    assert there == (tmp_path / "archive0.tar.gz").read_bytes()


@pytest.mark.torture
def test_nobody_answers(tmp_path: Path, box: Sandbox) -> None:
    """A Box that says nothing, and a database that is not there: the archive is written all the same."""
    box.faults.next("*").delay(60).times(50)
    url = f"postgresql+psycopg://u:pass-word-word@127.0.0.1:{free_port()}/x"
    (tmp_path / "share").mkdir()
    program = program_for(tmp_path / "run", box, {"url": (tmp_path / "share").as_uri()}, state_url=url)
    texts, _ = diagnosed(program, "--patience", "20")

    assert "no answer within 20 s" in texts["check.txt"]
    assert "error" in json.loads(texts["status.json"])
    assert "error" in json.loads(texts["database.json"])
    assert "pass-word-word" not in "".join(texts.values())
