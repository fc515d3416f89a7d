"""Rule E2: people are who Box says they are, whatever the plan calls them and whatever happened before."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from flows.reporting.status import status_document
from tests.acceptance.account.conftest import Account

SetPeople = Callable[..., None]
NOTIFY = {"transfer": {"notify": True}}
#: Somebody let in by hand on the tree's folder, and one on the landing folder above it; neither is in the plan.
OUTSIDER, ABOVE = "outsider@elsewhere.example", "above@elsewhere.example"

HISTORIES = ("nothing", "already there", "pending", "killed", "declined")


def spelled(rng: random.Random, text: str) -> str:
    """The same name in a mixture of upper and lower case."""
    return "".join(rng.choice((each.upper(), each.lower())) for each in text)


class Drawn:
    """The people of one plan, one of each kind that a plan can name, and what is done to them."""

    def __init__(self, account: Account, box: Sandbox, people: SetPeople, rng: random.Random) -> None:
        self.account, self.box, self.set_people, self.rng = account, box, people, rng
        self.by_login = box.add_user("login@example.com")
        self.by_alias = box.add_user("main@example.com")
        box.add_alias(self.by_alias, "alias@example.com")
        self.renamed = box.add_user("before@example.com")
        self.by_id = box.add_user("number@example.com")
        self.group, self.renamed_group = box.add_group("Finance"), box.add_group("Sales")
        hands = box.person()
        landing = hands.make_folder("Landing")
        account.change_box(landing_folder_id=landing)
        self.bystanders = {ABOVE: hands.invite(landing, ABOVE, "viewer")}

    def plan(self, role: str = "viewer") -> None:
        """All of them into the tree Accounting, in another spelling each time and in another order."""
        names: list[dict[str, Any]] = [
            {"login": spelled(self.rng, "login@example.com")},
            {"login": spelled(self.rng, "alias@example.com")},
            {"login": spelled(self.rng, "before@example.com")},
            {"user_id": self.by_id.id},
            {"login": spelled(self.rng, "stranger@elsewhere.example")},
            {"group": spelled(self.rng, "Finance")},
            {"group": spelled(self.rng, "Sales")},
            {"app_user": "Kiosk"},
        ]
        self.rng.shuffle(names)
        self.set_people(*({**name, "role": role} for name in names), **NOTIFY)

    def let_in_by_hand(self) -> None:
        """Everybody whom a person can invite is in before the plan names them."""
        for user in (self.by_login, self.by_alias, self.renamed, self.by_id):
            self.box.person().invite(self.folder, user.login, "viewer")
        self.box.person().invite(self.folder, "stranger@elsewhere.example", "viewer")

    def let_outsider_in(self) -> None:
        """By hand, into the tree's own folder."""
        self.bystanders[OUTSIDER] = self.box.person().invite(self.folder, OUTSIDER, "viewer")

    def rename_all(self) -> None:
        """An administrator changes a login and the name of a group."""
        self.box.change_login(self.renamed, "after@example.com")
        self.box.rename_group(self.renamed_group, "Sales Europe")

    def lose_records(self) -> None:
        """As a kill between Box's 201 and the record leaves it, for everybody at once."""
        with sqlite3.connect(self.account.program.folder / "state.db") as database:
            database.execute("update collaborations set status = 'planned', box_collaboration_id = null")
            database.execute("update trees set state = 'verified' where verified")

    @property
    def folder(self) -> str:
        """The tree's folder in Box."""
        return str(self.box.tree()["Landing/Accounting"]["id"])

    def grants(self) -> dict[str, tuple[str, str, str]]:
        """Id → role, status and path of every grant in Box."""
        return {
            each["id"]: (each["role"], each["status"], each["path"]) for each in self.box.collaborations()
        }


@pytest.fixture
def drawn(account: Account, box: Sandbox, people: SetPeople, request: pytest.FixtureRequest) -> Drawn:
    """People that are spelled by chance, the same way in every run."""
    return Drawn(account, box, people, random.Random(request.node.name))


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.gate(2)
def test_nobody_is_invited_twice_or_told_as_failed(
    account: Account, box: Sandbox, drawn: Drawn, history: str
) -> None:
    """Eight kinds of names, five histories: in once, mailed once at most, never failed; nobody else is touched."""
    box.settings.auto_accept = history not in ("pending", "declined")
    account.migrate()
    drawn.let_outsider_in()
    if history == "already there":
        drawn.let_in_by_hand()
    mailed_by_hand = len(box.mails)
    drawn.plan()
    account.migrate()
    if history == "killed":
        drawn.lose_records()
        account.migrate()
    if history == "declined":
        for grant in box.core.store.collaborations.values():
            if grant.id not in drawn.bystanders.values() and grant.group is None:
                grant.status = "rejected"
    drawn.rename_all()
    account.collaborate()
    first = drawn.grants()
    drawn.plan("editor")
    account.migrate()
    account.collaborate(prune=True)
    last = drawn.grants()

    ours = {grant_id: grant for grant_id, grant in last.items() if grant_id not in drawn.bystanders.values()}
    assert first.keys() == last.keys()
    assert 8 == len(ours)
    assert {"Landing/Accounting"} == {path for _, _, path in ours.values()}
    assert {"editor"} == {role for role, status, _ in ours.values() if status != "rejected"}
    assert {("viewer", "pending")} == {last[grant_id][:2] for grant_id in drawn.bystanders.values()}
    mails = Counter(address for address, _ in list(box.mails)[mailed_by_hand:])
    assert max(mails.values(), default=0) <= 1
    tree = status_document(account.plan)["trees"][0]
    assert [] == [each for each in tree["collaborators"] if each["status"] in ("failed", "planned")]
    assert "complete" == tree["state"]
