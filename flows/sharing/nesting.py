"""Nesting: which trees lie inside the folders of which others. Their folders never change while a plan is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.box.names import path_key
from state.records import TreeRecord


class Nesting:
    """The trees of a plan by their folders in Box. Costs one look at each tree, however many there are."""

    def __init__(self, trees: Sequence[TreeRecord]) -> None:
        self._by_folder: dict[tuple[str, ...], list[int]] = {}
        for tree in trees:
            self._by_folder.setdefault(path_key(tree.folder), []).append(tree.id)
        self._below: dict[int, list[int]] = {}
        for tree in trees:
            for above in self.around(tree.folder.rpartition("/")[0]):
                self._below.setdefault(above, []).append(tree.id)

    def around(self, folder: str) -> list[int]:
        """Return ids of the trees whose folder is this one or one above it, the deepest first."""
        return [tree_id for path in _upwards(path_key(folder)) for tree_id in self._by_folder.get(path, ())]

    def above(self, tree: TreeRecord) -> list[int]:
        """Return ids of the trees in whose folder this one lies, the deepest first."""
        return self.around(tree.folder.rpartition("/")[0])

    def below(self, tree: TreeRecord) -> Sequence[int]:
        """Return ids of the trees that lie in the folder of this one."""
        return self._below.get(tree.id, ())


def _upwards(key: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    while key:
        yield key
        key = key[:-1]
