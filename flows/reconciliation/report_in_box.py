"""The report in Box: `boxhaul report --upload`, and each run of a plan that says so, puts it beside the content,
where nobody sees more than they may.

The report of a plan names every tree and its people: it goes into the landing folder, and not where somebody of a tree
is let in. Into a tree's folder goes a report of that tree alone. What was put there is written down, so that the
next one is a new version of it, and so that `verify` does not take it for somebody else's. A file of that name that is
not ours, or that somebody else wrote a version of, is left as it is: ours gets another name.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from connectors.box.names import fitted
from connectors.box.types import Collaboration, Receipt, Upload
from connectors.entry import NO_STREAMS, Streams
from connectors.errors import DestinationGone, ItemError, NameInUse, PermissionMissing
from connectors.source import SourceFile
from flows.errors import PlanError
from flows.plan.model import MigrationPlan
from flows.plan.report import ReportPlan, UploadTo
from flows.reporting.report import write_report
from flows.sharing.access import Access, budget_held, collaborator_spec, open_access
from flows.sharing.own_files import OwnFiles
from state.errors import LeaseHeld
from state.records import TreeRecord

#: What of a report is put into Box, and what it is called there.
PARTS = {"report.html": "boxhaul report of {}.html", "items.csv": "boxhaul items of {}.csv"}

#: Names that are tried where those before are somebody else's.
NAMES = 20

Say = Callable[[str], object]


def upload_reports(
    plan: MigrationPlan, *, plain: bool, say: Say, spares_closed: bool = False
) -> tuple[list[str], bool]:
    """Write the report that the plan says and put it into Box; return what was put where, a line each, and whether
    that is all. `spares_closed`: nothing goes into trees that were handed over.

    PlanError where somebody of a single tree would see the whole plan's, where nothing is known of the plan, and while
    a run of it uses the account.
    """
    wanted = plan.report or ReportPlan()
    try:
        with open_access(plan) as opened, budget_held(opened) as access:
            uploading = _Uploading(access, plain=plain, say=say, spares_closed=spares_closed)
            is_of_trees = wanted.upload_to is UploadTo.TREE
            lines = list(uploading.of_each_tree() if is_of_trees else uploading.of_the_plan())
            return lines, uploading.is_whole
    except LeaseHeld as exc:
        raise PlanError(f"--upload: {exc}; upload the report when that is over") from exc


class _OwnFile(io.FileIO):
    """A file that was written here, as an upload reads it."""

    @property
    def streams(self) -> Streams:
        """It has none."""
        return NO_STREAMS


class _Uploading:
    """Reports of one plan on their way."""

    def __init__(self, access: Access, *, plain: bool, say: Say, spares_closed: bool) -> None:
        self._access, self._plain, self._say = access, plain, say
        self._spares_closed = spares_closed
        self._plan_name = access.plan.checkpoint_name
        self._own = OwnFiles(access.checkpoint, access.box, self._plan_name)
        #: False once the report of a tree was not put into Box.
        self.is_whole = True

    def of_the_plan(self) -> Iterator[str]:
        """The whole report, into the landing folder."""
        folder_id = self._access.plan.box.landing_folder_id
        if folder_id != "0":  # nobody is let into the account's own root
            self._refuse_people_of_trees(folder_id)
            if (access := self._access.box.landing_folder().link_access) in ("open", "company"):
                self._say(
                    f"the landing folder has a shared link ({access}): whoever has it reads the report, and"
                    " who is let into which tree"
                )
        yield from self._put(folder_id, self._access.plan.name, key="", tree=None)

    def of_each_tree(self) -> Iterator[str]:
        """A report of each tree, into its own folder; of what is not in Box yet there is none."""
        for tree in self._access.checkpoint.trees(self._access.plan_id):
            if tree.box_folder_id is None or (
                self._access.plan.trees and self._access.tree_plan(tree) is None
            ):
                continue
            if self._spares_closed and tree.closed_at is not None:
                continue
            if tree.shared_link is not None:
                self._say(
                    f"{tree.name} has a shared link: whoever has it reads the report, its people among it"
                )
            try:
                yield from self._put(tree.box_folder_id, tree.name, key=str(tree.id), tree=tree)
            except ItemError as exc:  # one tree's business (P11)
                self.is_whole = False
                self._say(f"the report of {tree.name} was not put into Box: {exc}")

    def _refuse_people_of_trees(self, folder_id: str) -> None:
        """PlanError where somebody is let into the landing folder who is let into a tree, or a group."""
        box, account = self._access.box, self._access.box.whoami()
        try:
            grants = box.collaborations(folder_id)
        except (ItemError, PermissionMissing) as exc:
            raise PlanError(
                f"--upload: who is let into the landing folder {folder_id} cannot be seen ({exc}); the report names"
                " every tree and its people. Say report: {upload_to: tree}"
            ) from exc
        others = [grant for grant in grants if grant.accessible_by_id != account.id]
        people = self._people_of_trees()
        for grant in others:
            names = {name.casefold() for name in _names(grant)}
            if grant.accessible_by_type == "group" or names & people:
                raise PlanError(
                    f"--upload: {_shown(grant)} is let into the landing folder {folder_id} and would see every tree and"
                    " its people in the report. Take them out there, or say report: {upload_to: tree}"
                )
        if others:
            self._say(
                f"let into the landing folder, and so able to read it: {', '.join(map(_shown, others))}"
            )

    def _people_of_trees(self) -> set[str]:
        """Everybody whom the plan or an earlier run let into a tree: logins and ids."""
        checkpoint = self._access.checkpoint
        trees = checkpoint.trees(self._access.plan_id)
        specs = [each.spec for tree in trees for each in checkpoint.all_collaborations(tree.id)]
        specs += [
            collaborator_spec(person) for tree in self._access.plan.trees for person in tree.collaborators
        ]
        names = [name for spec in specs for name in (spec.login, spec.user_id, spec.app_user)]
        return {name.casefold() for name in names if name}

    def _put(self, folder_id: str, name: str, *, key: str, tree: TreeRecord | None) -> Iterator[str]:
        with tempfile.TemporaryDirectory(prefix="boxhaul-") as place:
            write_report(
                self._access.plan, Path(place), plain=self._plain, tree=tree, in_box=True, say=self._say
            )
            for part, pattern in PARTS.items():
                box_name = fitted(pattern.format(name.replace("/", " ").replace("\\", " ")), "")
                receipt = self._store(Path(place) / part, folder_id, box_name, f"{key}|{part}")
                yield f"{receipt.name} (file {receipt.file_id}) in folder {folder_id}"

    def _store(self, file: Path, folder_id: str, name: str, key: str) -> Receipt:
        """As a new version of what was put there, if that is as it was left; else under a name that is free."""
        self._own.adopt(key)
        size = file.stat().st_size
        known, _ = self._access.checkpoint.report_in_box(self._plan_name, key)
        with file.open("rb") as content:
            sha1 = hashlib.file_digest(content, hashlib.sha1).hexdigest()
        if known is not None and (etag := self._etag_of_ours(known, folder_id)) is not None:
            item = Upload(folder_id=folder_id, name=known["name"], size=size, file_id=known["id"], etag=etag)
            self._intend(key, item, sha1)
            receipt = self._access.box.put(item, lambda: cast(SourceFile, _OwnFile(file)))
            self._remember(key, receipt, folder_id)
            return receipt
        for number in range(1, NAMES):
            wanted = name if number == 1 else fitted(name, f" ({number})")
            try:
                item = Upload(folder_id=folder_id, name=wanted, size=size)
                self._intend(key, item, sha1)
                receipt = self._access.box.put(item, lambda: cast(SourceFile, _OwnFile(file)))
                if receipt.adopted and not self._own.is_by_us(self._access.box.file_info(receipt.file_id)):
                    raise NameInUse(f"{wanted} is a person's copy")
            except NameInUse:
                self._say(
                    f"{wanted} in folder {folder_id} is not ours, and stays as it is: ours gets another name"
                )
                continue
            self._remember(key, receipt, folder_id)
            return receipt
        raise NameInUse(f"{name} and {NAMES - 2} more names in folder {folder_id} are not ours")

    def _etag_of_ours(self, known: dict[str, Any], folder_id: str) -> str | None:
        """The etag of what was put there; None where it is gone, elsewhere, or has a version that is not ours."""
        try:
            there = self._access.box.file_info(known["id"])
        except DestinationGone:
            return None
        is_ours = there.version_id == known["version"] and there.sha1 == known["sha1"]
        return there.etag if is_ours and there.parent_id == folder_id and not there.trashed else None

    def _intend(self, key: str, item: Upload, sha1: str) -> None:
        """Write down what is about to be sent: a kill may come between Box's answer and the record."""
        intent = {"folder": item.folder_id, "name": item.name, "sha1": sha1}
        self._access.checkpoint.intend_report(self._plan_name, key, intent)

    def _remember(self, key: str, receipt: Receipt, folder_id: str) -> None:
        file = {
            "id": receipt.file_id,
            "version": receipt.version_id,
            "sha1": receipt.sha1,
            "name": receipt.name,
            "folder": folder_id,
        }
        self._access.checkpoint.record_report_in_box(self._plan_name, key, file)


def _names(grant: Collaboration) -> list[str]:
    names = (grant.accessible_by_id, grant.accessible_by_login, grant.invite_email, grant.accessible_by_name)
    return [name for name in names if name]


def _shown(grant: Collaboration) -> str:
    return grant.accessible_by_login or grant.invite_email or grant.accessible_by_name or "somebody"
