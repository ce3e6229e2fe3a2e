"""Numbers, times and durations as Python has them; unknown keywords; lists; the program."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW

import queuewatch


@pytest.fixture
def snap(spool: Path) -> queuewatch.Snapshot:
    return queuewatch.scan(queue_directory=spool, now=NOW)


def test_a_moment_is_a_float_or_a_datetime(spool: Path) -> None:
    when = datetime.fromtimestamp(NOW, timezone.utc)
    for now in (NOW, NOW + 0.75, when, when.replace(microsecond=5)):
        assert queuewatch.scan(queue_directory=spool, now=now, measure="hold.messages").now == NOW
    assert abs(queuewatch.scan(queue_directory=spool, now=time.time()).now - time.time()) < 60


def test_a_duration_is_a_small_float_or_a_timedelta(spool: Path) -> None:
    for timeout in (60, 60.5, timedelta(minutes=1), "1m"):
        assert queuewatch.scan(queue_directory=spool, timeout=timeout).complete
    # Not refused: the result is what could be read in no time.
    assert not queuewatch.scan(queue_directory=spool, timeout=1e-12).complete
    for timeout in (math.inf, math.nan):
        with pytest.raises(queuewatch.InvalidArgument, match=r"timeout: .* is not a finite number"):
            queuewatch.scan(queue_directory=spool, timeout=timeout)


def test_a_wait_may_be_without_an_end(spool: Path) -> None:
    with queuewatch.watch(queue_directory=spool) as live:
        (message,) = list((spool / "hold").iterdir())[:1]
        message.rename(spool / "active" / message.name)
        assert live.wait(math.inf)
        assert [event.kind for event in live.dispatch() if event.queue_id] == ["moved"]
        (spool / "active" / message.name).rename(message)
        assert live.wait(timedelta(seconds=10))
        with pytest.raises(queuewatch.InvalidArgument):
            live.wait(math.nan)


def test_an_unknown_keyword_is_a_type_error(snap: queuewatch.Snapshot, spool: Path) -> None:
    wrong: Any = {"colour": "red"}
    for call in (queuewatch.scan, queuewatch.check, queuewatch.watch, queuewatch.shape, snap.check):
        with pytest.raises(TypeError, match="colour") as caught:
            call(**wrong)
        assert isinstance(caught.value, queuewatch.UnknownOption)
    other: Any = {"queue_directory": spool}
    with pytest.raises(TypeError, match="takes warning, critical, and not queue_directory"):
        snap.check(**other)


def test_a_file_on_the_way_is_no_directory(spool: Path) -> None:
    name = next((spool / "hold").iterdir())
    with pytest.raises(NotADirectoryError):
        queuewatch.scan(queue_directory=name / "below")


def test_measures_are_in_a_snapshot_and_it_has_no_order(snap: queuewatch.Snapshot) -> None:
    assert "deferred.messages" in snap
    assert "deferd.messages" not in snap
    assert 7 not in snap
    with pytest.raises(TypeError):
        iter(snap)  # type: ignore[call-overload]


def test_what_there_is_can_be_listed() -> None:
    keywords = [option.keyword for option in queuewatch.options()]
    assert {"queue_directory", "warning", "timeout"} <= set(keywords)
    assert any(option.repeatable for option in queuewatch.options())
    assert "QUEUE.messages" in [measure.spelling for measure in queuewatch.measures()]
    assert {cause.acts for cause in queuewatch.causes()} <= {"us", "them", "both", "nobody", "unknown"}


def test_events_come_by_async_for(spool: Path) -> None:
    message = next((spool / "hold").iterdir())

    async def first(live: queuewatch.Watch) -> queuewatch.Event:
        asyncio.get_running_loop().call_later(0.05, lambda: message.rename(spool / "active" / message.name))
        events = live.__aiter__()
        try:
            while True:
                event = await events.__anext__()
                if event.queue_id:
                    return event
        finally:
            await events.aclose()  # type: ignore[attr-defined]

    with queuewatch.watch(queue_directory=spool) as live:
        assert asyncio.run(first(live)).kind == "moved"
    # Other tests read the same spool.
    (spool / "active" / message.name).rename(message)


def test_an_interrupt_ends_a_scan(spool: Path) -> None:
    # Wherever in a scan, or between two, the signal comes: it is raised, and nothing is left behind.
    timer = threading.Timer(0.001, os.kill, (os.getpid(), signal.SIGINT))
    # What a shell starts in the background ignores the signal, and Python leaves that as it is.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 (the signal may come anywhere)
            timer.start()
            while True:
                queuewatch.scan(queue_directory=spool, readers=1)
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_child_may_not_use_a_watch_of_its_parent(spool: Path) -> None:
    program = """
import os, sys, queuewatch
live = queuewatch.watch(queue_directory=sys.argv[1])
if (pid := os.fork()) == 0:
    try:
        live.dispatch()
    except queuewatch.OutOfOrder:
        os._exit(7)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), live.dispatch())
"""
    ended = subprocess.run([sys.executable, "-c", program, spool], capture_output=True, text=True, check=True)
    assert ended.stdout == "7 ()\n"


def test_the_package_is_a_program(spool: Path) -> None:
    def ran(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "queuewatch", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    given = ("--queue-directory", str(spool), "--now", str(NOW))
    critical = ran(*given, "-c", "hold.messages=5")
    assert (critical.returncode, critical.stderr) == (2, "")
    assert critical.stdout.startswith("POSTFIX QUEUE CRITICAL: ")
    assert ran(*given, "-c", "5:1").returncode == 3
    assert ran("--no-such-option").returncode == 3
    assert "--queue-directory" in ran("--help").stdout
