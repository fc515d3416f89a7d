"""The readings of Box under which the acceptance tests run: what is UNKNOWN at Box, answered in other ways.

`strict` is the sandbox's own default. The others turn the switches of every sandbox that a test starts, also after its
`reset`, so that the program is held to what it promises whichever answer is Box's. A test that sets a switch by itself
keeps it. One that asserts what a single reading does is marked `strict_reading`, and is left out under the others.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.control.limits import Limits
from connectors.box.sandbox.control.observe import Violation
from connectors.box.sandbox.settings import Settings

#: Name of a reading: values of `Settings` and `Limits`.
READINGS: dict[str, dict[str, Any]] = {
    "strict": {},
    # What Box's guide and its reference say where clients have seen something else.
    "documented": {
        "refuse_leading_spaces": True,
        "refuse_windows_characters": True,
        "repair_file_names": True,
        "nfkc_existing": False,
        "empty_auth_bodies": False,
        "as_user_charges": "acting",
        "counting": "fixed",
        "refusal": "403",
    },
    # The looser answers that one or another client has seen.
    "seen": {
        "nfkc_folders": False,
        "nfkc_uploads": False,
        "overlap_is_416": True,
        "duplicate_folders_under_race": True,
        "accept_higher_role_below": True,
        "auto_provision": True,
        "as_user_charges": "token",
        "counting": "bucket",
        "refusal": "429_bare",
    },
    # Answers that are nowhere excluded.
    "possible": {
        "refuse_leading_spaces": True,
        "nfkc_uploads": False,
        "only_session_endpoints": True,
        "parts_count_as_uploads": True,
        "commit_202_rounds": 1,
        "parts_mismatch_rounds": 1,
        "counting": "fixed",
    },
}

_STRICT = Settings()


def take(name: str) -> None:
    """Make a reading the default of every sandbox in this process; KeyError for an unknown name."""
    values = dict(READINGS[name])
    for kind in (Settings, Limits):
        known = {f.name for f in fields(kind) if f.init and f.name in values}
        _set_defaults(kind, {key: values.pop(key) for key in known})
    if values:
        raise KeyError(f"no switch of the sandbox: {', '.join(values)}")


def violations(box: Sandbox) -> list[Violation]:
    """What a client did that Box forbids. A name that only this reading refuses, and that is then sent in another
    form, is none: nobody can know it beforehand."""
    strict = Settings() == _STRICT
    return [each for each in box.violations if strict or "item_name_invalid" not in each.message]


def _set_defaults(kind: type, values: dict[str, Any]) -> None:
    init: Any = kind.__init__
    code = init.__code__
    defaulted = code.co_varnames[1 : code.co_argcount][-len(init.__defaults__) :]
    init.__defaults__ = tuple(
        values.get(name, default) for name, default in zip(defaulted, init.__defaults__, strict=True)
    )
