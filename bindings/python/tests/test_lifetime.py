"""Memory, threads, forks: nothing leaks, nothing is freed too early, nothing is left behind."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from ctypes import CDLL, Structure, byref, c_size_t
from pathlib import Path
from typing import Callable

import pytest
from conftest import NOW, ROOT, Run

import queuewatch
from queuewatch import _abi, _options
from queuewatch._library import lib

MIB = 1 << 20


class _MallInfo(Structure):
    """`struct mallinfo2` of glibc."""

    _fields_ = tuple(
        (name, c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    )


# The largest block that Python's own allocator hands out.
BLOCK = 512
mallinfo2 = CDLL(None).mallinfo2
mallinfo2.restype = _MallInfo


def in_use() -> int:
    """How many bytes malloc and Python have handed out and not got back.

    Not how many are resident: each long call has a thread of its own, and what glibc keeps for the next one
    in the arena of a thread that ended is no leak.
    """
    gc.collect()
    info = mallinfo2()
    return int(info.uordblks) + int(info.hblkhd) + sys.getallocatedblocks() * BLOCK


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def growth(work: Callable[[], object], times: int) -> int:
    """How many bytes `times` runs add, after as many as it takes to have all caches and arenas warm."""
    for _ in range(times // 5):
        work()
    before, files = in_use(), open_files()
    for _ in range(times):
        work()
    assert open_files() == files
    return in_use() - before


def tasks() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def assert_only(wanted: int) -> None:
    """Fail if there are other threads; the kernel takes a moment to clear one away that was joined."""
    deadline = time.monotonic() + 5
    while tasks() > wanted and time.monotonic() < deadline:
        time.sleep(0.001)
    assert tasks() == wanted


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, spool: Path) -> Path:
    """A spool of a few messages."""
    folder = tmp_path_factory.mktemp("small")
    for queue in ("active", "deferred", "hold", "incoming", "maildrop", "corrupt"):
        (folder / queue).mkdir()
    for file in sorted((spool / "hold").iterdir()):
        (folder / "hold" / file.name).write_bytes(file.read_bytes())
        (folder / "hold" / file.name).chmod(0o700)
    return folder


def test_scans_do_not_leak(small: Path) -> None:
    def work() -> None:
        with queuewatch.scan(queue_directory=small, now=NOW, warning=["hold.messages=1"]) as snap:
            assert snap["hold.messages"] == 7
            verdict = snap.check()
            assert verdict.output(1)
            assert len(verdict.findings) == 1
            snap.json()

    assert growth(work, 10_000) < 2 * MIB


def test_scans_that_log_do_not_leak(small: Path, tmp_path: Path) -> None:
    logger = logging.getLogger("test.queuewatch.leaks")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    (tmp_path / "deferred").mkdir()
    (tmp_path / "hold").touch()

    def work() -> None:
        queuewatch.log_to(logger, logging.DEBUG)
        assert not queuewatch.scan(queue_directory=tmp_path).complete

    try:
        assert growth(work, 2000) < 2 * MIB
    finally:
        queuewatch.log_to(None)


def test_shapes_and_reasons_do_not_leak(spool: Path) -> None:
    snap = queuewatch.scan(queue_directory=spool)

    def work() -> None:
        shape = queuewatch.shape(queue_directory=spool)
        assert all((shape.rows(), shape.text(), shape.json(), snap.reasons()))

    assert growth(work, 50) < 2 * MIB


def test_what_is_forgotten_is_freed(small: Path) -> None:
    def work() -> None:
        snap = queuewatch.scan(queue_directory=small)
        next(snap.messages())
        _ = snap.check().state

    assert growth(work, 2000) < 2 * MIB


def test_rows_do_not_leak(spool: Path) -> None:
    snap = queuewatch.scan(queue_directory=spool)
    rows = 0

    def work() -> None:
        nonlocal rows
        for message in snap.messages():
            rows += 1 + len(message.recipients) + len(message.delays)

    assert growth(work, 220) < 2 * MIB
    assert rows > 1_000_000


def test_errors_do_not_leak(small: Path) -> None:
    snap = queuewatch.scan(queue_directory=small)

    def work() -> None:
        for fails in (
            lambda: queuewatch.scan(queue_directory="/nonexistent"),
            lambda: queuewatch.scan(warning=["fine.messages=1"]),
            lambda: snap["nonsense"],
            lambda: snap.messages("nonsense"),
            lambda: snap.check(warning=["deferred.messages=5:1"]),
        ):
            with pytest.raises(queuewatch.QueuewatchError):
                fails()

    assert growth(work, 4000) < 2 * MIB


def test_threads_share_snapshots_and_verdicts(spool: Path) -> None:
    snap = queuewatch.scan(queue_directory=spool, now=NOW)
    verdict = snap.check()
    wanted = (snap.json(), verdict.output(2), snap["deferred.recipients"])

    def look(_: int) -> bool:
        return (snap.json(), verdict.output(2), snap["deferred.recipients"]) == wanted

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look, range(200)))


def test_threads_scan_at_once(spool: Path) -> None:
    def count(_: int) -> int:
        snap = queuewatch.scan(queue_directory=spool)
        return sum(1 for _ in snap.messages("total")) - int(snap["total.messages"])

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(count, range(32))) == {0}
    assert_only(1)


def test_other_threads_run_during_a_scan(spool: Path) -> None:
    turns, ending = 0, threading.Event()

    def count() -> None:
        nonlocal turns
        while not ending.is_set():
            turns += 1
            time.sleep(0)

    # So long that nobody gets the GIL between a look at `turns` and the scan, unless it is given away.
    before = sys.getswitchinterval()
    thread = threading.Thread(target=count)
    thread.start()
    sys.setswitchinterval(20)
    try:
        options = _options.handle(_options.settings({"queue_directory": spool}))
        out, error = _abi.snapshot_p(), _abi.error_p()
        pointers = byref(out), byref(error)
        scan, look = lib.qw_scan, lib.qw_abi_version
        start = turns
        look()
        scan(options, *pointers)
        end = turns
    finally:
        sys.setswitchinterval(before)
        ending.set()
        thread.join()
    lib.qw_snapshot_free(out)
    assert not error
    assert end > start


def test_a_scan_leaves_no_thread(spool: Path) -> None:
    assert_only(1)
    for _ in range(50):
        queuewatch.scan(queue_directory=spool).close()
    assert_only(1)


def test_a_close_waits_for_calls_in_other_threads(spool: Path) -> None:
    for _ in range(30):
        snap = queuewatch.scan(queue_directory=spool, now=NOW)
        begun = threading.Barrier(5)

        def look(snap: queuewatch.Snapshot = snap, begun: threading.Barrier = begun) -> None:
            begun.wait()
            try:
                while True:
                    assert snap.json()["now"] == NOW
            except queuewatch.Closed:
                return

        with ThreadPoolExecutor(4) as pool:
            running = [pool.submit(look) for _ in range(4)]
            begun.wait()
            snap.close()
            for one in running:
                one.result()


def test_an_exit_with_open_handles_and_busy_threads_is_clean(spool: Path) -> None:
    program = """if True:
        import sys, threading, time, queuewatch
        snap = queuewatch.scan(queue_directory=sys.argv[1])
        messages, verdict = snap.messages(), snap.check()
        def busy():
            while True:
                snap.json(), verdict.output(2)
        for _ in range(4):
            threading.Thread(target=busy, daemon=True).start()
        next(messages)
        time.sleep(0.05)
    """
    command = [sys.executable, "-X", "dev", "-c", program, str(spool)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "bindings/python/src")}
    for _ in range(5):
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_cursor_is_refused_in_another_thread(spool: Path) -> None:
    messages = queuewatch.scan(queue_directory=spool).messages()
    next(messages)
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(queuewatch.OutOfOrder, match="belongs to another thread") as caught:
            pool.submit(next, messages).result()
        assert isinstance(caught.value, RuntimeError)
        assert pool.submit(repr, messages).result() == "<queuewatch.Messages of another thread or process>"
    assert next(messages)


def test_a_child_scans_after_its_parent_did(spool: Path, in_child: Run) -> None:
    snap = queuewatch.scan(queue_directory=spool, now=NOW)

    def look() -> tuple[object, ...]:
        fresh = queuewatch.scan(queue_directory=spool, now=NOW)
        # What the parent made can be read too: memory is copied.
        return fresh["deferred.messages"], snap["deferred.messages"], len(list(fresh.messages("hold")))

    assert in_child(look) == (194, 194, 7)
    assert snap["deferred.messages"] == 194


def test_children_scan_while_another_thread_of_the_parent_does(spool: Path) -> None:
    program = """if True:
        import os, sys, threading, warnings, queuewatch
        # That a fork beside threads may deadlock is what is tested here.
        warnings.simplefilter("ignore", DeprecationWarning)
        ending = threading.Event()
        def busy():
            while not ending.is_set():
                queuewatch.scan(queue_directory=sys.argv[1])["hold.messages"]
        threads = [threading.Thread(target=busy) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            child = os.fork()
            if child == 0:
                os._exit(queuewatch.scan(queue_directory=sys.argv[1])["hold.messages"])
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        ending.set()
        for thread in threads:
            thread.join()
    """
    command = [sys.executable, "-c", program, str(spool)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "bindings/python/src")}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_cursor_is_refused_in_a_child(spool: Path, in_child: Run) -> None:
    messages = queuewatch.scan(queue_directory=spool).messages("hold")
    next(messages)
    with pytest.raises(queuewatch.OutOfOrder, match="another thread or process"):
        in_child(lambda: next(messages))
    assert len(list(messages)) == 6
