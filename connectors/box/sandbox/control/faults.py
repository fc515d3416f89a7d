"""Faults as data: which call goes wrong, how, and how often. Injecting them is the dispatcher's business.

box.faults.next("POST /files/content").status(503).times(3)
box.faults.next("PUT /files/upload_sessions/:id").status(500, after_effect=True)
box.faults.next("POST /collaborations").about("ann@example.com").status(403)
box.faults.hide(folder_id, calls=3)
box.faults.random(seed=1, probability=0.05, kinds=["503", "reset_after", "truncate"])
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

#: Kinds that `random` may pick; any three-digit status works as well.
KINDS = (
    "429", "500", "502", "503", "504", "html", "delay", "reset_before", "reset_after", "after_effect", "truncate",
    "expire_token", "wrong_digest", "wrong_answer", "429_bare", "403_retry_after", "413_html",
)  # fmt: skip


def _nothing(subject: str) -> bool:
    """What a call mentions of which nothing is known."""
    return False


@dataclass
class Effect:
    """What happens to one call."""

    #: Answer this status instead of Box's answer.
    status: int | None = None
    code: str | None = None
    #: Box's words, and the reasons behind them, for that status.
    message: str | None = None
    context: dict[str, Any] | None = None
    #: Do what was asked before answering wrongly.
    after_effect: bool = False
    retry_after: str | None = None
    #: A JSON value or raw bytes in place of the error body.
    body: Any = None
    html: bool = False
    delay_seconds: float = 0.0
    #: "before_effect" or "after_effect": drop the connection (RST) without an answer.
    reset: str | None = None
    truncate: bool = False
    wrong_digest: bool = False
    wrong_answer: bool = False
    expire_token: bool = False


@dataclass
class Fault:
    """A rule: a route pattern, the call it starts with, how often it strikes, and the effect. Chainable."""

    pattern: str
    #: Only calls that mention this: an id of the path, or a text of the body (a name, a login, an id).
    subject: str | None = None
    effect: Effect = field(default_factory=Effect)
    remaining: int | None = 1
    skip: int = 0
    probability: float | None = None
    kinds: tuple[str, ...] = ()
    rng: random.Random = field(default_factory=random.Random, repr=False)
    #: How often it has struck.
    struck: int = 0

    def status(
        self,
        code: int,
        retry_after: float | str | None = None,
        body: Any = None,
        html: bool = False,
        after_effect: bool = False,
        error: str | None = None,
        message: str | None = None,
        context: dict[str, Any] | None = None,
    ) -> Fault:
        """Answer with this status; `after_effect` does the work all the same.

        error, message, context: Box's code, words and `context_info`. A 401 and error="insufficient_scope" come as
        Box sends them, which is without a body while `empty_auth_bodies` is set.
        """
        self.effect.message, self.effect.context = message, context
        self.effect.status, self.effect.code, self.effect.body = code, error, body
        self.effect.html, self.effect.after_effect = html, after_effect
        self.effect.retry_after = None if retry_after is None else str(retry_after)
        return self

    def delay(self, seconds: float) -> Fault:
        """Wait before the call is done."""
        self.effect.delay_seconds = seconds
        return self

    def reset(self, when: str = "before_effect") -> Fault:
        """Drop the connection, "before_effect" or "after_effect"."""
        if when not in {"before_effect", "after_effect"}:
            raise ValueError(f"reset is before_effect or after_effect, not {when!r}")
        self.effect.reset = when
        return self

    def truncate(self) -> Fault:
        """Send half of the answer, then drop the connection."""
        self.effect.truncate = True
        return self

    def wrong_digest(self) -> Fault:
        """Store other bytes than were sent, and answer with their digest."""
        self.effect.wrong_digest = True
        return self

    def wrong_answer(self) -> Fault:
        """Do what was asked, and name another sha1 in the answer than what is stored."""
        self.effect.wrong_answer = True
        return self

    def expire_token(self) -> Fault:
        """Let the call's token expire just before it is looked at."""
        self.effect.expire_token = True
        return self

    def times(self, count: int | None) -> Fault:
        """Strike this often; None strikes for ever."""
        self.remaining = count
        return self

    def nth(self, number: int) -> Fault:
        """Let `number - 1` matching calls pass first."""
        self.skip = number - 1
        return self

    def about(self, subject: str) -> Fault:
        """Strike only calls that mention this id, name or login, in the path or in the body."""
        self.subject = subject
        return self

    def by(self, user_id: str) -> Fault:
        """Strike only calls of this user, by the token that they carry."""
        self.subject = f"by {user_id}"
        return self

    def matches(self, route: str, mentions: Callable[[str], bool] = _nothing) -> bool:
        """The pattern is the route's template, or a glob over templates; the subject is mentioned."""
        if self.pattern not in {"*", route} and not fnmatchcase(route, self.pattern):
            return False
        return self.subject is None or mentions(self.subject)

    def strike(self) -> Effect | None:
        """The effect for one matching call, or None when this rule lets it pass."""
        if self.remaining is not None and self.struck >= self.remaining:
            return None
        if self.skip > 0:
            self.skip -= 1
            return None
        if self.probability is not None and self.rng.random() >= self.probability:
            return None
        self.struck += 1
        return _effect_of(self.rng.choice(self.kinds)) if self.kinds else self.effect

    @property
    def spent(self) -> bool:
        """It will not strike again."""
        return self.remaining is not None and self.struck >= self.remaining


class Faults:
    """The rules in force, tried in the order in which they were made."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []
        #: Folders out of sight, by id: how many calls still meet them as absent; None is for ever.
        self.hidden: dict[str, int | None] = {}

    def next(self, pattern: str) -> Fault:
        """A rule for the next matching call; chain what happens."""
        fault = Fault(pattern)
        self.rules.append(fault)
        return fault

    def hide(self, folder_id: str, calls: int | None = 1) -> None:
        """Let the folder and all below it be out of sight: 404 for so many calls, in no listing meanwhile.

        None hides it until `show`. Its name stays taken.
        """
        self.hidden[folder_id] = calls

    def show(self, folder_id: str) -> None:
        """Let a hidden folder be seen again."""
        self.hidden.pop(folder_id, None)

    def random(
        self,
        seed: int,
        probability: float,
        route: str = "*",
        kinds: tuple[str, ...] | list[str] = ("503", "reset_after", "truncate"),
        times: int | None = None,
    ) -> Fault:
        """A rule that strikes by chance, the same way for the same seed and order of calls."""
        for kind in kinds:
            _effect_of(kind)
        fault = Fault(
            route, remaining=times, probability=probability, kinds=tuple(kinds), rng=random.Random(seed)
        )
        self.rules.append(fault)
        return fault

    def find(self, route: str, mentions: Callable[[str], bool] = _nothing) -> Effect | None:
        """The effect for a call of this route, or None; `mentions` says whether the call is about something."""
        for fault in self.rules:
            if fault.matches(route, mentions) and (effect := fault.strike()) is not None:
                if fault.spent:
                    self.rules.remove(fault)
                return effect
        return None

    def clear(self) -> None:
        """Forget all rules; everything is in sight again."""
        self.rules.clear()
        self.hidden.clear()

    def load(self, description: dict[str, Any]) -> Fault | None:
        """A rule out of JSON: `route`, `about`, any field of `Effect`, `times`, `nth`.

        Or `seed`, `probability`, `kinds` for one that strikes by chance; or `hide` (a folder's id) and `times`.
        """
        values = dict(description)
        if "hide" in values:
            self.hide(values.pop("hide"), values.pop("times", 1))
            return None
        route = values.pop("route", "*")
        times, nth = values.pop("times", 1), values.pop("nth", 1)
        if "probability" in values:
            return self.random(
                values.pop("seed", 0), values.pop("probability"), route, values.pop("kinds", KINDS), times
            )
        subject = values.pop("about", None)
        fault = Fault(route, subject, Effect(**values)).times(times).nth(nth)
        self.rules.append(fault)
        return fault


def _effect_of(kind: str) -> Effect:
    if kind.isdigit() and len(kind) == 3:
        return Effect(status=int(kind), retry_after="1" if kind in {"429", "503"} else None)
    table = {
        "html": Effect(status=502, html=True),
        "delay": Effect(delay_seconds=0.2),
        "reset_before": Effect(reset="before_effect"),
        "reset_after": Effect(reset="after_effect"),
        "after_effect": Effect(status=500, after_effect=True),
        "truncate": Effect(truncate=True),
        "expire_token": Effect(expire_token=True),
        "wrong_digest": Effect(wrong_digest=True),
        "wrong_answer": Effect(wrong_answer=True),
        "429_bare": Effect(status=429),
        "403_retry_after": Effect(status=403, code="forbidden", retry_after="1"),
        "413_html": Effect(status=413, html=True),
    }
    if kind not in table:
        raise ValueError(f"unknown kind of fault {kind!r}; known: {', '.join(KINDS)}")
    return table[kind]
