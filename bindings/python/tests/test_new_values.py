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
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW

import queuewatch
from queuewatch import _watch
from queuewatch._library import lib


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
    with pytest.raises(TypeError, match="takes warning, critical, defaults, and not queue_directory"):
        snap.check(**other)


def test_an_option_that_a_call_has_no_use_for_is_a_type_error(spool: Path) -> None:
    unused: dict[Any, dict[str, Any]] = {
        queuewatch.scan: {"poll": "1m", "bucket_count": 3, "linear": False},
        queuewatch.check: {"poll": 5, "bucket-time": 7},
        queuewatch.watch: {"timeout": 5, "previous": "", "linear": True},
        queuewatch.shape: {"poll": 5, "warning": "5", "sender": "a@b", "not_login": "x", "counts": True},
    }
    for call, options in unused.items():
        for keyword, value in options.items():
            with pytest.raises(TypeError, match=f"has no use for {keyword.replace('-', '_')}$") as caught:
                call(queue_directory=spool, **{keyword: value})
            assert isinstance(caught.value, queuewatch.UnknownOption)
            call(queue_directory=spool, **{keyword: None}).close()


def test_defaults_are_kept_beside_rules(snap: queuewatch.Snapshot) -> None:
    alone = snap.check(warning="deferred.messages=1000000")
    both = snap.check(warning="deferred.messages=1000000", defaults=True)
    assert (alone.state, both.state) == (queuewatch.State.OK, queuewatch.State.CRITICAL)


def test_rows_have_moments_too(snap: queuewatch.Snapshot) -> None:
    assert snap.now_time == datetime.fromtimestamp(NOW, timezone.utc)
    (message, *_) = snap.messages("deferred")
    assert message.arrival is not None
    assert message.next_retry is not None
    assert message.arrival_time == datetime.fromtimestamp(message.arrival, timezone.utc)
    assert message.next_retry_time == datetime.fromtimestamp(message.next_retry, timezone.utc)
    (held, *_) = snap.messages("hold")
    assert held.next_retry_time is None
    reason = snap.reasons("deferred")[0]
    assert reason.oldest is not None
    assert reason.oldest_time == datetime.fromtimestamp(reason.oldest, timezone.utc)
    # Any second can be in a queue file.
    for second in (2**63 - 1, -(2**63), 10**13):
        assert replace(message, arrival=second).arrival_time is None
    event = queuewatch.Event("left", "", "hold", None, "A", 1, 1, NOW, "")
    assert event.arrival_time == snap.now_time
    assert replace(event, arrival=None).arrival_time is None


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


def test_an_interrupt_ends_the_first_scan_of_a_watch(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A spool that takes as long as it is left to: only qw_cancel ends the call.
    reading, cancelled, opens = threading.Event(), threading.Event(), lib.qw_watch_open

    def slow_open(*arguments: Any) -> int:
        reading.set()
        # Not for ever: on the main thread a signal has to wait for the end of it.
        cancelled.wait(10)
        status: int = opens(*arguments)
        return status

    def cancel(options: Any) -> None:
        cancels(options)
        cancelled.set()

    cancels = lib.qw_cancel
    monkeypatch.setattr(lib, "qw_watch_open", slow_open)
    monkeypatch.setattr(lib, "qw_cancel", cancel)
    monkeypatch.setattr(_watch, "lib", lib)

    def interrupt() -> None:
        reading.wait()
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    helper = threading.Thread(target=interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 (the signal may come anywhere)
            helper.start()
            queuewatch.watch(queue_directory=spool)
        assert cancelled.is_set()
    finally:
        helper.join()
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
