"""Selection: which files a simulated pass looks at and sends, by the flags that `migrate` has for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from flows.plan.filters import FilterPlan, FilterRules
from flows.plan.since import since as parse_since
from flows.transfer.choosing import require_alone
from flows.transfer.quick import QuickLook


@dataclass(frozen=True, kw_only=True)
class Selection:
    """As of a whole pass, where nothing is said."""

    #: What is sent; the rest stays pending. None: all of it.
    filters: FilterRules | None = None
    #: What a quick pass looks at; None: a whole pass.
    quick: QuickLook | None = None
    #: Every file is read again.
    reads_all: bool = False

    @property
    def is_whole(self) -> bool:
        """True for a pass that sends all that is new or changed, and follows deletions."""
        return self.filters is None and self.quick is None

    def takes(self, path: str, size: int, modified_ns: int | None) -> bool:
        """Tell whether this file is sent, if it is to be sent at all."""
        return self.filters is None or self.filters.takes(path, size, modified_ns)


def selection_of(filters: FilterPlan | None, since: str, *, checksum: bool) -> Selection:
    """What these flags of `migrate` choose. PlanError for flags that exclude each other, and for no moment."""
    require_alone(filters, workers=0, checksum=checksum)
    moment = parse_since(since, datetime.now(UTC))
    return Selection(
        filters=None if filters is None else FilterRules(filters),
        quick=None if moment is None else QuickLook(moment),
        reads_all=checksum,
    )
