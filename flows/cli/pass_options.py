"""What a pass takes on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

WorkersOption = Annotated[
    int,
    typer.Option(help="More processes that send, over the Prefect work pool; each needs an identity."),
]
CheckOption = Annotated[
    bool, typer.Option("--check/--no-check", help="Stop before sending what would fail; or insist.")
]
NewCheckpointOption = Annotated[
    bool,
    typer.Option(
        "--new-checkpoint",
        help="Begin anew where the checkpoint speaks of another Box, share or tree; what it says is kept.",
    ),
]
ChecksumOption = Annotated[
    bool, typer.Option("--checksum", help="Read every file again; send only what differs from Box.")
]
SinceOption = Annotated[
    str,
    typer.Option(
        help="A quick pass: look only at files that changed since 7d, 12h or a date. It completes no new tree."
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Send nothing; say what would be done, as simulate does.")
]
BandwidthOption = Annotated[
    str,
    typer.Option(
        "--bwlimit", help="Bytes a second at most, or a timetable, as rclone's: 4M, '08:00,4M 20:00,off'."
    ),
]
ThreadsOption = Annotated[int, typer.Option(help="Files in flight at most; 0: as the plan says.")]
ReopenOption = Annotated[
    bool, typer.Option("--reopen", help="Move trees again that a cutover closed; say --why.")
]
WhyReopenOption = Annotated[str, typer.Option("--why", help="With --reopen: who agreed, and why.")]
