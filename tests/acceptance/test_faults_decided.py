"""What a person decides of files that fail, what hostile names do, and that no secret leaves (P2, P7, P8)."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from connectors.box.names import collision_key
from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, report_items, sums_add_up
from tests.program import Program, program_for
from tests.readings import violations
from tests.servers.fixtures import empty
from tests.servers.samba import Samba
from tests.trees import build_tree

PEOPLE = [{"login": "ann@example.com", "role": "viewer"}]

HOSTILE = [
    '=HYPERLINK("http:x").txt',
    "+1.txt",
    "-2+3.txt",
    "@SUM(1).txt",
    "\x1b[2J\x1b]0;owned\x07.txt",
    "<script>alert(1)<.txt",
    "<img src=x onerror=alert(1)>.txt",
    "'; DROP TABLE items; --.txt",
    "%s%n{0}{{ 7*7 }}.txt",
    "!!python.object.txt",
    "&anchor *alias.txt",
    "line\nbreak\r.txt",
    "\u202efdp.exe",
    "\t=1+1.txt",
    "..x",
    "~root.txt",
]

COLLIDING = [
    "Readme.md",
    "README.md",
    "readme.MD",
    "stra\u00dfe",
    "STRASSE",
    "\u00e9t\u00e9",
    "e\u0301te\u0301",
    "dot.",
    "dot\u2024",
    "space ",
    "back\\slash",
    "n" * 255,
    "N" * 255,
    "\u00e4" * 127 + "x",
    "file.txt",
    "\ufb01le.txt",
]


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """An empty share on this machine."""
    root = tmp_path / "share"
    root.mkdir()
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program with a plan for the share as one tree with one person."""
    tree = {"source": "", "folder": "All", "collaborators": PEOPLE}
    return program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[tree])


def outputs(program: Program) -> str:
    """What `status` and `report` say and write, but for the JSON, which is ASCII."""
    said = program.run("status").output + program.run("report", "--plain").output
    folder = program.folder / "test-report"
    return said + (folder / "report.html").read_text() + (folder / "items.csv").read_text()


# --- give up, waive, retry ---


def test_file_that_keeps_failing_is_parked_then_waived(program: Program, box: Sandbox, share: Path) -> None:
    """A file over the owner's limit fails alone, is not tried again unasked, and a waiver completes the tree."""
    build_tree(share, {"a": {"1.txt": b"1", "big.bin": bytes(2_000)}, "b": {"2.txt": b"2"}})
    box.service_account.max_upload_size = 1_000
    first = program.run("migrate", "--no-check")
    assert 1 == first.code, first.output
    lines = report_items(program)
    assert ("failed", "too_large") == (lines["a/big.bin"]["status"], lines["a/big.bin"]["reason"])
    assert {"uploaded"} == {lines["a/1.txt"]["status"], lines["b/2.txt"]["status"]}
    assert [] == box.collaborations()
    sent = box.calls.by_route["POST /files/content"]
    assert 1 == program.run("migrate", "--no-check").code
    assert sent == box.calls.by_route["POST /files/content"]
    mistyped = program.run("retry", "--reason", "to_large")
    assert 2 == mistyped.code
    assert "too_large" in mistyped.output
    # A slip of the keyboard changes nothing.
    assert "failed items" == sums_add_up(program)["trees"][0]["incomplete_reason"]
    insisting = program.run("retry", "--reason", "too_large")
    assert 3 == insisting.code
    assert "largest file" in insisting.output
    again = program.run("retry", "--reason", "too_large", "--no-check")
    assert 1 == again.code, again.output
    assert sent < box.calls.by_route["POST /files/content"]

    assert 2 == program.run("waive", "a/other.bin", "--why", "not needed").code
    assert 2 == program.run("waive", "a/big.bin", "--why", " ").code
    waived = program.run("waive", "a/big.bin", "--why", "a <film>, agreed", "--who", "Ann Example")
    assert 0 == waived.code, waived.output
    last = program.run("migrate")
    assert 0 == last.code, last.output

    (tree,) = sums_add_up(program)["trees"]
    assert ("complete", 1) == (tree["state"], tree["items"]["waived"])
    assert ["All"] == [grant["path"] for grant in box.collaborations()]
    line = report_items(program)["a/big.bin"]
    assert ("waived", "Ann Example", "a <film>, agreed") == (
        line["status"],
        line["waived_by"],
        line["waived_why"],
    )
    assert line["waived_at"][:4].isdigit()
    page = (program.folder / "test-report" / "report.html").read_text()
    assert "Ann Example" in page
    assert "a &lt;film&gt;, agreed" in page
    assert line["waived_at"][:10] in page


# --- names ---


def test_colliding_and_impossible_names_arrive_apart(program: Program, box: Sandbox, share: Path) -> None:
    """Names that are one to Box, too long or not allowed arrive apart, each mapped by the report (P7)."""
    build_tree(share, {name: name.encode() for name in COLLIDING})
    (share / "README.MD").mkdir()

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert_arrived(program, box, share)
    lines = report_items(program)
    names = [path.removeprefix("All/") for path in [*box.files(), *box.folders()] if path != "All"]
    assert len(COLLIDING) + 1 == len({collision_key(name) for name in names})
    assert {line["box_name"] for line in lines.values()} == set(names)
    assert all(line["renamed"] == (line["box_name"] != line["path"]) for line in lines.values())
    page = (program.folder / "test-report" / "report.html").read_text()
    assert "\ufb01le.txt" in page


def test_hostile_names_stay_names(program: Program, box: Sandbox, share: Path) -> None:
    """Formulas, escapes, HTML, SQL, templates and YAML in names arrive as names and do nothing on the way."""
    build_tree(share, dict.fromkeys(HOSTILE, b"x"))
    build_tree(share, {"\x1b[31mfolder": {"in\x1b[0m.txt": b"y"}})
    if os.getuid() == 0 or os.access(share, os.W_OK):
        (share / "out").symlink_to("/etc")

    finished = program.run("migrate")
    said = finished.output + outputs(program)

    assert 0 == finished.code, finished.output
    assert len(HOSTILE) + 1 == len(box.files())
    assert not any("passwd" in path for path in box.files())
    assert "\x1b" not in said
    assert "\u202e" not in said
    page = (program.folder / "test-report" / "report.html").read_text()
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "{{ 7*7 }}" in said
    with (program.folder / "test-report" / "items.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert [] == [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert [] == violations(box)


# --- secrets ---


@pytest.fixture
def samba_share(samba: Samba) -> Iterator[Path]:
    """A small share on Samba."""
    root = empty(samba.root)
    build_tree(root, {"a": {"1.txt": b"1", "2.txt": b"2"}})
    yield root
    empty(samba.root)


def found_secrets(program: Program, said: str, secrets: list[str]) -> list[str]:
    """Secrets that stand in what was said, or in any file of the run's folder but the key file itself."""
    written = b"".join(
        path.read_bytes()
        for path in program.folder.rglob("*")
        if path.is_file() and path.name != "box_config.json"
    )
    return [secret[:4] for secret in secrets if secret in said or secret.encode() in written]


@pytest.mark.usefixtures("samba_share")
def test_no_secret_leaves_whatever_happens(tmp_path: Path, box: Sandbox, samba: Samba) -> None:
    """Passwords, keys and tokens are in no output, database or report, whether runs succeed or fail (P8)."""
    source = {"url": samba.url, "username": samba.username, "port": samba.port, "password": "${SHARE_PW}"}
    trees = [{"source": "a", "folder": "A", "collaborators": PEOPLE}]
    program = program_for(
        tmp_path / "run", box, source, environment={"SHARE_PW": samba.password}, trees=trees
    )
    app = box.jwt_config["boxAppSettings"]
    key = app["appAuth"]["privateKey"].splitlines()
    wrong = f"canary-{os.urandom(8).hex()}"
    secrets = [samba.password, wrong, app["clientSecret"], app["appAuth"]["passphrase"], key[3], key[-3]]
    box.faults.next("POST /files/content").status(500).times(2)
    box.faults.next("POST /collaborations").status(403, error="forbidden_by_policy")
    runs = [program.run("migrate"), program.run("status"), program.run("report", "--plain")]
    with box.core.store.lock:
        secrets += [str(token) for token in box.core.auth.tokens]
    program.environment["SHARE_PW"] = wrong
    runs.append(program.run("migrate"))
    program.environment["SHARE_PW"] = samba.password
    for status in (400, 500):
        box.faults.next("POST /oauth2/token").status(status).times(40)
        runs.append(program.run("migrate"))
        box.faults.clear()
    program.write_plan(
        box=program.plan["box"]
        | {
            "auth": {
                "method": "ccg",
                "client_id": "x",
                "client_secret": "${BOX_SECRET}",
                "enterprise_id": "1",
            }
        }
    )
    program.environment["BOX_SECRET"] = wrong
    runs += [program.run("migrate"), program.run("migrate", "--new-checkpoint")]

    codes = [run.code for run in (runs[0], *runs[3:])]
    assert [1, 3, 3, 3, 2, 3] == codes, [run.output for run in runs]
    said = "".join(run.output for run in runs)
    assert "Traceback" not in said
    assert 7 <= len(secrets)
    assert [] == found_secrets(program, said, secrets)
    assert [] == violations(box)


# --- TLS ---


def test_unknown_certificate_is_refused(tmp_path: Path, share: Path) -> None:
    """A certificate that nobody vouches for is refused with one line; `ca_file` says who vouches; http is refused."""
    build_tree(share, {"a": {"1.txt": b"1"}})
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain, key, ca = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(ca)
    with Sandbox(content="hash", tls=(str(chain), str(key))) as box:
        program = program_for(tmp_path / "run", box, {"url": share.as_uri()})
        refused = program.run("migrate")
        assert {} == box.calls.by_route
        program.write_plan(box=program.plan["box"] | {"ca_file": str(ca)})
        trusted = program.run("migrate")
        program.write_plan(box=program.plan["box"] | {"base_url": "http://box.example.com"})
        plain = program.run("migrate")

    assert 3 == refused.code, refused.output
    assert "certificate is not trusted" in refused.output
    assert "ca_file" in refused.output
    assert 0 == trusted.code, trusted.output
    assert 2 == plain.code, plain.output
    assert "https only" in plain.output
