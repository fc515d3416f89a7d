"""Spelling: the trees of a plan as the share spells their names."""

from __future__ import annotations

from connectors.errors import ItemError
from connectors.source import Source
from flows.plan.model import MigrationPlan
from flows.words import normal_form


def as_the_share_spells(plan: MigrationPlan, source: Source) -> MigrationPlan:
    """Return the plan with its trees' sources spelled as the share has them; their folders in Box stay the same.

    Asks for names beyond ASCII alone. What the share does not have stays as it was written. Raises FatalError.
    """
    listed: dict[str, dict[str, str]] = {}
    trees = [
        tree
        if tree.source.isascii()
        else tree.model_copy(
            update={"source": spelled_in_share(source, tree.source, listed), "folder": tree.box_path}
        )
        for tree in plan.trees
    ]
    return plan.model_copy(update={"trees": trees})


def spelled_in_share(source: Source, path: str, listed: dict[str, dict[str, str]]) -> str:
    """Return the path as the share has it: as written where that is there, else what is the same name.

    `listed`: names in the folders that were listed so far; each is listed once.
    """
    try:
        source.stat(path)
        return path
    except ItemError:
        pass
    folder = ""
    for name in path.split("/"):
        folder = f"{folder}/{name if name.isascii() else _name_in(source, folder, name, listed)}".lstrip("/")
    return folder


def _name_in(source: Source, folder: str, name: str, listed: dict[str, dict[str, str]]) -> str:
    if folder not in listed:
        try:
            names = [entry.name for entry in source.list_folder(folder)]
        except ItemError:
            names = []
        # The first of those that are the same name; but for one that is written just so.
        listed[folder] = {normal_form(each): each for each in reversed(names)} | {
            each: each for each in names
        }
    return listed[folder].get(name) or listed[folder].get(normal_form(name), name)
