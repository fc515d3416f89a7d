"""A plan that another process, or Prefect, is handed: no secret stands in it, and its files outlive the run."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from flows.deploy.saved_plan import save_plan
from flows.errors import PlanError
from flows.orchestration.runs import move_share
from flows.plan.connections import box_config, share_login
from flows.plan.model import MigrationPlan
from flows.plan.secrets import MASK

PASSWORD = secrets.token_hex()
LINK = "trees.0.shared_link.password"


def plan_of(*, base_dir: str = "/srv/plan", **changes: Any) -> MigrationPlan:
    """A plan with an identity, whose secrets are references unless the test says otherwise."""
    document: dict[str, Any] = {
        "name": "a",
        "source": {"url": "file:///srv/share"},
        "box": {"auth": ccg("${SECRET}"), "identities": ["1"]},
        "base_dir": base_dir,
    }
    return MigrationPlan.model_validate(document | changes)


def ccg(secret: str) -> dict[str, str]:
    """A login with a client secret."""
    return {"method": "ccg", "client_id": "c", "client_secret": secret, "enterprise_id": "1"}


def login(password: str) -> dict[str, str]:
    """A share with a password."""
    return {"url": "file:///srv/share", "username": "u", "password": password}


def link(password: str) -> list[dict[str, Any]]:
    """A tree that is published under a link with a password."""
    return [{"source": "A", "shared_link": {"access": "open", "password": password}}]


WRITTEN: list[tuple[str, dict[str, Any]]] = [
    ("source.password", {"source": login(PASSWORD)}),
    ("box.auth.client_secret", {"box": {"auth": ccg(PASSWORD), "identities": ["1"]}}),
    (LINK, {"trees": link(PASSWORD)}),
    (LINK, {"trees": link(MASK)}),
    (LINK, {"trees": link("a${LINK}")}),
    ("state_url", {"state_url": f"postgresql+psycopg://u:{PASSWORD}@db/x"}),
]


@pytest.mark.parametrize(("key", "changes"), WRITTEN)
def test_other_processes_are_not_started_with_a_secret_that_they_would_not_get(
    key: str, changes: dict[str, Any]
) -> None:
    """They would try the mask as a password, and lock the account: the key is named before anything is opened."""
    with pytest.raises(PlanError, match=f"^{key}: other processes are not told") as caught:
        move_share(plan_of(**changes), workers=1)

    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(("key", "changes"), [case for case in WRITTEN if case[0] in (LINK, "state_url")])
def test_no_plan_is_saved_with_a_secret_that_no_block_takes(key: str, changes: dict[str, Any]) -> None:
    """The mask would be published as the link's password; nothing is registered."""
    with pytest.raises(PlanError, match=f"^{key}: no secret in a plan that Prefect keeps") as caught:
        save_plan(plan_of(**changes), "http://127.0.0.1:1")

    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "key", ["source.password", "box.auth.client_secret", LINK, "state_url"], ids=lambda key: key
)
def test_the_mask_of_a_secret_is_never_used_as_one(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever kept the plan kept the mask alone: the run says so at its start and tries no login with it."""
    monkeypatch.setenv("SECRET", PASSWORD)
    masked = plan_of(
        source=login(PASSWORD), trees=link(PASSWORD), state_url=f"postgresql+psycopg://u:{PASSWORD}@db/x"
    ).model_copy(update={"box": plan_of(box={"auth": ccg(PASSWORD)}).box})
    kept = MigrationPlan.model_validate(masked.model_dump(mode="json"))
    uses = {
        "source.password": lambda: share_login(kept),
        "box.auth.client_secret": lambda: box_config(kept),
        LINK: lambda: move_share(plan_of(trees=kept.trees)),
        "state_url": kept.resolved_state_url,
    }

    with pytest.raises(PlanError, match=f"^{key}: the secret did not come along with the plan"):
        uses[key]()


@pytest.mark.parametrize("url", ["sqlite:///boxhaul.db", "sqlite+pysqlite:///boxhaul.db", "sqlite:///"])
@pytest.mark.parametrize("base_dir", ["", "plans"])
def test_a_checkpoint_is_not_kept_in_the_folder_of_a_run(url: str, base_dir: str) -> None:
    """A worker deletes that folder after the run: a relative path needs a base folder, and both are named."""
    with pytest.raises(PlanError, match=r"^state_url: .*base_dir"):
        plan_of(state_url=url, base_dir=base_dir).resolved_state_url()


@pytest.mark.parametrize("url", ["sqlite:////var/lib/boxhaul/a.db", "postgresql+psycopg://db/x"])
def test_a_checkpoint_that_lasts_needs_no_base_folder(url: str) -> None:
    """An absolute path and a server are the same from everywhere."""
    assert url == plan_of(state_url=url, base_dir="").resolved_state_url()


def test_a_relative_checkpoint_starts_from_the_base_folder() -> None:
    """Whichever name of the driver is written."""
    urls = [f"{driver}:///a.db" for driver in ("sqlite", "sqlite+pysqlite")]

    assert [f"{url.partition('a.db')[0]}/srv/plan/a.db" for url in urls] == [
        plan_of(state_url=url).resolved_state_url() for url in urls
    ]


@pytest.mark.parametrize(
    ("key", "box"),
    [
        ("box.auth.config_file", {"auth": {"method": "jwt", "config_file": "key.json"}}),
        ("box.auth.token_file", {"auth": ccg("x") | {"token_file": "tokens"}}),
        ("box.ca_file", {"auth": ccg("x"), "ca_file": "ca.pem"}),
    ],
)
def test_files_of_the_login_are_not_looked_for_in_the_folder_of_a_run(key: str, box: dict[str, Any]) -> None:
    """Each is named with the base folder that is missing."""
    plan = plan_of(base_dir="", state_url="sqlite:////srv/a.db", box=box)

    with pytest.raises(PlanError, match=rf"^{key}: .*base_dir"):
        box_config(plan)
