"""Pool: what many threads share where a server gives few connections."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from connectors.sources.pool import FULL_SECONDS, Pool


class Server:
    """Gives so many connections at once; which are lent twice is seen."""

    def __init__(self, gives: int) -> None:
        self.gives = gives
        self.now = 0.0
        self.made = 0
        self.open: set[int] = set()
        self._lock = threading.Lock()

    def connect(self) -> int:
        """A new connection."""
        with self._lock:
            if len(self.open) >= self.gives:
                raise ConnectionRefusedError
            self.made += 1
            self.open.add(self.made)
            return self.made

    def pool(self, *, wait_seconds: float = 5.0) -> Pool[int]:
        """A pool of its connections."""
        return Pool(
            self.connect,
            is_usable=lambda connection: connection in self.open,
            is_refusal=lambda exc: isinstance(exc, OSError),
            end=self.open.discard,
            drop=self.open.discard,
            wait_seconds=wait_seconds,
            clock=lambda: self.now,
        )


def test_many_take_turns_on_what_the_server_gives() -> None:
    """Thirty users of three connections: none is refused, none shares one with another."""
    server = Server(gives=3)
    pool = server.pool()
    used: list[int] = []
    in_use: set[int] = set()

    def work(number: int) -> None:
        connection = pool.take()
        assert connection not in in_use
        in_use.add(connection)
        used.append(number)
        in_use.discard(connection)
        pool.give_back(connection, keep=number % 3 != 0)

    with ThreadPoolExecutor(30) as threads:
        list(threads.map(work, range(300)))
    assert list(range(300)) == sorted(used)
    assert len(server.open) <= 3


def test_open_files_leave_one_for_questions() -> None:
    """Of four that the server gives three are for files; the fourth file waits, a question does not."""
    server = Server(gives=4)
    pool = server.pool()
    files = [pool.take(lasting=True) for _ in range(3)]
    question = pool.take()
    with pytest.raises(ConnectionRefusedError):
        _take_at_once(server, pool)  # the server is full, as the pool knows now
    pool.give_back(question, keep=True)

    waiting = threading.Thread(target=lambda: files.append(pool.take(lasting=True)))
    waiting.start()
    assert question == pool.take()
    pool.give_back(question, keep=True)
    waiting.join(0.2)
    assert waiting.is_alive()
    pool.give_back(files[0], keep=True, lasting=True)
    waiting.join(10)
    assert not waiting.is_alive()


def test_a_server_that_is_away_is_told_at_once() -> None:
    """With nothing in use nobody waits, and once it is back nothing is left of its limit."""
    server = Server(gives=0)
    pool = server.pool()
    with pytest.raises(ConnectionRefusedError):
        pool.take()
    server.gives = 9
    assert 9 == len({pool.take() for _ in range(9)})


def test_more_are_tried_after_a_while() -> None:
    """Others may have used up what the server gives; then it is asked again."""
    server = Server(gives=1)
    pool = server.pool()
    pool.take()
    with pytest.raises(ConnectionRefusedError):
        _take_at_once(server, pool)
    server.gives = 5
    server.now += FULL_SECONDS
    assert 4 == len({pool.take() for _ in range(4)})


def test_what_is_closed_may_be_used_again() -> None:
    """Idle ones end with the pool, lent ones when they come back."""
    server = Server(gives=5)
    pool = server.pool()
    lent, idle = pool.take(), pool.take()
    pool.give_back(idle, keep=True)
    pool.close()
    assert {lent} == server.open
    pool.give_back(lent, keep=True)
    assert set() == server.open
    assert pool.take() in server.open


def _take_at_once(server: Server, pool: Pool[int]) -> None:
    """Take one while time runs out."""
    timer = threading.Timer(0.2, lambda: setattr(server, "now", server.now + 6))
    timer.start()
    try:
        pool.take()
    finally:
        timer.join()
        server.now -= 6
