"""The live state: one descriptor, events, snapshots and verdicts as a scan's."""

from __future__ import annotations

import os
import select
import selectors
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW, ROOT

import queuewatch


@pytest.fixture
def own(spool: Path, tmp_path: Path) -> Path:
    """A spool to be changed."""
    return Path(shutil.copytree(spool, tmp_path / "spool"))


def quiet(watch: queuewatch.Watch) -> list[queuewatch.Event]:
    """All events until nothing more comes."""
    events: list[queuewatch.Event] = []
    while watch.wait(0.3):
        events.extend(watch.dispatch())
    return events


def steady(document: Any) -> Any:
    """The instances, without what others change meanwhile: the free space of the disk."""
    for instance in document["instances"]:
        instance.pop("disk")
    return document["instances"]


def move(spool: Path, number: int = 0) -> str:
    path = sorted(path for path in (spool / "hold").iterdir() if path.is_file())[number]
    path.rename(spool / "active" / path.name)
    return path.name


def test_it_sees_what_happens_and_says_what_a_scan_says(own: Path) -> None:
    with queuewatch.watch(queue_directory=own, now=NOW) as watch:
        assert not watch.wait(0)
        assert "fileno=" in repr(watch)
        name = move(own)
        assert watch.wait(5)
        (event,) = quiet(watch)
        assert (event.kind, event.queue_id) == ("moved", name)
        assert (event.moved_from, event.queue) == ("hold", "active")
        assert str(event) == f"moved {name} hold to active"
        assert event.recipients > 0
        live, scanned = watch.snapshot(), queuewatch.scan(queue_directory=own, now=NOW)
        ours, theirs = live.json(), scanned.json()
        assert steady(ours) == steady(theirs)
        live_check = watch.check(critical="hold.messages=5", warning="deferred.oldest=4h")
        check = scanned.check(critical="hold.messages=5", warning="deferred.oldest=4h")
        assert live_check.summary == check.summary
        watch_check = watch.check(critical="hold.messages=100")
        assert watch_check.state is queuewatch.State.OK
    with pytest.raises(queuewatch.Closed):
        watch.dispatch()
    assert live["hold.messages"] == scanned["hold.messages"]


def test_a_lost_directory_is_reported_and_read_again(own: Path) -> None:
    with queuewatch.watch(queue_directory=own, now=NOW) as watch:
        (own / "hold").rename(own / "elsewhere")
        (event,) = quiet(watch)
        assert (event.kind, event.queue, event.queue_id) == ("rescanned", None, "")
        assert "was created or removed" in str(event)
        with pytest.raises(queuewatch.Incomplete):
            watch.snapshot()["hold.messages"]


def test_selectors_and_select_take_it(own: Path) -> None:
    with queuewatch.watch(queue_directory=own) as watch, selectors.DefaultSelector() as selector:
        selector.register(watch, selectors.EVENT_READ)
        assert selector.select(0) == []
        move(own)
        assert len(selector.select(5)) == 1
        assert select.select([watch], [], [], 0)[0] == [watch]
        quiet(watch)
        assert selector.select(0) == []


def test_it_belongs_to_its_thread_and_process(own: Path) -> None:
    with queuewatch.watch(queue_directory=own) as watch:
        caught: list[BaseException] = []

        def elsewhere() -> None:
            try:
                watch.dispatch()
            except queuewatch.OutOfOrder as error:
                caught.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert len(caught) == 1
        child = os.fork()
        if child == 0:
            code = 1
            try:
                watch.dispatch()
            except queuewatch.OutOfOrder:
                code = 0
            os._exit(code)
        assert os.waitpid(child, 0)[1] == 0


def test_errors_are_those_of_a_scan() -> None:
    with pytest.raises(FileNotFoundError):
        queuewatch.watch(queue_directory="/nonexistent")
    with pytest.raises(queuewatch.SyntaxProblem):
        queuewatch.watch(critical="x")


def test_a_poll_does_without_inotify(own: Path) -> None:
    with queuewatch.watch(queue_directory=own, poll=1, now=NOW) as watch:
        assert watch.dispatch() == ()
        name = move(own)
        told: tuple[queuewatch.Event, ...] = ()
        while not told:
            assert watch.wait(20)
            told = watch.dispatch()
        assert [(event.kind, event.queue_id, event.queue) for event in told] == [("moved", name, "active")]
        assert watch.snapshot()["hold.messages"] == 6


def test_nothing_leaks(own: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    for _ in range(50):
        with queuewatch.watch(queue_directory=own, measure="hold.messages") as watch:
            watch.snapshot()
        queuewatch.watch(queue_directory=own, measure="hold.messages")
    assert descriptors() == before


def test_the_monitor_example(own: Path) -> None:
    words = [f"queue_directory={own}", "critical=hold.messages=6", f"now={NOW}"]
    script = ROOT / "examples/python/monitor.py"
    with subprocess.Popen([sys.executable, str(script), *words], stdout=subprocess.PIPE, text=True) as ran:
        threading.Timer(20, ran.kill).start()
        assert ran.stdout is not None
        assert ran.stdout.readline().startswith("POSTFIX QUEUE CRITICAL: hold.messages is 7")
        name = move(own)
        assert ran.stdout.readline() == f"moved {name} hold to active\n"
        assert ran.stdout.readline().startswith("POSTFIX QUEUE OK: ")
        ran.send_signal(signal.SIGTERM)
        assert ran.wait(10) == 0
