"""What a sample proves: the bound holds, and exactly as many are read as were asked for."""

from __future__ import annotations

import math
import random

import pytest

from flows.errors import PlanError
from flows.reconciliation.sampling import Sampler, confidence_words, greatest_share, parse_share


@pytest.mark.parametrize(
    ("read", "differing", "share"),
    [
        # The rule of three's brother: ln(100)/n, and values of published tables of the beta distribution.
        (100, 0, 0.0450),
        (46_050, 0, 0.0001),
        (10, 1, 0.5044),
        (100, 5, 0.1259),
        (1_000_000, 0, 4.605e-6),
        (0, 0, 1.0),
        (7, 7, 1.0),
    ],
)
def test_bound_is_the_published_one(read: int, differing: int, share: float) -> None:
    """Clopper and Pearson's, one-sided at 99 %."""
    assert pytest.approx(share, rel=0.01) == greatest_share(read, differing)


@pytest.mark.parametrize(("n", "k"), [(50, 0), (50, 3), (2_000, 40), (100_000, 25_000)])
def test_bound_solves_its_equation(n: int, k: int) -> None:
    """So few or fewer are found with a chance of one in a hundred."""
    p = greatest_share(n, k)
    chance = sum(
        math.exp(
            math.lgamma(n + 1)
            - math.lgamma(i + 1)
            - math.lgamma(n - i + 1)
            + i * math.log(p)
            + (n - i) * math.log1p(-p)
        )
        for i in range(k + 1)
    )
    assert pytest.approx(0.01, rel=1e-5) == chance


def test_bound_holds_in_ninety_nine_of_a_hundred_samples() -> None:
    """Of a share in which 2 % differ: hardly any sample claims less."""
    rng = random.Random(1)
    wrong = sum(
        greatest_share(300, sum(rng.random() < 0.02 for _ in range(300))) < 0.02 for _ in range(1_000)
    )
    assert wrong <= 25


@pytest.mark.parametrize(
    ("total", "share", "taken"), [(1000, 0.1, 100), (3, 0.01, 1), (7, 1.0, 7), (0, 0.5, 0)]
)
def test_sampler_takes_exactly_so_many(total: int, share: float, taken: int) -> None:
    """Rounded up, at least one."""
    sampler = Sampler(total, share, seed=5)
    assert taken == sampler.wanted == sum(sampler.takes_next() for _ in range(total))


def test_each_has_the_same_chance() -> None:
    """The first as well as the last."""
    hits = [0] * 20
    for seed in range(4_000):
        sampler = Sampler(20, 0.25, seed=seed)
        for number in range(20):
            hits[number] += sampler.takes_next()
    assert all(850 < count < 1_150 for count in hits), hits


def test_words_name_the_bound() -> None:
    """As an auditor reads it."""
    words = confidence_words(46_060, 0, 5_000_000)
    assert "99 % sure that fewer than 1 in 10,00" in words
    assert words.endswith("0 files of 46,060 read at random, of 5,000,000, differ")
    assert "every file was read again; 0 files of 7 differ" == confidence_words(7, 0, 7)


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("0.5 %", 0.005), ("100", 1.0)])
def test_percentages(text: str, share: float) -> None:
    """With or without the sign."""
    assert pytest.approx(share) == parse_share(text)


@pytest.mark.parametrize("text", ["0%", "101%", "-1%", "one", "", "nan"])
def test_what_is_no_percentage(text: str) -> None:
    """Is told as such."""
    with pytest.raises(PlanError, match="--sample"):
        parse_share(text)
