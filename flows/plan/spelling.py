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
    trees = [
        tree
        if tree.source.isascii()
        else tree.model_copy(
            update={"source": spelled_in_share(source, tree.source), "folder": tree.box_path}
        )
        for tree in plan.trees
    ]
    return plan.model_copy(update={"trees": trees})


def spelled_in_share(source: Source, path: str) -> str:
    """Return the path as the share has it: as written where that is there, else what is the same name."""
    try:
        source.stat(path)
        return path
    except ItemError:
        pass
    folder = ""
    for name in path.split("/"):
        folder = f"{folder}/{name if name.isascii() else _name_in(source, folder, name)}".lstrip("/")
    return folder


def _name_in(source: Source, folder: str, name: str) -> str:
    try:
        names = [entry.name for entry in source.list_folder(folder)]
    except ItemError:
        return name
    if name in names:
        return name
    return next((each for each in names if normal_form(each) == normal_form(name)), name)
