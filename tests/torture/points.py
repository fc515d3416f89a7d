"""Where a process is killed: the named places, and how one kill is written down. Kills nothing itself."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Day(StrEnum):
    """What the pass that is killed has to do."""

    #: Everything for the first time.
    FIRST = "first pass"
    #: To send other content of some files, after a first pass that ended well.
    CHANGED = "changed files"
    #: To follow what was renamed, moved, dated anew and deleted, after such a pass.
    FOLLOWED = "moved and deleted files"


#: Any commit of the checkpoint, whatever it says.
WRITE = "write"

_CHECKPOINT = (
    "ensure_plan", "register_worker", "lease_identity", "reserve_budget", "ensure_trees", "ensure_collaborations",
    "begin_pass", "claim_folders_to_walk", "record_listings", "claim_batch", "claim_folder_creation",
    "record_folder_created", "save_upload_session", "add_upload_part", "clear_upload_session", "record_results",
    "record_verified", "record_collaboration", "complete_tree", "add_call_counts", "end_pass", "release_identity",
    "release_worker", "add_tree_editors", "record_tree_editors_removed",
)  # fmt: skip

_FOLLOWING = ("record_folder_moved", "record_file_moved", "record_file_renamed", "record_trashed")

#: module:name of every function that is wrapped; each Checkpoint method is one transaction.
FUNCTIONS = (
    "state.database.schema:bring_to_head",
    *(f"state.checkpoint:Checkpoint.{name}" for name in (*_CHECKPOINT, *_FOLLOWING)),
    "connectors.box.upload.session:commit",
    "connectors.box.upload.session:accept",
    "flows.transfer.completing:verify_tree",
    "flows.transfer.completing:let_people_in",
    "flows.transfer.completing:create_missing_folders",
)

#: What the first pass asks of Box.
ROUTES = (
    "POST /oauth2/token",
    "GET /users/me",
    "POST /folders",
    "POST /files/content",
    "POST /files/upload_sessions",
    "PUT /files/upload_sessions/:id",
    "POST /files/upload_sessions/:id/commit",
    "GET /folders/:id/items",
    "POST /collaborations",
    "DELETE /collaborations/:id",
)
#: And what a pass over changed files asks beyond that.
VERSION_ROUTES = (
    "GET /files/:id",
    "POST /files/:id/content",
    "POST /files/:id/upload_sessions",
    "POST /files/upload_sessions/:id/plan",
    "POST /files/upload_sessions/:id/commit",
    "PUT /files/upload_sessions/:id",
)
#: And what a pass asks that follows moves, dates and deletions.
FOLLOWING_ROUTES = ("PUT /folders/:id", "PUT /files/:id", "DELETE /folders/:id", "DELETE /files/:id")
#: And what only a run after a kill asks.
RESUME_ROUTES = (
    "GET /files/upload_sessions/:id/parts",
    "DELETE /files/upload_sessions/:id",
    "GET /folders/:id/collaborations",
)


@dataclass(frozen=True)
class Kill:
    """One kill: by the process itself at a place, by the sandbox at a call, or by the clock."""

    #: before, inside or after (the process itself); unheard or unanswered (the sandbox); at (the clock).
    when: str
    #: A place of FUNCTIONS, WRITE, or a route; "" for the clock.
    where: str = ""
    #: Which call of it, counted from 1 in each process.
    number: int = 1
    #: Seconds after the first call to Box, for `at`.
    seconds: float = 0.0

    @property
    def crash(self) -> str:
        """What crashing.py is told."""
        own = self.when in ("before", "inside", "after")
        return f"{self.when}|{self.where}|{self.number}" if own else "never"

    @property
    def by_sandbox(self) -> bool:
        """True when the sandbox kills: `unheard` before the effect, `unanswered` after it."""
        return self.when in ("unheard", "unanswered")

    def __str__(self) -> str:
        if self.when == "at":
            return f"after {self.seconds:.2f} s"
        return f"{self.when} {self.where.rpartition(':')[2] if ' ' not in self.where else self.where} #{self.number}"


def every_place() -> list[tuple[str, str, Day]]:
    """(when, where, in which pass): each named place once, systematically."""
    places = [(when, place, _day_of(place)) for place in FUNCTIONS for when in ("before", "after")]
    places += [
        ("inside", place, _day_of(place)) for place in FUNCTIONS if place.startswith("state.checkpoint:")
    ]
    calls = ("before", "unheard", "unanswered", "after")
    asked = {Day.FIRST: ROUTES, Day.CHANGED: VERSION_ROUTES, Day.FOLLOWED: FOLLOWING_ROUTES}
    return places + [
        (when, route, day) for day, routes in asked.items() for route in routes for when in calls
    ]


def _day_of(place: str) -> Day:
    return Day.FOLLOWED if place.rpartition(".")[2] in _FOLLOWING else Day.FIRST


def random_kill(rng: random.Random, counts: Mapping[str, int], seconds: float) -> Kill:
    """Any kill: a commit, a function, a call, or an instant of a run that takes so many seconds."""
    kind = rng.choice(["write", "write", "function", "call", "call", "instant", "instant"])
    if kind == "instant":
        return Kill("at", seconds=rng.uniform(0.0, seconds))
    if kind == "write":
        return Kill(
            rng.choice(["before", "inside", "after"]), WRITE, rng.randint(1, max(1, counts.get(WRITE, 1)))
        )
    if kind == "function":
        place = rng.choice([name for name in FUNCTIONS if counts.get(name)])
        return Kill(rng.choice(["before", "after"]), place, rng.randint(1, counts[place]))
    route = rng.choice([*ROUTES, *RESUME_ROUTES, *(name for name in FOLLOWING_ROUTES if counts.get(name))])
    when = rng.choice(["before", "unheard", "unanswered", "after"])
    return Kill(when, route, rng.randint(1, max(1, counts.get(route, 1))))
