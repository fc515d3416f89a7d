"""A server that Prefect's active profile names, and nothing else: the command's run is a flow run there."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.prefect.conftest import PlanFor, build_share
from tests.servers.prefect import PrefectServer, wait_until


def test_a_command_is_shown_by_the_server_of_the_profile(
    plan_for: PlanFor, prefect_server: PrefectServer, tmp_path: Path
) -> None:
    """As `boxhaul deploy --start` leaves it behind; each phase is a task run there; an empty variable runs without."""
    home = tmp_path / "prefect"
    home.mkdir()
    profile = f'active = "mine"\n[profiles.mine]\nPREFECT_API_URL = "{prefect_server.api_url}"\n'
    (home / "profiles.toml").write_text(profile, encoding="utf-8")
    program = plan_for("profile", share=build_share(tmp_path / "share", folders=1, files=1))
    del program.environment["PREFECT_API_URL"]
    program.environment["PREFECT_HOME"] = str(home)

    shown = program.run("migrate")
    program.environment["PREFECT_API_URL"] = ""
    plain = program.run("migrate")

    assert 0 == shown.code, shown.output
    assert 0 == plain.code, plain.output
    named = {"flow_runs": {"name": {"any_": ["profile-migrate"]}}}
    [run] = prefect_server.ask("POST", "/flow_runs/filter", named)
    assert "COMPLETED" == run["state_type"]
    phases = {"walk", "upload-00001", "complete-Accounting", "complete-Legal"}
    wait_until(
        lambda: phases <= {each["name"] for each in prefect_server.ask("POST", "/task_runs/filter", named)},
        "the server knows the task runs",
    )
