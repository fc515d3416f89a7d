"""Checkpoint: every read and write of the database, as sentences. No session escapes it.

The sentences stand by concern in state/statements; what reads a whole plan, streamed, stands in state/reports.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from types import TracebackType

from state.database.engine import PATIENCE_SECONDS, Database
from state.database.schema import bring_to_head
from state.statements.bandwidth import BandwidthStatements
from state.statements.choosing import ChoosingStatements
from state.statements.closing import ClosingStatements
from state.statements.doubt import DoubtStatements
from state.statements.events import EventStatements
from state.statements.folders import FolderStatements
from state.statements.gone import GoneStatements
from state.statements.in_box import InBoxStatements
from state.statements.in_sight import SightStatements
from state.statements.listing import ListingStatements
from state.statements.messages import MessageStatements
from state.statements.moves import MoveStatements
from state.statements.origins import OriginStatements
from state.statements.own_reports import OwnReportStatements
from state.statements.passes import PassStatements
from state.statements.people import PeopleStatements
from state.statements.plans import PlanStatements
from state.statements.recording import RecordingStatements
from state.statements.renames import RenameStatements
from state.statements.sampling import SamplingStatements
from state.statements.sending import SendingStatements
from state.statements.sessions import SessionStatements
from state.statements.sums import SumStatements
from state.statements.surveys import SurveyStatements
from state.statements.uploaders import UploaderStatements
from state.statements.verifying import VerifyingStatements
from state.statements.waiving import WaivingStatements
from state.statements.walking import WalkingStatements
from state.statements.watching import WatchingStatements
from state.statements.workers import WorkerStatements


class Checkpoint(
    PlanStatements,
    OriginStatements,
    PassStatements,
    WorkerStatements,
    ClosingStatements,
    WalkingStatements,
    ListingStatements,
    FolderStatements,
    SendingStatements,
    ChoosingStatements,
    RecordingStatements,
    SessionStatements,
    VerifyingStatements,
    DoubtStatements,
    GoneStatements,
    InBoxStatements,
    MessageStatements,
    MoveStatements,
    RenameStatements,
    SightStatements,
    PeopleStatements,
    UploaderStatements,
    WaivingStatements,
    SumStatements,
    EventStatements,
    SamplingStatements,
    WatchingStatements,
    SurveyStatements,
    OwnReportStatements,
    BandwidthStatements,
):
    """One checkpoint database. Safe for threads; a context manager that closes it.

    Every method is one transaction, repeated by itself while the database is locked, restarts or is away for a
    moment, and raises StateUnavailable when that does not help.
    """

    @classmethod
    def open(
        cls,
        url: str,
        *,
        upgrade: bool = True,
        clock: Callable[[], datetime] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> Checkpoint:
        """Connect, and create or upgrade the schema.

        `url`: sqlite:///file.db (its folder exists) or postgresql+psycopg://…; `clock` tells aware times and is for
        tests; `patience_seconds`: how long a transaction is repeated. Raises StateUnavailable, SchemaAhead, and
        SchemaBehind when `upgrade` is False.
        """
        # A database that is not there at the start is a mistake in the plan: say so at once.
        database = Database(url, patience_seconds=min(patience_seconds, 5.0))
        try:
            bring_to_head(database, upgrade=upgrade)
        except BaseException:
            database.close()
            raise
        database.patience_seconds = patience_seconds
        return cls(database, clock)

    def close(self) -> None:
        """Give back every connection; may be called twice."""
        self.database.close()

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
