"""What version 0.1.0 registered in Prefect runs under this version: nobody has to deploy again."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import yaml
from prefect import Flow

from flows.plan.model import MigrationPlan

#: Entry points of its prefect.yaml, with the parameters that a deployment of it may hold.
REGISTERED = {
    "flows.run_plan.run_plan": {"plan", "trees", "mode"},
    "flows.check.check_plan": {"plan", "set_space"},
    "flows.migrate.migrate_share": {"plan", "trees", "window", "workers", "check"},
    "flows.retry.retry_failures": {"plan", "reason", "trees", "check"},
    "flows.send.send_share": {"plan", "account_id"},
}

#: A plan as it saved one: every key that it knew.
SAVED = yaml.safe_load("""
name: finance
source: {url: "smb://fs01.example.com/finance/Departments", username: svc-migrate, password: "${SMB_PASSWORD}",
         credentials_block: "", port: 445, options: {}, may_be_empty: false}
box:
  auth: {method: block, name: finance}
  landing_folder_id: "0"
  base_url: https://api.box.com
  upload_url: https://upload.box.com/api
  identities: ["11"]
  limits: {uploads_per_minute: 240, calls_per_minute: 1000, window_seconds: 60.0, backoff_seconds: 0.5,
           outage_minutes: 60.0}
  direct_upload_limit_bytes: 50000000
  part_threads: 4
  ca_file: null
state_url: sqlite:////srv/finance.db
trees:
- source: Accounting
  folder: Accounting
  collaborators:
  - {login: ann@example.com, user_id: null, group: null, group_id: null, app_user: null, create: false, role: editor,
     can_view_path: false, is_access_only: false, expires_at: null}
  - {login: null, user_id: null, group: Finance, group_id: null, app_user: null, create: true, role: viewer,
     can_view_path: false, is_access_only: false, expires_at: null}
  shared_link: {access: company, expires_at: null, password: null}
exclude: [Thumbs.db, desktop.ini, "~$*", .DS_Store]
transfer: {threads: 8, walk_threads: 8, batch_items: 5000, batch_bytes: 20000000000, max_attempts: 3, verify: listing,
           notify: false}
base_dir: /srv
""")


def values(document: Any, below: str = "") -> dict[str, Any]:
    """Every leaf of a document by its path."""
    if isinstance(document, dict):
        return {
            path: leaf
            for key, each in document.items()
            for path, leaf in values(each, f"{below}.{key}").items()
        }
    if isinstance(document, list):
        return {
            path: leaf
            for n, each in enumerate(document)
            for path, leaf in values(each, f"{below}.{n}").items()
        }
    return {below: document}


@pytest.mark.parametrize("entrypoint", REGISTERED)
def test_entry_point_of_0_1_0_is_a_flow_that_takes_what_it_took(entrypoint: str) -> None:
    """The module path leads to a flow of the same name, each old parameter is one of its own, none became required."""
    module, _, function = entrypoint.rpartition(".")
    flow = getattr(import_module(module), function)

    assert isinstance(flow, Flow)
    assert function.replace("_", "-") == flow.name
    assert set(flow.parameters.properties) >= REGISTERED[entrypoint]
    assert ["plan"] == flow.parameters.required


def test_plan_saved_by_0_1_0_is_a_plan_and_means_the_same() -> None:
    """Each key is known, and each value is what it was."""
    read = MigrationPlan.model_validate(SAVED).model_dump(mode="json")

    assert values(SAVED).items() <= values(read).items()
