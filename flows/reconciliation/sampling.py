"""Sampling: which files are read again, and what is proven by those that were. Pure."""

from __future__ import annotations

import math
import random

from flows.errors import PlanError
from flows.plan.sample import share_of
from flows.words import counted

#: How sure one may be of the bound that is stated.
CONFIDENCE = 0.99

#: A share is looked for so closely.
_BISECTIONS = 60


class Sampler:
    """Chooses exactly `share` of `total` things that come one by one, each with the same chance; at least one.

    Knuth's Algorithm S: the next is taken with the chance (still wanted / still to come), so that nothing is held.
    """

    def __init__(self, total: int, share: float, seed: int) -> None:
        self.wanted = min(total, max(1, math.ceil(total * share))) if total else 0
        self._left, self._missing = total, self.wanted
        self._random = random.Random(seed)

    def takes_next(self) -> bool:
        """Decide for the next one; all that come beyond `total` are taken."""
        takes = self._left <= self._missing or self._random.random() * self._left < self._missing
        self._left = max(0, self._left - 1)
        self._missing = max(0, self._missing - takes)
        return takes


def parse_share(text: str) -> float:
    """Return "1%" as 0.01. PlanError for what is no percentage above 0 and up to 100."""
    try:
        return share_of(text)
    except ValueError as exc:
        raise PlanError(f"--sample: {exc}") from None


def greatest_share(read: int, differing: int, confidence: float = CONFIDENCE) -> float:
    """Return the share of files that differ at most, if `differing` of `read` files chosen at random did.

    The one-sided Clopper-Pearson bound: the p for which so few or fewer would be found with a chance of only
    1 - confidence, that is the solution of

        sum for i from 0 to k of C(n, i) p^i (1 - p)^(n - i)  =  1 - confidence     with n = read, k = differing

    For k = 0 that is p = 1 - (1 - confidence)^(1/n), about 4.6 / n at 99 %. It holds for any number of files; files are
    drawn without putting any back, which only makes it safer. 1.0 where nothing was read, or all that was read differs.
    """
    if read == 0 or differing >= read:
        return 1.0
    if differing == 0:
        return -math.expm1(math.log1p(-confidence) / read)
    low, high = differing / read, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _at_most(differing, read, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(k: int, n: int, p: float) -> float:
    """The chance of k or fewer of n, each with the chance p > k/n: the terms fall from i = k down to 0."""
    if p >= 1:
        return 0.0
    log_term = (
        math.lgamma(n + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n - k + 1)
        + k * math.log(p)
        + (n - k) * math.log1p(-p)
    )
    term = total = math.exp(log_term)
    for i in range(k, 0, -1):
        term *= i * (1 - p) / ((n - i + 1) * p)
        total += term
        if term < total * 1e-15:
            break
    return total


def confidence_words(read: int, differing: int, total: int) -> str:
    """Say what reading so many of all files proves. What could not be read counts as differing."""
    if total == 0:
        return "there was no file to read"
    if read >= total:
        return f"every file was read again; {counted(differing, 'file')} of {total:,} differ"
    share = greatest_share(read, differing)
    sure = f"{round(CONFIDENCE * 100)} % sure that fewer than "
    bound = (
        f"1 in {math.floor(1 / share):,} files differ" if share <= 0.5 else f"{share:.0%} of the files differ"
    )
    found = f"{counted(differing, 'file')} of {read:,} read at random, of {total:,}, differ"
    return f"{sure}{bound}: {found}"
