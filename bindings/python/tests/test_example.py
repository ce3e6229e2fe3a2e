"""examples/python/alert_cron.py tells a webhook, and only when something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from conftest import NOW, ROOT

EXAMPLE = ROOT / "examples/python/alert_cron.py"


class Hook(HTTPServer):
    """A webhook that keeps what it is told."""

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
    assert "deferred.top_domain is 97 (alpha.example)" in lines


def test_it_tells_what_could_not_be_read() -> None:
    (text,) = told("queue_directory=/nonexistent")
    assert text.startswith("POSTFIX QUEUE UNKNOWN: cannot ")


def test_it_is_silent_when_all_is_well(tmp_path: Path) -> None:
    (tmp_path / "deferred").mkdir()
    assert told(f"queue_directory={tmp_path}") == []


def test_it_stays_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) < 40


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_it_says_how_to_use_it(words: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "bindings/python/src")}
    ended = subprocess.run(
        [sys.executable, str(EXAMPLE), *words], env=environment, capture_output=True, text=True, check=False
    )
    assert "Usage: alert_cron.py WEBHOOK [OPTION=VALUE ...]" in ended.stderr
    assert ended.returncode == 1
