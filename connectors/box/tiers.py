"""Tiers: what an enterprise has bought of Box: the largest file, and calls of the API in a month. Pure.

Published numbers; what Box says of the account itself (`max_upload_size`) comes before them wherever it is known.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Tier(StrEnum):
    """Box's plans, as its price list names them."""

    BUSINESS = "business"
    BUSINESS_PLUS = "business plus"
    ENTERPRISE = "enterprise"
    ENTERPRISE_PLUS = "enterprise plus"
    ENTERPRISE_ADVANCED = "enterprise advanced"


class TierLimits(NamedTuple):
    """What one tier allows."""

    #: Bytes of one file.
    largest_file: int
    #: Calls of the API in a month, of the whole enterprise; further ones are bought.
    calls_per_month: int


_GB = 10**9

LIMITS = {
    Tier.BUSINESS: TierLimits(5 * _GB, 50_000),
    Tier.BUSINESS_PLUS: TierLimits(15 * _GB, 50_000),
    Tier.ENTERPRISE: TierLimits(50 * _GB, 100_000),
    Tier.ENTERPRISE_PLUS: TierLimits(150 * _GB, 100_000),
    Tier.ENTERPRISE_ADVANCED: TierLimits(500 * _GB, 200_000),
}
