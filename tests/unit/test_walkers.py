"""How many folders are listed at once, without I/O: a model of listings says how long each is waited for."""

from __future__ import annotations

import pytest

from connectors.sources.walkers import REST, WINDOW, Walkers

LIMIT = 8


def walk(walkers: Walkers, listings: int, *, latency: float, work: float, turns: float = 0.0) -> list[int]:
    """The number of walkers after each listing, where one waits for so long and works for so long.

    Those who work take turns: what a listing takes grows by `turns` of it with each walker more.
    """
    counts = []
    for _ in range(listings):
        count = walkers.count(LIMIT)
        # One after the other works, all wait at the same time.
        taken = max((latency + work) / count, work * (1 + turns * (count - 1)))
        walkers.listed(20, waited=taken, worked=work, limit=LIMIT)
        counts.append(walkers.count(LIMIT))
    return counts


def test_a_local_disk_has_one_walker() -> None:
    """Where listing is work, one does it, however long the walk is."""
    assert {1} == set(walk(Walkers(), 2_000, latency=0.000_05, work=0.001, turns=0.5))


def test_a_busy_machine_is_no_network() -> None:
    """Work that takes twice its time, since others work as well, is not taken for waiting."""
    assert {1} == set(walk(Walkers(), 2_000, latency=0.001, work=0.001, turns=0.5))


@pytest.mark.parametrize("latency", [0.002, 0.005, 0.05])
def test_a_network_has_as_many_as_it_may(latency: float) -> None:
    """Where listing is waiting, the number doubles window by window up to the limit, and stays."""
    counts = walk(Walkers(), 400, latency=latency, work=0.000_2)

    assert [1, 2, 4, 8] == list(dict.fromkeys(counts))
    assert counts.index(LIMIT) <= WINDOW * (1 + 2 + 4)
    assert {LIMIT} == set(counts[WINDOW * 7 :])


def test_more_that_do_not_help_are_taken_back() -> None:
    """A server that lists one folder at a time is asked by one, and seldom by two to see whether that has changed."""
    walkers = Walkers()
    counts = []
    for _ in range(WINDOW * REST):
        walkers.listed(20, waited=0.01, worked=0.000_1, limit=LIMIT)
        counts.append(walkers.count(LIMIT))

    assert {1, 2} == set(counts)
    assert counts.count(2) <= 2 * WINDOW * 2


def test_the_limit_holds() -> None:
    """Whatever is measured, no more walk at once than the plan says."""
    walkers = Walkers()
    for _ in range(500):
        walkers.listed(1, waited=1.0 / walkers.count(3), worked=0.001, limit=3)

    assert 3 == walkers.count(3)
    assert 1 == walkers.count(1)
