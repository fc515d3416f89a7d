"""RootGuard: notices that the share went away or was emptied, before anything of it is blamed or missed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress

from connectors.entry import Entry, moves_as_folder
from connectors.errors import ConnectorError, FatalError, ItemError, ShareEmptied, ShareUnreachable, Stopped
from connectors.source import Source
from state.checkpoint import Checkpoint
from state.records import TreeRecord


class RootGuard:
    """Knows what the folders listed at which trees begin. Safe for threads."""

    def __init__(self, checkpoint: Checkpoint, source: Source, *, may_be_empty: bool) -> None:
        """`may_be_empty`: the plan says that a share which lists nothing was really emptied."""
        self.source = source
        self._checkpoint = checkpoint
        self._may_be_empty = may_be_empty
        self._trees: dict[int, TreeRecord] = {}
        #: By tree, an entry that the folder listed at which the tree begins.
        self._samples: dict[int, Entry] = {}
        self._looking = threading.Lock()

    def take_up(self, trees: Sequence[TreeRecord]) -> None:
        """Guard the roots of these trees from now on."""
        self._trees = {tree.id: tree for tree in trees}

    def require_root(self, tree_id: int) -> None:
        """Look before something of this tree is blamed or missed.

        ShareUnreachable when the root of the share is gone, ShareEmptied when that of the tree suddenly lists nothing.
        """
        try:
            self.source.stat("")
        except (FatalError, Stopped):
            raise
        except ConnectorError as exc:
            raise ShareUnreachable(f"{self.source.display_url}: {exc}") from exc
        tree = self._trees.get(tree_id)
        if tree is None or self._sample_is_there(tree):
            return
        with self._looking:  # one lists, and the others that miss something wait for what it sees
            if not self._sample_is_there(tree):
                with suppress(ItemError):  # the walk records what is wrong with it
                    self.root_lists([tree], tree.source, self.source.list_folder(tree.source))

    def tree_lists(self, tree_id: int, path: str, listing: Sequence[Entry]) -> None:
        """The same as root_lists(), of one of the trees that are guarded."""
        self.root_lists([self._trees[tree_id]] if tree_id in self._trees else [], path, listing)

    def root_lists(self, trees: Sequence[TreeRecord], path: str, listing: Sequence[Entry]) -> None:
        """Take note of what the folder lists at which these trees begin: ShareEmptied for nothing, where entries were
        before."""
        if listing:
            self._samples |= {tree.id: next(filter(moves_as_folder, listing), listing[0]) for tree in trees}
            return
        entries = sum(
            report.items.total for report in self._checkpoint.tree_reports([tree.id for tree in trees])
        )
        if entries and not self._may_be_empty:
            raise ShareEmptied(
                f"{f'{self.source.display_url}/{path}'.rstrip('/')} lists nothing, but had {entries:,} "
                f"{'entry' if entries == 1 else 'entries'} before; is its disk mounted? Nothing was taken for deleted. "
                "If it really was emptied, say so in the plan: source: {may_be_empty: true}"
            )

    def _sample_is_there(self, tree: TreeRecord) -> bool:
        """Cheaper than a listing: a folder of 100,000 entries is not read again for each that is missed."""
        sample = self._samples.get(tree.id)
        if sample is None:
            return False
        try:
            self.source.stat(sample.path)
        except ItemError:
            return False
        return True
