"""Advice: what a person can do about entries that failed, by reason. Pure."""

from __future__ import annotations

from state.statuses import DIFFERENT_IN_BOX, FOLDER_EMPTIED, GONE_FROM_BOX, UNFORESEEN

_RUN_AGAIN = "Run boxhaul migrate again"

#: Reason code → what to do. What has none is told by its line in the list of failed entries.
ADVICE = {
    "access_denied": "Give the account read access (Backup Operators, or a read-only share), then run boxhaul retry.",
    "folder_moved_in_box": "Somebody moved its folder in Box out of its tree. Move it back, then run boxhaul retry.",
    "changed_in_box": "Somebody edited it in Box. Move or rename theirs there, then run boxhaul retry; or waive it.",
    "changed_while_reading": f"{_RUN_AGAIN} when nobody works on it: at night, or in a window of the plan.",
    "connection_lost": f"{_RUN_AGAIN}; if it stays, look at the network between this machine and the server.",
    "destination_gone": "Restore the folder in Box, or the account's access to it, then run boxhaul retry.",
    DIFFERENT_IN_BOX: f"Box holds other content than was sent. {_RUN_AGAIN}; boxhaul verify names who changed it.",
    "digest_mismatch": f"{_RUN_AGAIN}: the file is sent once more and compared again.",
    FOLDER_EMPTIED: "See whether it was really emptied or taken away; if so say source: {may_be_empty: true}.",
    GONE_FROM_BOX: f"It is not in Box any more. {_RUN_AGAIN}, or waive it if it was removed on purpose.",
    "item_error": "Read its line in the list, then run boxhaul retry or boxhaul waive.",
    "locked": "Have the program closed that holds it open, then run boxhaul retry.",
    "locked_in_box": "Have it unlocked in Box by whoever locked it there, then run boxhaul retry.",
    "name_awaited": "Rename in Box the file that has this name, then run boxhaul retry.",
    "name_in_use": "Something else in Box has this name: move or rename that, then run boxhaul retry.",
    "name_rejected": "Rename it in the share, then run boxhaul migrate; or waive it.",
    "not_a_file": "It holds no content: exclude it by a rule of the plan, or waive it.",
    "not_found": f"It went away while the share was read. {_RUN_AGAIN}.",
    "not_permitted": "Give the service account editor or co-owner on the folder in Box, then run boxhaul retry.",
    "offline": "Say source: {options: {recall_offline: true}} to have it recalled from the archive, or waive it.",
    "path_forbidden": "Rename it in the share: this path could lead to another entry.",
    "path_refused": "Shorten or rename the path on the server, then run boxhaul migrate.",
    "rate_limited": f"{_RUN_AGAIN}: Box had too many requests, also from other programs of the account.",
    "read_failed": "Look at the disk behind the share; its bytes cannot be read. Then run boxhaul retry.",
    "rejected": "Read what Box says in the list of failed entries; rename or waive the entry.",
    "request_too_large": "Raise the limit of the proxy on the way to Box, then run boxhaul retry.",
    "server_busy": f"{_RUN_AGAIN} later: the server was too busy.",
    "too_large": "It is larger than Box stores for this owner: raise the limit there, split it, or waive it.",
    "transient": f"{_RUN_AGAIN}.",
    "unclassified": "Look at it on the server, then exclude it by a rule of the plan, or waive it.",
    UNFORESEEN: "Look into the log of the run, which has the whole of the error, and report it.",
    "way_refused": "Ask a Box admin what forbids new versions, or upload sessions; then run boxhaul migrate.",
}


def advice_for(reason: str) -> str:
    """What to do about entries that failed for this reason."""
    return ADVICE.get(reason, ADVICE["item_error"])
