"""The examples in examples/python do what they say, and stay short."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW, ROOT

import queuewatch

EXAMPLE = ROOT / "examples/python/alert_cron.py"


class Hook(HTTPServer):
    """A webhook that keeps the requests it gets."""

    told: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Listener(BaseHTTPRequestHandler):
    """Answers a POST."""

    def do_POST(self) -> None:
        """Keep the text."""
        assert isinstance(self.server, Hook)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append(json.loads(body)["text"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


def told(*words: str) -> list[str]:
    with Hook(("127.0.0.1", 0), Listener) as hook:
        hook.told = []
        thread = threading.Thread(target=hook.serve_forever, daemon=True)
        thread.start()
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "bindings/python/src"), "no_proxy": "*"}
        command = [sys.executable, str(EXAMPLE), hook.url, *words]
        try:
            ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        finally:
            hook.shutdown()
            thread.join()
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    return hook.told


def test_it_tells_what_is_wrong(spool: Path) -> None:
    (text,) = told(f"queue_directory={spool}", f"now={NOW}")
    lines = text.splitlines()
    assert lines[0].startswith("POSTFIX QUEUE CRITICAL: deferred.oldest is 5d 18h (critical 1d)")
    assert "deferred.top_domain is 96 (alpha.example)" in lines


def test_it_tells_what_could_not_be_read() -> None:
    (text,) = told("queue_directory=/nonexistent")
    assert text.startswith("POSTFIX QUEUE UNKNOWN: cannot ")


def test_it_is_silent_when_all_is_well(tmp_path: Path) -> None:
    for queue in ("active", "deferred", "incoming", "hold", "maildrop", "corrupt"):
        (tmp_path / queue).mkdir()
    assert told(f"queue_directory={tmp_path}") == []


@pytest.mark.parametrize(
    "example", sorted((ROOT / "examples/python").glob("*.py")), ids=lambda path: path.name
)
def test_examples_stay_short(example: Path) -> None:
    assert len(example.read_text().splitlines()) < 40


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_it_says_how_to_use_it(words: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "bindings/python/src")}
    ended = subprocess.run(
        [sys.executable, str(EXAMPLE), *words], env=environment, capture_output=True, text=True, check=False
    )
    assert "Usage: alert_cron.py WEBHOOK [OPTION=VALUE ...]" in ended.stderr
    assert ended.returncode == 1


FEED = ROOT / "examples/python/queue_csv.py"


def fed(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "bindings/python/src")}
    command = [sys.executable, str(FEED), *words]
    return subprocess.run(
        command, env=environment, capture_output=True, encoding="utf-8", errors="surrogateescape", check=False
    )


def test_csv_has_a_row_for_each_recipient(spool: Path) -> None:
    ended = fed("queue=deferred", f"queue_directory={spool}")
    assert (ended.returncode, ended.stderr) == (0, "")
    table = list(csv.DictReader(io.StringIO(ended.stdout, newline="")))
    snap = queuewatch.scan(queue_directory=spool, now=NOW)
    assert len(table) == snap["deferred.recipients"]
    wanted = [
        (message.queue_id, message.sender_text, recipient, delay.reason_text if delay else "")
        for message in snap.messages("deferred")
        for recipient, delay in zip(message.recipients_text, message.delays)
    ]
    ours = [(row["queue_id"], row["sender_text"], row["recipient"], row["reason"]) for row in table]
    assert sorted(ours) == sorted(wanted)
    in_domain = sum(row["domain"] == "alpha.example" for row in table)
    assert in_domain == snap["deferred.domain(alpha.example)"]


def test_a_data_frame_can_be_made_of_the_rows(spool: Path) -> None:
    spec = importlib.util.spec_from_file_location("queue_csv", FEED)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table = list(module.rows(queue="deferred", queue_directory=spool))
    # What pandas.DataFrame takes: dictionaries of plain values, all with the same keys.
    assert {tuple(row) for row in table} == {module.FIELDS}
    assert {type(value) for row in table for value in row.values()} == {int, str}
    if importlib.util.find_spec("pandas") is not None:
        assert grouped_by_pandas(spool) == sum(row["domain"] == "alpha.example" for row in table)


def grouped_by_pandas(spool: Path) -> int:
    # In a process of its own, because it starts threads that stay.
    program = """if True:
        import sys, pandas, queue_csv
        table = pandas.DataFrame(queue_csv.rows(queue="deferred", queue_directory=sys.argv[1]))
        print(table.groupby("domain").size()["alpha.example"])
    """
    path = f"{FEED.parent}:{ROOT / 'bindings/python/src'}"
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", program, str(spool)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(ended.stdout)


def test_csv_says_what_failed() -> None:
    ended = fed("queue_directory=/nonexistent")
    assert ended.returncode == 1
    assert "/nonexistent: no such file or directory (ENOENT)" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_csv_says_how_to_use_it() -> None:
    ended = fed("--help")
    assert ended.returncode == 1
    assert ended.stderr.endswith("\nUsage: queue_csv.py [queue=QUEUE] [OPTION=VALUE ...]\n")
