"""Errors of the layer that people talk to.

* PlanError      the plan file or a command's arguments are wrong: exit code 2
* Interrupted    somebody stopped the run; state is saved: exit code 130
  + WindowClosed the hours in which files may be sent are over
"""

from __future__ import annotations


class PlanError(Exception):
    """The plan cannot be used as it is."""


class Interrupted(Exception):
    """Stopped on request; the next run goes on from the checkpoint."""


class WindowClosed(Interrupted):
    """The hours in which files may be sent are over; the next run goes on from the checkpoint."""
