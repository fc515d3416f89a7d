"""A person in front of the Prefect UI: a real browser, the form, the progress, cancel, retry. Pictures on request."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from connectors.box.sandbox import Sandbox
from tests.acceptance.prefect.browser import PATIENCE, take
from tests.acceptance.prefect.conftest import FOLDERS, TREES, PlanFor, build_share, deploy
from tests.servers.prefect import PrefectServer, PrefectWorker, wait_until

#: So many in each folder that the run lasts until somebody has clicked.
FILES = 150


@pytest.mark.torture
def test_a_person_runs_watches_cancels_and_retries(
    plan_for: PlanFor,
    slow_box: Sandbox,
    prefect_server: PrefectServer,
    prefect_worker: PrefectWorker,
    page: Page,
    pictures: Path,
    tmp_path: Path,
) -> None:
    """Run from the form, see the progress move, cancel, retry, and see it complete: all by clicking."""
    server = prefect_server
    program = plan_for("finance-2026", share=build_share(tmp_path / "share", files=FILES))
    deploy(program, "ui")
    deployment = server.deployment("run-plan/on-demand-ui")["id"]

    page.goto(f"{server.url}/v2/deployments/deployment/{deployment}")
    page.get_by_role("tab", name="Description").click()
    expect(page.get_by_text("Move a saved plan now")).to_be_visible(timeout=PATIENCE)
    take(page, pictures, "deployment")

    page.goto(f"{server.url}/v2/deployments/deployment/{deployment}/run")
    expect(page.get_by_label("Select a block")).to_contain_text("finance-2026", timeout=PATIENCE)
    take(page, pictures, "form")
    run = submitted(page, server, deployment)

    page.goto(f"{server.url}/v2/runs/flow-run/{run}")
    expect(page.get_by_text("finance-2026-migrate").first).to_be_visible(timeout=PATIENCE)
    wait_until(lambda: server.progress(run, "finance-2026-all") > 0, "progress is shown")
    first = server.progress(run, "finance-2026-all")
    wait_until(lambda: server.progress(run, "finance-2026-all") > first, "progress moves")
    page.get_by_role("tab", name="Artifacts").click()
    expect(page.get_by_text("finance-2026-all")).to_be_visible(timeout=PATIENCE)
    take(page, pictures, "running", whole=True)
    # By the order in which both UIs ask for them; test_states.py looks at both.
    assert "finance-2026-overview" == server.artifacts(run)[0]["key"]

    open_menu(page, "Cancel")
    take(page, pictures, "cancel")
    page.get_by_role("button", name="Cancel Flow Run").click()
    server.wait_for(run, "Cancelled")
    arrived = len(slow_box.files())
    assert 0 < arrived < len(TREES) * FOLDERS * FILES
    expect(page.get_by_text("Cancelled").first).to_be_visible(timeout=PATIENCE)
    take(page, pictures, "cancelled")

    slow_box.limits.update({"latency_seconds": 0.02})
    page.reload()
    open_menu(page, "Retry")
    page.get_by_role("button", name=re.compile("Retry")).last.click()
    server.wait_for(run, "Completed")

    page.reload()
    expect(page.get_by_text("Completed").first).to_be_visible(timeout=PATIENCE)
    take(page, pictures, "completed")
    overview = max(
        (each for each in server.artifacts(run) if each["key"] == "finance-2026-overview"),
        key=lambda each: each["created"],
    )
    page.goto(f"{server.url}/v2/artifacts/artifact/{overview['id']}")
    expect(page.get_by_role("link", name="Accounting")).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(1500)
    take(page, pictures, "overview", whole=True)

    assert len(TREES) * FOLDERS * FILES == len(slow_box.files())
    assert {1} == {file.versions for file in slow_box.files().values()}
    wait_until(lambda: bool(server.events("boxhaul.tree.complete")), "events tell of the trees")


def submitted(page: Page, server: PrefectServer, deployment: str) -> str:
    """Click on Submit, and again while the form stays: the page says so when the server was too busy to answer."""
    button = page.get_by_role("button", name="Submit")
    said: list[str] = []
    for _ in range(4):
        if button.is_visible():
            button.click()
        for _ in range(20):
            page.wait_for_timeout(1_000)
            said += page.locator("[data-sonner-toast]").all_inner_texts()
            if runs := runs_of(server, deployment):
                (run,) = runs
                return run
    raise AssertionError(f"no run is made; the page says {sorted(set(said))}: {page.inner_text('main')}")


def runs_of(server: PrefectServer, deployment: str) -> list[str]:
    """Ids of a deployment's runs."""
    body = {"deployments": {"id": {"any_": [deployment]}}}
    return [run["id"] for run in server.ask("POST", "/flow_runs/filter", body)]


def open_menu(page: Page, entry: str) -> None:
    """Choose an entry of the run's menu (three dots)."""
    page.locator('main button[aria-haspopup="menu"]:visible').first.click()
    page.get_by_role("menuitem", name=entry, exact=True).click()
