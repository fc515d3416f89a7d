"""What a person may say about deploying, and where the shipped files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: Beside the packages, in a checkout and in a wheel.
DEPLOYMENTS = Path(__file__).parents[2] / "deployments"


@dataclass(frozen=True, kw_only=True)
class DeployOptions:
    """What a person may say about deploying."""

    prefect_file: Path = DEPLOYMENTS / "prefect.yaml"
    #: Start a server on this machine when none answers.
    start: bool = False
    #: Appended to the names of the deployments, for a second plan on the same server.
    suffix: str = ""
    #: Notification block, as "type/name", that the automations use.
    notify: str = ""
