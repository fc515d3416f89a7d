"""Every flag of every command has a test that shows what it does: this table names it, and the test names the flag."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
import typer

from flows.cli import app
from flows.cli.local_box import command_line

TESTS = Path(__file__).parents[1]

#: Of the options that `migrate`, `simulate` and `retry` share.
_FORETOLD = "acceptance/test_simulate.py::test_a_part_is_foretold"
_FILTERS = "acceptance/test_filters.py::test_a_run_sends_what_its_filters_let_through"
_LOG = "acceptance/test_logging.py::test_json_lines_in_a_file_of_ones_own"
_INIT = "acceptance/test_init.py::test_flags_instead_of_questions"
_FIVE = "acceptance/test_init.py::test_five_questions_make_a_plan_that_passes_check"
_DRY_RUN = (
    "acceptance/account/test_collaborate_command.py::test_dry_run_is_shown_before_anything_is_taken_away"
)
_SANDBOX = "integration/sandbox/test_command.py::test_every_flag_is_in_force"
_CONTENTS = "integration/sandbox/test_persistence.py::test_process_ends_on_sigterm"
_HELD_FILTERS = (
    "--include", "--exclude", "--filter-from", "--ignore-case", "--min-size", "--max-size", "--min-age", "--max-age",
)  # fmt: skip
_NUMBERS = (
    "--uploads-per-minute", "--calls-per-minute", "--window-seconds", "--latency-seconds", "--bytes-per-second",
    "--space-amount", "--max-upload-size", "--part-size", "--commit-202-rounds", "--tls", "--validate", "--config",
)  # fmt: skip

#: Command → option → the test. Of an option with several spellings (--check, --no-check; -v) one is enough.
SHOWN_BY: dict[str, dict[str, str]] = {
    "": {
        "--version": "integration/test_wheel.py::test_version_is_that_of_pyproject",
        "--install-completion": "integration/test_readers.py::test_bash_completes",
        "--show-completion": "integration/test_readers.py::test_bash_completes",
    },
    "check": {
        "--set-space": "acceptance/account/test_check.py::test_set_space_raises_it_where_permitted",
        "--notify": "acceptance/test_notify.py::test_check_sends_a_test_message",
        "--json": "acceptance/account/test_check.py::test_command_speaks_json_and_chooses_the_exit_code",
    },
    "collaborate": {
        "--prune": _DRY_RUN,
        "--dry-run": "acceptance/test_notify.py::test_people_who_are_let_in_and_who_fail_are_told",
        "--json": "acceptance/account/test_collaborate.py::test_nobody_is_let_in_while_a_tree_is_incomplete",
    },
    "cutover": {
        "--quiet": "acceptance/test_cutover.py::test_from_the_rehearsal_to_the_reopening",
        "--freeze-command": "acceptance/test_cutover.py::test_command_that_freezes",
        "--rehearse": "acceptance/test_cutover.py::test_from_the_rehearsal_to_the_reopening",
        "--accept": "acceptance/test_cutover.py::test_verification_that_differs_is_refused",
        "--yes": "acceptance/test_cutover.py::test_command_that_freezes",
        "--anew": "acceptance/test_cutover.py::test_cutover_of_another_day_begins_again",
        "--who": "acceptance/test_cutover.py::test_from_the_rehearsal_to_the_reopening",
        "--give-up": "acceptance/test_cutover.py::test_nothing_else_moves_the_trees_meanwhile",
    },
    "demo": {"--folder": "acceptance/test_demo.py::test_demo_is_killed_resumed_and_complete"},
    "deploy": {
        "--start": "acceptance/prefect/test_newcomer.py::test_from_nothing_to_the_first_run",
        "--suffix": "acceptance/prefect/test_nightly.py::test_deploying_again_takes_nothing_from_anybody",
        "--notify": "acceptance/prefect/test_watch.py::test_findings_are_events",
    },
    "doctor": {
        "--out": "acceptance/test_doctor.py::test_plan_that_cannot_be_read",
        "--no-names": "acceptance/test_doctor.py::test_no_names",
        "--patience": "acceptance/test_doctor.py::test_nobody_answers",
    },
    "identities": {"--json": "acceptance/account/test_identities.py::test_command_makes_lists_and_retires"},
    "init": {
        "--source": _INIT,
        "--username": _FIVE,
        "--box-config": "acceptance/test_init.py::test_without_a_box_the_plan_is_one_to_rehearse",
        "--landing": _INIT,
        "--name": _INIT,
        "--schema": "acceptance/test_init.py::test_schema_is_that_of_the_plans_that_pass",
    },
    "inventory": {
        "--csv": "acceptance/test_inventory.py::test_everything_planted_is_listed_once",
        "--hashes": "acceptance/test_inventory.py::test_what_only_some_shares_show",
        "--json": "acceptance/test_inventory.py::test_everything_planted_is_listed_once",
    },
    "migrate": {
        "--tree": "acceptance/test_chosen_trees.py::test_run_of_one_tree_leaves_the_failures_of_another",
        "--window": "acceptance/prefect/test_states.py::test_what_is_not_complete_is_never_told_as_complete",
        "--workers": "acceptance/prefect/test_many_workers.py::test_the_option_starts_senders",
        "--check": "acceptance/test_faults_decided.py::test_file_that_keeps_failing_is_parked_then_waived",
        "--new-checkpoint": "acceptance/test_checkpoint_belongs.py::test_begin_anew_moves_everything",
        "--checksum": "acceptance/test_changed_dates.py::test_checksum_finds_what_no_time_tells",
        "--since": "acceptance/test_quick_pass.py::test_only_what_is_recent_is_looked_at",
        "--dry-run": "acceptance/test_simulate.py::test_a_person_reads_it",
        "--bwlimit": "acceptance/test_pace.py::test_bwlimit_of_a_run",
        "--threads": "acceptance/test_pace.py::test_threads_of_a_run",
        **dict.fromkeys(_HELD_FILTERS, _FILTERS),
        "--verbose": _LOG,
        "--quiet": "acceptance/test_logging.py::test_quiet_and_usual",
        "--log-file": _LOG,
        "--log-format": _LOG,
        "--metrics": "acceptance/test_metrics.py::test_prometheus_scrapes_a_run_and_answers_the_dashboard",
        "--reopen": "acceptance/test_cutover.py::test_from_the_rehearsal_to_the_reopening",
        "--why": "acceptance/test_cutover.py::test_from_the_rehearsal_to_the_reopening",
    },
    "rehearse": {
        "--sample": "acceptance/test_rehearse.py::test_next_rehearsal_begins_clean",
        "--limits": "acceptance/test_rehearse.py::test_next_rehearsal_begins_clean",
        "--tree": "acceptance/test_rehearse.py::test_what_fails_is_said",
        "--folder": "acceptance/test_rehearse.py::test_what_fails_is_said",
        "--line-speed": "acceptance/test_rehearse.py::test_next_rehearsal_begins_clean",
        "--json": "acceptance/test_rehearse.py::test_what_fails_is_said",
    },
    "report": {
        "--out": "acceptance/test_watch.py::test_every_kind_of_deed",
        "--plain": "acceptance/test_watch.py::test_every_kind_of_deed",
        "--removable": "acceptance/test_archive.py::test_what_may_go",
        "--manifest": "acceptance/test_manifest.py::test_every_entry_with_its_proof",
        "--sign": "acceptance/test_manifest.py::test_key_of_ones_own",
        "--upload": "acceptance/test_report_in_box.py::test_each_tree_has_its_own",
    },
    "retry": {
        "--reason": "acceptance/test_chosen_trees.py::test_retry_of_one_reason_tries_nothing_else",
        "--tree": "acceptance/test_chosen_trees.py::test_run_of_one_tree_leaves_the_failures_of_another",
        "--check": "acceptance/test_faults_decided.py::test_file_that_keeps_failing_is_parked_then_waived",
        **dict.fromkeys(("--verbose", "--quiet", "--log-file", "--log-format"), _LOG),
    },
    "sandbox": {
        **dict.fromkeys(_NUMBERS, _SANDBOX),
        "--data": "integration/sandbox/test_persistence.py::test_killed_process_forgets_nothing",
        **dict.fromkeys(("--keep-content", "--hash-only", "--memory-bytes"), _CONTENTS),
        "--port": "integration/sandbox/test_command.py::test_a_used_port_is_one_line",
        "--plan": "acceptance/test_rehearse.py::test_sandbox_knows_a_plan",
    },
    "simulate": {
        "--tree": _FORETOLD,
        "--line-speed": "acceptance/test_simulate.py::test_a_person_reads_it",
        "--window": "acceptance/test_simulate.py::test_a_person_reads_it",
        "--probe": "acceptance/test_simulate.py::test_probe_leaves_nothing",
        **dict.fromkeys(("--checksum", "--since", *_HELD_FILTERS), _FORETOLD),
        "--json": _FORETOLD,
    },
    "status": {
        "--watch": "acceptance/test_status.py::test_watch_shows_what_changes",
        "--every": "acceptance/test_status.py::test_watch_shows_what_changes",
        "--json": "acceptance/test_status.py::test_a_folder_of_plans",
    },
    "unwaive": {"--who": "acceptance/test_faults_give_up.py::test_waiver_is_taken_back"},
    "verify": {
        "--tree": "acceptance/test_verify.py::test_sample_says_how_sure_it_makes",
        "--source": "acceptance/test_verify.py::test_every_planted_difference_is_found_and_named",
        "--deep": "acceptance/test_verify.py::test_sample_says_how_sure_it_makes",
        "--sample": "acceptance/test_verify.py::test_sample_says_how_sure_it_makes",
        "--dates": "acceptance/test_verify.py::test_bytes_of_the_share_are_read_again",
        "--csv": "acceptance/test_verify.py::test_every_planted_difference_is_found_and_named",
        "--manifest": "acceptance/test_manifest.py::test_against_box",
        "--key": "acceptance/test_manifest.py::test_against_box",
        "--json": "acceptance/test_manifest.py::test_against_box",
    },
    "waive": {
        "--why": "acceptance/test_faults_give_up.py::test_waived_items_complete_their_tree",
        "--who": "acceptance/test_faults_decided.py::test_file_that_keeps_failing_is_parked_then_waived",
        "--pending": "acceptance/test_faults_give_up.py::test_what_was_never_tried_is_waived_only_when_asked_for",
    },
    "watch": {
        "--once": "acceptance/test_notify.py::test_what_watch_finds_is_told_together",
        "--share": "acceptance/test_watch_share.py::test_what_waits_is_told_once",
        "--every": "acceptance/test_watch.py::test_line_for_a_person",
        "--json": "acceptance/test_watch.py::test_deeds_of_three_people_over_two_kills",
    },
}


def options() -> dict[tuple[str, str], frozenset[str]]:
    """Each option of each command under its first spelling, with all of them; --help is the library's."""
    program = typer.main.get_command(app)
    commands = {"": program, **program.commands}  # type: ignore[attr-defined]
    found = {
        (name, each.opts[0]): frozenset([*each.opts, *each.secondary_opts])
        for name, command in commands.items()
        for each in command.params
        if each.param_type_name == "option"
    }
    found |= {
        ("sandbox", each.option_strings[-1]): frozenset(each.option_strings)
        for each in command_line()._actions
    }
    return {key: spellings for key, spellings in found.items() if "--help" not in spellings}


OPTIONS = options()


@cache
def parts(file: Path) -> dict[str, str]:
    """The functions and constants at the top of a test file, as text."""
    text = file.read_text(encoding="utf-8")
    lines, found = text.splitlines(), {}
    for node in ast.parse(text).body:
        names = [getattr(node, "name", "")]
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [each.id for each in targets if isinstance(each, ast.Name)]
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        found |= dict.fromkeys(names, "\n".join(lines[first - 1 : node.end_lineno]))
    return found


def test_the_table_has_every_option() -> None:
    """And no other: a new option needs a test before it is one."""
    table = {(command, option) for command, shown in SHOWN_BY.items() for option in shown}
    assert set(OPTIONS) == table


@cache
def said_by(file: str, name: str) -> frozenset[str]:
    """The words that a test says, or a helper or constant beside it that it uses; what a docstring says is none."""
    there = parts(TESTS / file)
    assert name.startswith("test_")
    assert name in there, f"{file} has no {name}"
    waiting, seen, said = [name], set[str](), set[str]()
    while waiting:
        if (each := waiting.pop()) in seen:
            continue
        seen.add(each)
        nodes = list(ast.walk(ast.parse(there[each])))
        told = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        texts = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in told]
        said |= {word.strip("'\";)") for text in texts if isinstance(text, str) for word in text.split()}
        waiting += [node.id for node in nodes if isinstance(node, ast.Name) and node.id in there]
    return frozenset(said)


@pytest.mark.parametrize("command", SHOWN_BY)
def test_a_test_shows_what_each_does(command: str) -> None:
    """The test exists, and says the option in one of its spellings, as one word or within a line for a shell."""
    for option, test in SHOWN_BY[command].items():
        file, _, name = test.partition("::")
        assert OPTIONS[command, option] & said_by(file, name), f"{test} never says {option}"
