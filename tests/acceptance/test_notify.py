"""Who is told how a run goes: by mail and by a webhook, without a server of Prefect's."""

from __future__ import annotations

import json
import quopri
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from flows.checks.messages import message_rows
from flows.plan.file import load_plan
from flows.run import notices
from flows.run.notices import Notices, Tone
from tests.acceptance.prefect.chat import Messages
from tests.program import Program, program_for
from tests.servers import free_port
from tests.servers.mail import Mail, MailServer, mail_server
from tests.trees import build_tree

SECRET = "secret-of-the-mailbox"


@pytest.fixture
def mailbox() -> Iterator[MailServer]:
    """A mail server."""
    with mail_server() as server:
        yield server


@pytest.fixture
def chat() -> Iterator[Messages]:
    """A webhook."""
    messages = Messages()
    yield messages
    messages.stop()


def by_mail(server: MailServer) -> str:
    """Its URL for Apprise."""
    return f"mailto://ann:{SECRET}@127.0.0.1:{server.port}/?from=boxhaul@example.com&to=eve@example.com&mode=insecure"


def by_webhook(messages: Messages) -> str:
    """The same; the text is posted under the key that the webhook reads."""
    return f"{messages.url.replace('http://', 'json://')}?:message=text"


@pytest.fixture
def program(tmp_path: Path, box: Sandbox) -> Program:
    """A share of two trees, one with a person, and a plan that tells of it."""
    (tmp_path / "share").mkdir()
    build_tree(tmp_path / "share", {"Accounting": {"a.txt": b"1"}, "Legal": {"c.txt": b"3"}})
    trees = [{"source": "Accounting", "collaborators": [{"login": "ann@example.com"}]}, {"source": "Legal"}]
    source = {"url": (tmp_path / "share").as_uri()}
    return program_for(tmp_path / "run", box, source, trees=trees, notify="${CHAT}")


def text_of(mail: Mail) -> str:
    """What a person reads first."""
    return quopri.decodestring(mail.text.split("text/plain")[1].split("--====")[0].encode()).decode()


def test_mail_and_chat_are_told(
    program: Program, mailbox: MailServer, chat: Messages, tmp_path: Path
) -> None:
    """Complete trees with their people, and the verdict; a second run tells its verdict alone; a stop says why."""
    program.environment["CHAT"] = f"{by_mail(mailbox)}, {by_webhook(chat)}"
    program.write_plan(box=program.plan["box"] | {"calls_per_month": 5})
    first = program.run("migrate")
    assert 0 == first.code, first.output

    mails = "\n".join(text_of(mail) for mail in mailbox.mails)
    for said in ("\n".join(chat.texts), mails):
        assert "tree complete: Accounting; 1 person or group let in" in said
        assert "tree complete: Legal; 0 people and groups let in" in said
        assert "run ended, complete: 2 trees complete, 2 files in Box." in said
        assert "% of the month's Box calls are used up: " in said
        assert " of 5 (box: calls_per_month)" in said
    assert {"boxhaul@example.com"} == {mail.sender for mail in mailbox.mails}
    assert {("eve@example.com",)} == {tuple(mail.recipients) for mail in mailbox.mails}
    assert "Subject: Boxhaul: test" in mailbox.mails[0].text
    assert f"\0ann\0{SECRET}" in mailbox.logins

    chat.texts.clear()
    assert 0 == program.run("migrate").code
    assert ["run ended, complete: 2 trees complete, 2 files in Box."] == chat.texts

    chat.texts.clear()
    shutil.rmtree(tmp_path / "share")
    assert 3 == program.run("migrate").code
    assert 1 == len(chat.texts)
    assert "run stopped, needs a person: " in chat.texts[0]

    kept = b"".join(path.read_bytes() for path in program.folder.rglob("*") if path.is_file())
    assert b"notice: tree complete: Accounting" in kept
    assert SECRET.encode() not in kept
    assert SECRET not in first.output


def test_people_who_are_let_in_and_who_fail_are_told(program: Program, chat: Messages, box: Sandbox) -> None:
    """`collaborate`: a line for each tree that something was done for; a dry run and a run without work tell nobody."""
    program.environment["CHAT"] = by_webhook(chat)
    assert 2 == program.run("collaborate", "--dry-run").code  # no run has begun the plan
    assert [] == chat.texts
    program.run("migrate")
    box.add_user("bob@example.com")
    people = [{"login": "ann@example.com"}, {"login": "bob@example.com", "role": "viewer"}]
    program.write_plan(
        trees=[
            {"source": "Accounting", "collaborators": people},
            {"source": "Legal", "collaborators": [{"group": "Nobodies"}]},
        ]
    )
    chat.texts.clear()
    program.run("collaborate", "--dry-run")
    assert [] == chat.texts
    assert 1 == program.run("collaborate").code
    said = "\n".join(chat.texts)
    assert "people of Accounting: let in bob@example.com as viewer" in said
    assert "people of Legal: could not let in Nobodies: " in said
    assert "ann@example.com" not in said

    program.write_plan(trees=[{"source": "Accounting", "collaborators": people}, {"source": "Legal"}])
    chat.texts.clear()
    assert 0 == program.run("collaborate").code
    assert [] == chat.texts


def test_whom_a_cutover_lets_in_is_told(program: Program, chat: Messages, box: Sandbox) -> None:
    """As `collaborate` tells it, and how many are in; the last pass alone lets nobody in and tells nothing of it."""
    program.environment["CHAT"] = by_webhook(chat)
    program.run("migrate", "--tree", "Legal")
    chat.texts.clear()
    finished = program.run("cutover", "--quiet", "0", "--yes")
    said = "\n".join(chat.texts)
    assert 0 == finished.code, finished.output
    assert "people of Accounting: let in ann@example.com as viewer" in said, said
    assert "cutover: 1 person or group in, 2 trees to close" in said
    assert "tree complete" not in said


def test_what_watch_finds_is_told_together(program: Program, chat: Messages, box: Sandbox) -> None:
    """Drift, access and downloads by outsiders: a line a tree and kind, not one a finding; nothing new tells nobody."""
    program.environment["CHAT"] = by_webhook(chat)
    editor = {"login": "ann@example.com", "role": "editor"}
    program.write_plan(trees=[{"source": "Accounting", "collaborators": [editor]}, {"source": "Legal"}])
    program.run("migrate")
    chat.texts.clear()
    ids = {path: entry["id"] for path, entry in box.tree().items()}
    ann, eve = (
        box.person(box.core.store.logins["ann@example.com"]),
        box.add_user("eve@elsewhere.org", kind="external"),
    )
    for number in range(5):
        ann.upload(f"hers-{number}.txt", b"1", ids["Accounting"])
    ann.edit(ids["Accounting/a.txt"], b"new")
    ann.invite(ids["Accounting"], eve.login, "viewer")
    box.person(eve).accept()
    box.person(eve).download(ids["Accounting/a.txt"])
    box.settings.clock_offset_seconds += 5
    assert 1 == program.run("watch", "--once").code

    said = "\n".join(chat.texts)
    assert len(chat.texts) <= 2, chat.texts
    assert 3 == len(said.splitlines()), said
    assert "changed by people in Box, Accounting: 5 added, 1 edited, by ann@example.com" in said
    assert "access changed in Box, Accounting: let in eve@elsewhere.org as viewer by ann@example.com" in said
    assert "downloaded by outsiders, Accounting: 1 time by eve@elsewhere.org" in said

    chat.texts.clear()
    assert 0 == program.run("watch", "--once").code
    assert [] == chat.texts

    ann.upload("hers-too.txt", b"1", ids["Accounting"])
    box.settings.clock_offset_seconds += 5
    chat.answers.clear()
    assert program.kill_when(lambda: bool(chat.texts), "watch")
    chat.answers.set()
    again = program.run("watch", "--once")
    assert (0, "") == (again.code, again.stdout)  # the one that was killed had printed it
    assert 2 == "\n".join(chat.texts).count("changed by people in Box, Accounting: 1 added"), chat.texts
    assert 0 == program.run("watch", "--once").code


def test_what_a_kill_came_before_is_told_by_the_next_run(program: Program, chat: Messages) -> None:
    """Nothing counts as told before its message was taken: neither what is used up of the month's calls nor trees that
    are complete. The log says it once."""
    program.environment["CHAT"] = by_webhook(chat)
    program.write_plan(box=program.plan["box"] | {"calls_per_month": 5})

    said = (
        "% of the month's Box calls are used up: ",
        "tree complete: Accounting; 1 ",
        "tree complete: Legal; 0 ",
    )

    def logged() -> bool:
        lines = "".join(log.read_text() for log in program.folder.glob("*.log"))
        return all(words in lines for words in said)

    chat.answers.clear()
    assert program.kill_when(logged)
    chat.texts.clear()
    chat.answers.set()
    for _ in range(2):
        assert 0 == program.run("migrate").code
        assert [1, 1, 1] == ["\n".join(chat.texts).count(words) for words in said], chat.texts
    log = "".join(each.read_text() for each in program.folder.glob("*.log"))
    assert [1, 1] == [log.count(f"notice: {words}") for words in said[1:]]


@pytest.mark.filterwarnings("default")  # what Apprise imports
def test_what_was_not_taken_is_not_written_down_as_told(chat: Messages) -> None:
    """`sent` is called when the message has left, and by `flush` at the latest; at once where nobody is to be told."""
    told: list[str] = []
    notices_sent = Notices("test", by_webhook(chat), told.append, told.append)
    notices_sent.tell(Tone.GOOD, "one", logged=False)
    notices_sent.tell(Tone.GOOD, "two", logged=False, sent=lambda: told.append(f"sent {len(chat.texts)}"))
    notices_sent.flush()
    assert told in (["sent 1"], ["sent 2"])
    away = Notices("test", f"json://127.0.0.1:{free_port()}/x", told.append, told.append)
    away.tell(Tone.GOOD, "three", logged=False, sent=lambda: told.append("never"))
    away.flush()
    assert told[-1].startswith("a message by json was not taken")
    Notices("test", None, told.append, told.append).tell(
        Tone.GOOD, "x", logged=False, sent=lambda: told.append("now")
    )
    assert "now" == told[-1]
    for each in (notices_sent, away):
        each.close()


def test_what_a_message_lost_comes_with_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """And with the one after that, until one is taken; then all of it counts as told. What is said of that is said
    once; what is remembered has when the last one was tried."""
    taken, told, bodies = iter([False, True, False, False, True]), list[str](), list[str]()

    def send(url: str, title: str, body: str, tone: Tone) -> bool:
        bodies.append(body)
        return next(taken)

    monkeypatch.setattr(notices, "send", send)
    said, remembered = list[str](), list[bool]()
    chat = Notices("test", "json://nowhere", said.append, said.append)
    chat.remember_with(lambda kinds, taken: remembered.append(taken))
    for text in ("one", "two", "three", "four", "five"):
        chat.tell(Tone.INFO, text, logged=False, sent=partial(told.append, text))
        chat.flush()
    assert ["one", "one\ntwo", "three", "three\nfour", "three\nfour\nfive"] == bodies
    assert ["one", "two", "three", "four", "five"] == told
    assert [False, True, False, False, True] == remembered
    assert 2 == sum("was not taken" in words for words in said)
    assert 2 == said.count("messages by json are taken again")
    chat.close()


def test_many_lines_are_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them counts as told once it is taken, and each is counted, also those that were not kept meanwhile."""
    taken, told, bodies = iter([True, True, False, True]), list[int](), list[str]()

    def send(url: str, title: str, body: str, tone: Tone) -> bool:
        bodies.append(body)
        return next(taken)

    monkeypatch.setattr(notices, "send", send)
    chat = Notices("test", "json://nowhere", lambda words: None, lambda words: None)
    chat.tell(Tone.INFO, "first")
    chat.flush()
    for lines in (1_000, 1_000, 1):
        for number in range(lines):
            chat.tell(Tone.INFO, str(number), sent=partial(told.append, number))
        chat.flush()
    chat.close()

    assert [*range(1_000), *range(800, 1_000), 0] == told
    assert ["first", "and 975 lines before", "and 975 lines before", "and 976 lines before"] == [
        body.partition(",")[0] for body in bodies
    ]


def test_address_that_takes_nothing(program: Program, chat: Messages, box: Sandbox) -> None:
    """Nobody listens there: a run is as complete as without, a watch prints a finding once, and status and check say
    that nobody is told; once somebody listens, he is told of what he missed."""
    program.environment["CHAT"] = f"json://ann:{SECRET}@127.0.0.1:{free_port()}/hook"
    editor = {"login": "ann@example.com", "role": "editor"}
    program.write_plan(trees=[{"source": "Accounting", "collaborators": [editor]}])
    finished = program.run("migrate")
    [log] = program.folder.glob("*.log")
    [line] = [line for line in log.read_text().splitlines() if "was not taken" in line]
    ann = box.person(box.core.store.logins["ann@example.com"])
    ann.invite(box.tree()["Accounting"]["id"], "eve@elsewhere.org", "viewer")
    box.settings.clock_offset_seconds += 5
    watched = [program.run("watch", "--once") for _ in range(2)]
    shown, checked = program.run("status"), program.run("check", "--json")

    assert 0 == finished.code, finished.output
    assert "a message by json was not taken, and goes with the next one; try it: boxhaul check" in line
    assert [1, 0] == [each.code for each in watched], watched
    assert ["eve@elsewhere.org" in each.stdout for each in watched] == [True, False]
    assert " ".join(shown.stdout.split()).count("messages by json are not taken since 20") == 1
    assert "boxhaul check PLAN --notify" in " ".join(shown.stdout.split())
    [row] = [row for row in json.loads(checked.stdout)["checks"] if row["name"] == "messages"]
    assert "warning" == row["state"]
    assert "messages by json are not taken since 20" in row["found"]
    assert SECRET not in log.read_text() + "".join(
        each.output for each in (finished, *watched, shown, checked)
    )

    program.environment["CHAT"] = by_webhook(chat)
    assert 0 == program.run("watch", "--once").code
    assert 1 == "\n".join(chat.texts).count("access changed in Box, Accounting: let in eve@elsewhere.org"), (
        chat.texts
    )
    assert "messages" not in program.run("status").stdout
    assert 0 == program.run("migrate").code
    assert 1 == "\n".join(chat.texts).count("tree complete: Accounting"), chat.texts
    assert 1 == "\n".join(chat.texts).count("let in (on 20"), "when it was, since it may be days ago"


def test_check_sends_a_test_message(program: Program, chat: Messages) -> None:
    """On request alone; what is wrong with a target is a problem."""
    program.environment["CHAT"] = by_webhook(chat)
    rows = {
        row["name"]: row for row in json.loads(program.run("check", "--notify", "--json").stdout)["checks"]
    }
    assert ("ok", "a test message was taken (json)") == (rows["messages"]["state"], rows["messages"]["found"])
    assert ["This is the test message of boxhaul check --notify."] == chat.texts

    program.environment["CHAT"] = f"nonsense://{SECRET}"
    wrong = program.run("check")
    assert 1 == wrong.code
    assert "none that Apprise knows (nonsense)" in " ".join(wrong.stdout.split())
    assert SECRET not in wrong.output


def test_url_in_the_plan_itself_is_refused(program: Program) -> None:
    """It is a secret, whoever reads it may write there; the line does not repeat it."""
    program.write_plan(notify=f"json://ann:{SECRET}@host/x")
    finished = program.run("status")

    assert (2, 1) == (finished.code, finished.stderr.count("\n"))
    assert "write it as ${NAME}" in finished.stderr
    assert SECRET not in finished.output


@pytest.mark.filterwarnings("default")  # what Apprise imports
def test_check_sends_nothing_unasked(
    program: Program, chat: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --notify the row says where messages would go, and no more."""
    monkeypatch.setenv("CHAT", by_webhook(chat))
    [row] = message_rows(load_plan(program.plan_path), test=False)

    assert ("ok", "by json") == (row.state, row.found)
    assert [] == chat.texts
    [row] = message_rows(load_plan(program.plan_path), test=True, refused="messages are not taken")
    assert row.what_to_do.startswith("The next run sends what was missed")


@pytest.mark.filterwarnings("default")  # what Apprise imports
def test_a_thousand_trees_are_no_thousand_messages(chat: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line leaves at once, the others together: the last of them, and how many went before."""
    monkeypatch.setattr(notices, "GATHERED_SECONDS", 600.0)
    logged: list[str] = []
    told = Notices("test", by_webhook(chat), logged.append, logged.append)
    for number in range(1_000):
        told.tell(Tone.GOOD, f"tree complete: {number}")
    told.close()

    assert 1 <= len(chat.texts) <= 3
    assert "before, which the log has" in chat.texts[-1]
    assert chat.texts[-1].endswith("tree complete: 999")
    assert [f"notice: tree complete: {number}" for number in range(1_000)] == logged
