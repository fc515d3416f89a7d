"""The trees of a plan: which there are, and what each is called in Box. Lists the top of the share, writes nothing."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import chain, count

from connectors.box.names import box_name, collision_key, plan_names
from connectors.entry import Entry, EntryKind, moves_as_folder
from connectors.source import Source
from flows.plan.model import MigrationPlan
from flows.plan.origin import source_name
from flows.plan.rules import PlanRules
from state.records import TreeRecord, TreeSpec


def tree_specs(plan: MigrationPlan, source: Source, known: Sequence[TreeRecord]) -> list[TreeSpec]:
    """The plan's trees; without any, each top-level folder of the share, and its loose files as one more.

    `known`: the checkpoint's trees, in the order in which they were made. What is one already keeps its name and its
    folder; only what is new gets a name, and none that Box would take for another tree's (P7).
    """
    if plan.trees:
        return [TreeSpec(source=tree.source, folder=tree.box_path, name=tree.box_path) for tree in plan.trees]
    excluded = PlanRules(plan).reason
    top = source.list_folder("")
    folders = [entry for entry in top if moves_as_folder(entry) and excluded(entry) is None]
    kept = _kept_folders(known, {"", *(entry.path for entry in top)})
    taken = list(_taken_folders(known, top, kept))
    planned = plan_names([(entry.name, entry.kind, kept.get(entry.path)) for entry in folders], taken=taken)
    specs = [
        TreeSpec(source=entry.path, folder=planned[entry.name].box_name, name=planned[entry.name].box_name)
        for entry in folders
    ]
    if len(folders) < len(top):
        names = [*taken, *(spec.folder for spec in specs)]
        loose = kept.get("") or loose_files_folder(plan, taken={collision_key(name) for name in names})
        specs.append(TreeSpec(source="", folder=loose, name=loose))
    return specs


def _kept_folders(known: Sequence[TreeRecord], there: Container[str]) -> dict[str, str]:
    """Source → folder of the known trees that the share still has.

    Where one took over another's folder in Box, since it was the same name in another case, it alone has it.
    """
    latest = {tree.source: tree for tree in known if tree.source in there}
    holders: dict[str, TreeRecord] = {}
    for tree in sorted(latest.values(), key=lambda tree: tree.box_folder_id is None):
        holders.setdefault(collision_key(tree.folder), tree)
    return {tree.source: tree.folder for tree in holders.values()}


def _taken_folders(
    known: Sequence[TreeRecord], top: Sequence[Entry], kept: Mapping[str, str]
) -> Iterator[str]:
    """Folders in Box that no new tree gets. Those of what is gone are free for the same name in another case; the
    very name of a known tree never is."""
    wished = {box_name(entry.path, EntryKind.FOLDER): entry.path for entry in top if moves_as_folder(entry)}
    for tree in known:
        gone = tree.source not in kept and tree.source and "/" not in tree.source
        if not gone or wished.get(tree.folder, tree.source) != tree.source:
            yield tree.folder


def taken_over(known: Sequence[TreeRecord], specs: Sequence[TreeSpec]) -> list[TreeRecord]:
    """Known trees whose folder in Box is another one's from now on: in the share their names changed in case only."""
    sources = {spec.source for spec in specs}
    keys = {collision_key(spec.folder) for spec in specs}
    return [tree for tree in known if tree.source not in sources and collision_key(tree.folder) in keys]


def loose_files_folder(plan: MigrationPlan, *, taken: Container[str]) -> str:
    """Name of the folder for files that lie at the top of the share, beside the trees; `taken`: keys of names."""
    last = (source_name(plan) or plan.name).rstrip("/").rpartition("/")[2] or plan.name
    wished = box_name(f"{last} (files)", EntryKind.FOLDER)
    others = (f"{wished} {plan.name} {number}" for number in count(2))
    candidates = chain((wished, f"{wished} {plan.name}"), others)
    return next(name for name in candidates if collision_key(name) not in taken)
