"""Scenario: what one seed does: which database and source, which pass, and where its processes are killed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from tests.torture.points import Day, Kill, every_place, random_kill

#: Seconds that an unkilled run takes here after its first call to Box, about; instants are drawn from it.
RUN_SECONDS = 1.2


@dataclass(frozen=True)
class Scenario:
    """One line of the matrix."""

    state: str
    source: str
    day: Day
    #: App users that upload in place of the service account.
    uploaders: int
    kills: tuple[Kill, ...]

    def __str__(self) -> str:
        whose = f"{self.uploaders} uploaders" if self.uploaders else "service account"
        return f"{self.state}, {self.source}, {whose}, {self.day}: " + "; then ".join(map(str, self.kills))


def scenario(seed: int, counts: Mapping[Day, Mapping[str, int]]) -> Scenario:
    """The first kill goes through every named place in turn, later seeds and kills are random.

    `counts`: which pass → how often each place is reached in a run that nobody kills.
    """
    rng = random.Random(seed)
    places = every_place()
    if seed < len(places):
        when, where, day = places[seed]
        first = Kill(when, where, rng.randint(1, max(1, counts[day].get(where, 1))))
    else:
        day = rng.choices(list(Day), [5, 2, 3])[0]
        first = random_kill(rng, counts[day], RUN_SECONDS)
    needs_uploaders = "editors" in first.where or first.where == "DELETE /collaborations/:id"
    further = rng.choices([0, 1, 2], [6, 3, 1])[0]
    return Scenario(
        state="postgres" if rng.random() < 0.4 else "sqlite",
        source="samba" if rng.random() < 0.3 else "local",
        day=day,
        uploaders=2 if needs_uploaders or rng.random() < 0.2 else 0,
        kills=(first, *(random_kill(rng, counts[day], RUN_SECONDS) for _ in range(further))),
    )
