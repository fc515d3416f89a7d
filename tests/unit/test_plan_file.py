"""Plan files: what is understood, and how each fault is told."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.errors import PlanError
from flows.plan.file import load_plan
from flows.plan.model import MigrationPlan
from flows.plan.references import reveal, reveal_all
from flows.plan.secrets import MASK

PLAN = """
name: finance-2026
source:
  url: smb://fs01.example.com/finance/Departments
  username: svc-migrate
  password: ${SMB_PASSWORD}
  port: 445
box:
  auth: {method: jwt, config_file: box_config.json}
  landing_folder_id: "0"
  base_url: https://api.box.com
  upload_url: https://upload.box.com/api
  identities: []
  limits: {uploads_per_minute: 240, calls_per_minute: 1000}
state_url: sqlite:///finance-2026.db
trees:
  - source: Accounting
    folder: Accounting
    collaborators:
      - {login: ann@example.com, role: editor}
      - {group: Finance, role: viewer}
exclude: ["Thumbs.db", "desktop.ini", "~$*", ".DS_Store"]
"""


#: The box section of the smallest plan.
BOX_WORDS: dict[str, Any] = {"auth": {"method": "jwt", "config_file": "x.json"}}


def write(folder: Path, text: str) -> Path:
    path = folder / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def fault(folder: Path, text: str) -> str:
    with pytest.raises(PlanError) as caught:
        load_plan(write(folder, text))
    return str(caught.value)


def test_documented_plan_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan of the documentation loads, with its trees and people."""
    monkeypatch.setenv("SMB_PASSWORD", "canary-7f")

    plan = load_plan(write(tmp_path, PLAN))

    assert "Accounting" == plan.trees[0].box_path
    assert ["editor", "viewer"] == [person.role.value for person in plan.trees[0].collaborators]


def test_secret_stays_a_reference_until_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that is dumped, printed or sent as a parameter holds the reference, never the secret."""
    monkeypatch.setenv("SMB_PASSWORD", "canary-7f")
    plan = load_plan(write(tmp_path, PLAN))

    dumped = plan.model_dump_json()

    assert "canary-7f" not in dumped + repr(plan) + str(plan)
    assert "${SMB_PASSWORD}" == plan.model_dump(mode="json")["source"]["password"]
    assert "canary-7f" == reveal(plan.source.password, key="source.password")
    assert MigrationPlan.model_validate_json(dumped).source == plan.source


def test_literal_secret_never_leaves_the_process(tmp_path: Path) -> None:
    """A password written into the plan itself is masked in every dump."""
    plan = load_plan(write(tmp_path, PLAN.replace("${SMB_PASSWORD}", "canary-7f")))

    assert MASK == plan.model_dump(mode="json")["source"]["password"]


@pytest.mark.parametrize(
    ("found", "put", "told"),
    [
        (
            "name: finance-2026",
            "name: ${SMB_PASSWORD}",
            "name: SMB_PASSWORD is the secret of source.password",
        ),
        ("sqlite:///finance-2026.db", "postgresql+psycopg://b:${SMB_PASSWORD}@${HOST}/b", ""),
    ],
)
def test_variable_of_a_secret_is_used_where_secrets_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: str, put: str, told: str
) -> None:
    """Anywhere else its value would be shown by every dump and log line."""
    monkeypatch.setenv("SMB_PASSWORD", "canary-7f")
    monkeypatch.setenv("HOST", "db.example.com")
    assert found in PLAN
    path = write(tmp_path, PLAN.replace(found, put))
    if not told:
        assert "canary-7f" not in load_plan(path).model_dump_json()
        return

    with pytest.raises(PlanError, match=told) as caught:
        load_plan(path)
    assert "canary" not in str(caught.value)


def test_password_in_the_state_url_never_leaves_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Masked in every dump and absent from the plan's repr, however it is written; a reference stays."""
    monkeypatch.setenv("SMB_PASSWORD", "x")
    for password in ("canary-7f", "c%40n@ry:7f", "canary-${SMB_PASSWORD}"):
        url = f"postgresql+psycopg://boxhaul:{password}@db.example.com/boxhaul"
        plan = load_plan(write(tmp_path, PLAN)).model_copy(update={"state_url": url})
        text = PLAN.replace("sqlite:///finance-2026.db", url)
        if "@" in password:  # nobody has quoted it, so that the database cannot be found
            assert "ry:7f" not in fault(tmp_path, text)
        else:
            assert plan == load_plan(write(tmp_path, text))

        assert url.replace(password, MASK) == plan.model_dump(mode="json")["state_url"]
        assert password not in repr(plan)
        assert url.replace("${SMB_PASSWORD}", "x") == plan.resolved_state_url()
    named = plan.model_copy(update={"state_url": "postgresql+psycopg://boxhaul:${PW}@db.example.com/boxhaul"})
    assert named.state_url == named.model_dump(mode="json")["state_url"]


def test_box_secret_is_filled_in_for_the_connector_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """reveal_all() gives the connector a copy with secrets; the plan keeps the reference."""
    monkeypatch.setenv("SMB_PASSWORD", "x")
    monkeypatch.setenv("BOX_SECRET", "canary-8e")
    text = PLAN.replace(
        "{method: jwt, config_file: box_config.json}",
        '{method: ccg, client_id: abc, client_secret: "${BOX_SECRET}", enterprise_id: "1"}',
    )
    plan = load_plan(write(tmp_path, text))

    revealed = reveal_all(plan.box, key="box")

    assert "canary-8e" == revealed.auth.client_secret.get_secret_value()  # type: ignore[union-attr]
    assert "canary-8e" not in plan.model_dump_json()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("exclude:", "exlude:", "unknown key exlude; did you mean exclude?"),
        (
            "landing_folder_id",
            "landing_folder",
            "unknown key box.landing_folder; did you mean landing_folder_id?",
        ),
        ("role: viewer", "rolle: viewer", "unknown key trees.0.collaborators.1.rolle; did you mean role?"),
        ("config_file:", "config_fiel:", "unknown key box.auth.config_fiel; did you mean config_file?"),
        ("name: finance-2026\n", "", "name is missing"),
        ("role: editor", "role: owner", "trees.0.collaborators.0.role: "),
        ("port: 445", "port: many", "source.port: "),
        ("https://api.box.com", "http://api.box.com", "box.base_url: "),
        (
            "${SMB_PASSWORD}",
            "${NOT_SET_ANYWHERE}",
            "NOT_SET_ANYWHERE is not set, nor is it in .env beside the plan",
        ),
        ("login: ann@example.com", "login: ann", "is not an e-mail address"),
        ("- source: Accounting", "- source: ../Accounting", "must not contain"),
        ("smb://fs01", "smb://user:canary-7f@fs01", "no password in the URL"),
    ],
)
def test_fault_is_named_by_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, told: str
) -> None:
    """Each mistake is one line with the key, and without any secret."""
    monkeypatch.setenv("SMB_PASSWORD", "canary-7f")
    assert old in PLAN

    message = fault(tmp_path, PLAN.replace(old, new, 1))

    assert told in message
    assert "canary-7f" not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "text", ["", "- a\n", "name: [", "3", "\t", "a: &a [*a]", "name: !!python/object:os.system x"]
)
def test_text_that_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    """Anything that is not a mapping of keys is refused with a line."""
    assert str(tmp_path) in fault(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            PLAN + "trees:\n  - {source: Legal}\n",
            "line 23, column 1: the key 'trees' stands on line 16 already",
        ),
        (
            PLAN.replace("  port: 445", "  'username': b"),
            "line 7, column 3: the key 'username' stands on line 5",
        ),
        (
            PLAN.replace("role: editor}", "role: editor, role: viewer}"),
            "line 20, column 48: the key 'role' stands on line 20",
        ),
        (PLAN + '"na\\nme": a\n"na\\nme": b\n', r"the key 'na\nme' stands on line 23 already"),
    ],
)
def test_key_that_stands_twice_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """At any depth and however it is quoted: which of the two was meant, nobody knows."""
    message = fault(tmp_path, text)

    assert told in message
    assert "\n" not in message


def test_merged_keys_may_be_given_another_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """YAML's merge is no second key: what is written beside it wins, and several entries may share one anchor."""
    monkeypatch.setenv("SMB_PASSWORD", "x")
    people = "&p {login: ann@example.com, role: editor}"
    text = PLAN.replace("{login: ann@example.com, role: editor}", people)
    text = text.replace("{group: Finance, role: viewer}", "{<<: *p, login: bob@example.com}")

    plan = load_plan(write(tmp_path, text))

    assert [("ann@example.com", "editor"), ("bob@example.com", "editor")] == [
        (person.login, person.role.value) for person in plan.trees[0].collaborators
    ]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("[z-a]", "exclude.1: the exclude pattern '[z-a]' matches nothing: z-a is an empty range"),
        ("", "exclude.1: the exclude pattern '' matches nothing"),
        ("//", "exclude.1: the exclude pattern '//' matches nothing"),
    ],
)
def test_exclude_rule_that_can_match_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: str, told: str
) -> None:
    """With the place of the rule in the plan, from every command, as the plan is read."""
    monkeypatch.setenv("SMB_PASSWORD", "x")

    assert told in fault(tmp_path, PLAN.replace('"desktop.ini"', f'"{rule}"'))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nonsense", "not a database URL"),
        ("mysql://u:canary-7f@h/x", "state_url names mysql;"),
        ("sqlite+nonsense:///x.db", "state_url names sqlite+nonsense;"),
        ("postgresql://u:canary-7f@h:port/x", "not a database URL"),
    ],
)
def test_database_that_we_do_not_use_is_a_fault_of_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, told: str
) -> None:
    """No database is asked to find that out, and no password is shown."""
    monkeypatch.setenv("SMB_PASSWORD", "x")

    message = fault(tmp_path, PLAN.replace("sqlite:///finance-2026.db", url))

    assert told in message
    assert "canary-7f" not in message


def test_missing_file_is_told(tmp_path: Path) -> None:
    """A plan file that is not there is one line."""
    with pytest.raises(PlanError, match="cannot be read"):
        load_plan(tmp_path / "none.yaml")


def test_overlapping_trees_are_refused(tmp_path: Path) -> None:
    """Two trees of which one contains the other would be moved twice."""
    text = PLAN.replace("${SMB_PASSWORD}", "x") + "\n"
    text = text.replace("exclude:", "  - {source: Accounting/2024, folder: Old}\nexclude:")

    assert "trees overlap" in fault(tmp_path, text)


@pytest.mark.parametrize("inner", ["Accounting/2024", "Accounting"])
def test_overlap_is_seen_across_a_neighbour(tmp_path: Path, inner: str) -> None:
    """Some characters sort before the slash, between a folder and what is in it; the overlap is seen all the same."""
    between = "  - {source: Accounting old, folder: Old}\n  - {source: Accounting!, folder: Loud}\n"
    text = PLAN.replace("${SMB_PASSWORD}", "x") + "\n"
    text = text.replace("exclude:", f"{between}  - {{source: {inner}, folder: Inner}}\nexclude:")

    assert "trees overlap: 'Accounting' contains" in fault(tmp_path, text)
    assert load_plan(write(tmp_path, text.replace(f"source: {inner},", "source: Accountings,")))


def test_relative_database_lies_beside_the_plan(tmp_path: Path) -> None:
    """A plan run from another folder finds the same state."""
    plan = load_plan(write(tmp_path, PLAN.replace("${SMB_PASSWORD}", "x")))

    assert f"sqlite:///{tmp_path.resolve()}/finance-2026.db" == plan.resolved_state_url()


def merge_bomb(width: int, depth: int) -> str:
    """A plan of a few lines whose merges unfold to `width` to the power of `depth` keys."""
    lines = ["a0: &a0 {k0: 1}"]
    for level in range(1, depth + 1):
        lines.append(f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * width)}], k{level}: 1}}")
    return "\n".join(lines)


@pytest.mark.parametrize("text", [merge_bomb(9, 12), "a: &a [*a]", "a: &a {b: {c: *a}}", "a: &a {<<: *a}"])
def test_document_that_unfolds_to_something_huge(tmp_path: Path, text: str) -> None:
    """Aliases and merges are counted before they are unfolded: the file is refused at once, in one line."""
    assert "too large" in fault(tmp_path, text)


@pytest.mark.parametrize("link", ["folder", "file"])
def test_new_checkpoint_behind_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str) -> None:
    """No checkpoint is begun beside a plan that is reached through a link; one that is there is used."""
    monkeypatch.setenv("SMB_PASSWORD", "x")
    release = tmp_path / "releases" / "1"
    release.mkdir(parents=True)
    written = write(release, PLAN)
    linked = tmp_path / "current" if link == "folder" else tmp_path / "plan.yaml"
    linked.symlink_to(release if link == "folder" else written)
    path = linked / "plan.yaml" if link == "folder" else linked

    with pytest.raises(PlanError, match=r"state_url: .*symbolic link.*sqlite:////") as caught:
        load_plan(path)

    assert "\n" not in str(caught.value)
    (release / "finance-2026.db").touch()
    assert "finance-2026" == load_plan(path).name
    write(release, PLAN.replace("sqlite:///finance", "sqlite:////srv/finance"))
    assert "finance-2026" == load_plan(path).name


def test_link_that_the_shell_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path of the plan is looked at from the folder that the shell names, with its links."""
    monkeypatch.setenv("SMB_PASSWORD", "x")
    release = tmp_path / "1"
    release.mkdir()
    write(release, PLAN)
    (tmp_path / "current").symlink_to(release)
    monkeypatch.chdir(release)
    monkeypatch.setenv("PWD", str(tmp_path / "current"))

    with pytest.raises(PlanError, match="symbolic link"):
        load_plan(Path("plan.yaml"))


def calls_made(work: Callable[[], object]) -> int:
    """How many functions are called meanwhile, in Python and in C."""
    made = itertools.count()
    sys.setprofile(lambda _, kind, __: next(made) if kind in ("call", "c_call") else None)
    try:
        work()
    finally:
        sys.setprofile(None)
    return next(made)


def test_twice_the_trees_take_twice_the_work_to_load(tmp_path: Path) -> None:
    """No tree is compared with each of the others; counted in function calls."""
    made = []
    for count in (200, 400):
        trees = "".join(
            f"  - source: Home/user {number}\n    folder: Home/Ü{number}\n"
            f"    collaborators: [{{login: u{number}@example.com, role: editor}}]\n"
            for number in range(count)
        )
        head, _, _ = PLAN.partition("trees:\n")
        path = write(tmp_path, f"{head}trees:\n{trees}".replace("  password: ${SMB_PASSWORD}\n", ""))
        made.append(calls_made(lambda path=path: load_plan(path)))  # type: ignore[misc]

    assert 1.5 * made[0] < made[1] < 2.1 * made[0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"box": {**BOX_WORDS, "landing_folder_id": 0}},
            'box.landing_folder_id: write it as text: "..." in quotes',
        ),
        (
            {"box": {**BOX_WORDS, "limits": {"uploads_per_minute": "many"}}},
            "write a number, without quotes or unit",
        ),
        ({"box": {**BOX_WORDS, "limits": {"uploads_per_minute": -1}}}, "it must be "),
        ({"box": {**BOX_WORDS, "auth": {"method": "oauth"}}}, "write one of "),
        ({"box": {**BOX_WORDS, "auth": {"config_file": "x"}}}, "the key method is missing below it"),
        ({"box": "here"}, "write 'key: value' lines below it"),
        ({"trees": "Legal"}, "write a list: each entry on a line of its own"),
        (
            {"trees": [{"source": "A", "collaborators": [{"login": "a@example.com", "role": "king"}]}]},
            "write one of ",
        ),
        ({"source": {"url": "file:///s", "may_be_empty": "perhaps"}}, "write true or false"),
    ],
)
def test_faults_are_told_to_whoever_writes_a_plan(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    """Not in Pydantic's words; the key first, then what to write."""
    document = {"name": "p", "source": {"url": "file:///s"}, "box": BOX_WORDS} | change
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(document))

    with pytest.raises(PlanError) as fault:
        load_plan(path)
    assert told in str(fault.value)
    assert "Input should" not in str(fault.value)
