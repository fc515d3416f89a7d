"""A run's numbers for Prometheus: the real one scrapes them while it lasts, and the dashboard draws them."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from connectors.box.sandbox import Sandbox
from tests.forking import ROOT
from tests.program import Program, program_for
from tests.servers import free_port, require, wait_for_port
from tests.trees import build_tree

DASHBOARD = ROOT / "deployments" / "grafana" / "boxhaul.json"


@pytest.fixture
def program(tmp_path: Path, box: Sandbox) -> Program:
    """Twenty files that take some seconds, one of which Box refuses."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"A": {f"{number:02}.bin": bytes(100_000) for number in range(20)}})
    fault = box.faults.next("POST /files/content").about("07.bin")
    fault.status(403, error="forbidden_by_policy").times(None)
    return program_for(
        tmp_path / "run",
        box,
        {"url": share.as_uri()},
        trees=[{"source": "A"}],
        transfer={"bandwidth": "200K"},
    )


def read(url: str) -> str:
    """What stands there."""
    with urlopen(url, timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def eventually(found: Callable[[], Any], seconds: float = 90) -> Any:
    """What is found once there is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if value := found():
                return value
        except OSError:
            pass  # not there yet
        time.sleep(0.1)
    raise AssertionError("it never came")


def test_numbers_of_a_run(program: Program) -> None:
    """While it lasts: files, bytes, calls by route, the failed one by its reason; afterwards nobody listens."""
    port = free_port()
    process = program.start("migrate", "--metrics", f"127.0.0.1:{port}")
    url = f"http://127.0.0.1:{port}/metrics"

    def numbers() -> str:
        text = read(url)
        return text if re.search(r'boxhaul_files\{plan="test",state="failed"\} 1\.0', text) else ""

    text = eventually(numbers)
    stdout, stderr = process.communicate(timeout=200)

    assert 1 == process.returncode, stdout + stderr
    assert 'boxhaul_files{plan="test",state="total"} 20.0' in text
    assert 'boxhaul_entries_failed{plan="test",reason="rejected"} 1.0' in text
    assert re.search(r'boxhaul_box_calls_total\{plan="test",route="POST /files/content"\} \d+', text)
    assert re.search(r'boxhaul_bytes\{plan="test",state="uploaded"\}', text)
    assert re.search(r'boxhaul_info\{plan="test",version="[\d.]+', text)
    with pytest.raises(OSError, match="refused"):
        read(url)


@pytest.mark.parametrize("words", ["nowhere", "127.0.0.1:99999", "TAKEN"])
def test_bad_addresses_are_one_line(program: Program, box: Sandbox, words: str) -> None:
    """Exit code 2, nothing is begun."""
    finished = program.run("migrate", "--metrics", f"127.0.0.1:{box.port}" if words == "TAKEN" else words)
    assert 2 == finished.code
    assert "--metrics: " in finished.stderr
    assert 1 == len(finished.stderr.splitlines())


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A real one that scrapes a port four times a second; its address and that port."""
    binary, port, target = require("prometheus", "apt-get install prometheus"), free_port(), free_port()
    config = {
        "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms"},
        "scrape_configs": [{"job_name": "boxhaul", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    log = (tmp_path / "prometheus.log").open("w")
    process = subprocess.Popen(
        [
            binary,
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=log,
    )
    try:
        wait_for_port(port, alive=lambda: process.poll() is None, seconds=60)
        yield f"http://127.0.0.1:{port}", target
    finally:
        process.terminate()
        process.wait(timeout=60)
        log.close()


def expressions() -> list[str]:
    """Every question that the dashboard asks, about all plans."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [target["expr"].replace("$plan", ".*") for panel in panels for target in panel["targets"]]


def test_prometheus_scrapes_a_run_and_answers_the_dashboard(
    program: Program, prometheus: tuple[str, int]
) -> None:
    """It takes every number as it is sent, and every panel's question is one that it understands."""
    address, port = prometheus

    def ask(question: str) -> list[dict[str, Any]]:
        document = json.loads(read(f"{address}/api/v1/query?{urlencode({'query': question})}"))
        assert "success" == document["status"]
        result: list[dict[str, Any]] = document["data"]["result"]
        return result

    process = program.start("migrate", "--metrics", f":{port}")
    eventually(lambda: ask("boxhaul_entries_failed") and ask('boxhaul_files{state="uploaded"} > 5'))
    # Nothing is tried again here, and nobody knows how long it takes within the first moments.
    quiet = ("boxhaul_tries_failed", "boxhaul_eta_seconds")
    unanswered = {each for each in expressions() if not each.startswith(quiet)}

    def all_answered() -> bool:
        unanswered.difference_update([each for each in unanswered if ask(each)])
        return not unanswered

    eventually(all_answered)
    process.communicate(timeout=200)
    sent = ask('max_over_time(boxhaul_files{plan="test",state="total"}[5m])')

    assert "20" == sent[0]["value"][1]


def test_dashboard_asks_for_numbers_that_there_are(program: Program) -> None:
    """Each name that it uses is one that the program has."""
    source = (ROOT / "flows" / "orchestration" / "metrics.py").read_text(encoding="utf-8")
    there = {f"boxhaul_{name}" for name in re.findall(r'_(?:gauge|counter)s?\(\s*"(\w+)"', source)}
    used = {
        name.removesuffix("_total") for text in expressions() for name in re.findall(r"boxhaul_\w+", text)
    }
    assert used <= there
    assert len(used) > 10
