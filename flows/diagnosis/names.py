"""Names: those of files and people, replaced so that a document still says what belongs together. Pure."""

from __future__ import annotations

import re
from typing import Any

#: Keys whose texts are words of the program's own; any other text may be a name.
_OURS = re.compile(
    r"state|status|kind|role|method|binding|(incomplete_)?reason|tier|mode|verify|(tree_)?state|at|\w+_at"
    r"|version|schema(_of_program)?|access|moves|touched|deletions|in_box|max_delete|untouched|found_by"
)

#: Below these keys each text is of the program's own.
_OURS_BELOW = frozenset({"query_plans", "settings", "packages", "machine", "environment"})

_CHECK_NAME = re.compile(r"checks\.\d+\.name")


class Names:
    """Gives each text another name, the same one each time."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def hidden(self, document: Any, key: str = "") -> Any:
        """Return a document in which every text that may be a name is another one; numbers and keys stay."""
        if isinstance(document, dict):
            return {name: self.hidden(value, f"{key}.{name}".lstrip(".")) for name, value in document.items()}
        if isinstance(document, list):
            return [self.hidden(value, f"{key}.{number}") for number, value in enumerate(document)]
        if not isinstance(document, str) or not document or _is_ours(key):
            return document
        return self._given.setdefault(document, f"name-{len(self._given) + 1}")


def _is_ours(key: str) -> bool:
    *above, last = key.split(".")
    return bool(_OURS.fullmatch(last) or _CHECK_NAME.fullmatch(key)) or not _OURS_BELOW.isdisjoint(above)
