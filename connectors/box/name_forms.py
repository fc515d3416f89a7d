"""What Box has refused in names during this run: later names leave in the form that it took. No HTTP here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from connectors.box.client.refusal import code_of
from connectors.box.names import Offence, escape_offences
from connectors.entry import EntryKind
from connectors.errors import NameRejected

T = TypeVar("T")

#: Box's code for a name whose characters it does not take; other refusals of names are not mended by escaping.
INVALID = "item_name_invalid"


class NameForms:
    """The offences that Box is known to refuse. Safe for many threads: what two of them learn adds up."""

    def __init__(self) -> None:
        self._refused: frozenset[Offence] = frozenset()

    def send(self, name: str, kind: EntryKind, send: Callable[[str], T]) -> T:
        """Call `send` with the name as Box takes it, and once with each stricter form that differs while it refuses.

        The form that was taken is remembered. Raises what `send` raised; NameRejected of the first form when Box
        takes none.
        """
        escaped = set(self._refused)
        tried = escape_offences(name, escaped, kind)
        try:
            return send(tried)
        except NameRejected as exc:
            if code_of(exc) != INVALID:
                raise
            refusal = exc
        for offence in Offence:
            escaped.add(offence)
            stricter = escape_offences(name, escaped, kind)
            if stricter == tried:
                continue
            tried = stricter
            try:
                answer = send(tried)
            except NameRejected:
                continue
            self._refused |= {offence}
            return answer
        raise refusal
