"""`boxhaul collaborate` as a person runs it: shown first, killed on the way, run again; groups by name and by id."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable

from rich.console import Console

from connectors.box.sandbox import Sandbox
from flows.collaborate import collaborate_share
from flows.orchestration.runs import move_share
from flows.sharing.tables import collaboration_table
from tests.acceptance.account.conftest import Account

SetPeople = Callable[..., None]
ANN, BOB = "ann@example.com", "bob@example.com"
NOTIFY = {"transfer": {"notify": True}}


def grants(box: Sandbox) -> dict[str, str]:
    """Who has which role in the whole Box."""
    return {each["login"] or each["group"]: each["role"] for each in box.collaborations()}


def test_killed_command_mails_nobody_twice(account: Account, box: Sandbox) -> None:
    """Trees that are complete get people later: killed among them, the same command lets in the others."""
    account.migrate()
    sent = box.calls.by_route["POST /files/content"]
    everybody = [f"person{number}@elsewhere.example" for number in range(6)]
    people = [{"login": login} for login in everybody]
    account.change(
        trees=[{"source": name, "collaborators": people} for name in ("Accounting", "Legal")], **NOTIFY
    )
    box.limits.latency_seconds = 0.1
    killed = account.program.kill_when(lambda: len(box.collaborations()) >= 3, "collaborate")
    box.limits.latency_seconds = 0.0
    before = len(box.collaborations())
    done = account.collaborate()

    assert killed
    assert 3 <= before < 12
    assert set(everybody) == set(done)
    assert dict.fromkeys(everybody, 2) == Counter(each["login"] for each in box.collaborations())
    assert 1 == max(Counter(address for address, _ in box.mails).values())
    assert sent == box.calls.by_route["POST /files/content"]
    assert {"none"} == set(account.collaborate().values())


def test_dry_run_is_shown_before_anything_is_taken_away(
    account: Account, box: Sandbox, people: SetPeople
) -> None:
    """The table says what would change and changes nothing; --prune then does it; the exit code says complete."""
    people({"login": ANN, "role": "viewer"}, {"login": BOB})
    account.migrate()
    people({"login": ANN, "role": "editor"})
    before = grants(box)
    shown = collaborate_share.fn(account.plan, True, True)
    untouched = grants(box)
    done = account.program.run("collaborate", "--prune", "--json")

    console = Console(record=True, width=200, file=io.StringIO())
    console.print(collaboration_table(shown))
    table = console.export_text()
    assert "what would change" in table
    nobody = collaboration_table({"plan": "p", "dry_run": True, "trees": []})
    assert "p: nobody is named for its trees or let in; nothing would change" == str(nobody)
    assert "viewer to editor" in table
    assert before == untouched == {ANN: "viewer", BOB: "viewer"}
    assert 0 == done.code, done.output
    [accounting, legal] = json.loads(done.stdout)["trees"]
    assert {ANN: "change", BOB: "remove"} == {each["who"]: each["action"] for each in accounting["people"]}
    assert [] == legal["people"]
    assert {ANN: "editor"} == grants(box)


def test_dry_run_foresees_that_a_tree_inside_another_is_complete(account: Account, box: Sandbox) -> None:
    """Held back by a cutover's pass, say: the inner tree gets its people, and then the one around it, in both runs."""
    account.change(
        trees=[
            {"source": "Accounting", "collaborators": [{"login": ANN}]},
            {"source": "Legal", "folder": "Accounting/Legal", "collaborators": [{"login": BOB}]},
        ]
    )
    move_share(account.plan, hold_people=True)
    shown = collaborate_share.fn(account.plan, False, True)
    assert {} == grants(box)
    done = collaborate_share.fn(account.plan)

    for document in (shown, done):
        assert document["complete"], document
        assert {(ANN, "invite"), (BOB, "invite")} == {
            (each["who"], each["action"]) for tree in document["trees"] for each in tree["people"]
        }


def test_group_by_name_is_the_group_by_id(account: Account, box: Sandbox, people: SetPeople) -> None:
    """A plan that names the group by its id from now on invites nobody again and takes nothing away."""
    finance = box.add_group("Finance")
    people({"group": "finance", "role": "editor"})
    account.migrate()
    people({"group_id": finance.id, "role": "editor"})
    invited = box.calls.by_route["POST /collaborations"]
    by_id = account.collaborate(prune=True)

    assert {f"group {finance.id}": "none"} == by_id
    assert {"Finance": "editor"} == grants(box)
    assert invited == box.calls.by_route["POST /collaborations"]


def test_group_is_made_once_for_many_trees(account: Account, box: Sandbox) -> None:
    """Created on request, when the first of its trees is complete, and found by the others."""
    made = [{"group": "Project Apollo", "create": True, "role": "viewer"}]
    account.change(trees=[{"source": name, "collaborators": made} for name in ("Accounting", "Legal")])
    account.migrate()

    assert ["Project Apollo"] == [group.name for group in box.core.store.groups.values()]
    assert 2 == len(box.collaborations())
