"""Log records of the library in `logging`: whole, on the right thread, and no interrupt is lost."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Run

import queuewatch
from queuewatch import _abi, _call
from queuewatch._library import lib

LOGGER = logging.getLogger("test.queuewatch")


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A spool of which something cannot be listed, whoever asks."""
    for name in ("maildrop", "incoming", "active", "deferred", "corrupt"):
        (tmp_path / name).mkdir()
    (tmp_path / "hold").touch()
    return tmp_path


@pytest.fixture(autouse=True)
def _quiet_after() -> Iterator[None]:
    LOGGER.setLevel(logging.DEBUG)
    yield
    queuewatch.log_to(None)


def test_nothing_is_logged_at_first(odd: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(1):
        queuewatch.scan(queue_directory=odd)
    assert caplog.records == []


def test_records_reach_the_logger(odd: Path, caplog: pytest.LogCaptureFixture) -> None:
    queuewatch.log_to(LOGGER)
    queuewatch.scan(queue_directory=odd)
    (record,) = caplog.records
    assert (record.name, record.levelno) == (LOGGER.name, logging.DEBUG)
    assert record.getMessage() == f"cannot list {odd}/hold: not a directory (ENOTDIR)"
    assert vars(record)["target"].startswith("queuewatch::")


def test_the_level_is_that_of_the_logger_or_as_given(odd: Path, caplog: pytest.LogCaptureFixture) -> None:
    LOGGER.setLevel(logging.INFO)
    queuewatch.log_to(LOGGER)
    queuewatch.scan(queue_directory=odd)
    queuewatch.log_to(LOGGER, logging.CRITICAL)
    queuewatch.scan(queue_directory=odd)
    assert caplog.records == []
    LOGGER.setLevel(1)
    queuewatch.log_to(LOGGER, logging.DEBUG)
    queuewatch.scan(queue_directory=odd)
    assert len(caplog.records) == 1


def test_at_trace_level_a_scan_tells_what_it_does(odd: Path, caplog: pytest.LogCaptureFixture) -> None:
    (odd / "incoming" / "A0001").touch(mode=0o600)
    (odd / "deferred" / "long name" / "B").mkdir(parents=True)
    (odd / "deferred" / "long name" / "A0002").touch(mode=0o700)
    LOGGER.setLevel(1)
    queuewatch.log_to(LOGGER, queuewatch.TRACE)
    # Also on threads of its own.
    queuewatch.scan(queue_directory=odd, readers=8)
    said = [record.getMessage() for record in caplog.records]
    for line in (
        f"postfix: queues in {odd}, no main.cf",
        f"{odd}/incoming: 1 entries",
        f"{odd}/incoming/A0001: skipped: not ready, for its mode is 0600",
        f"{odd}/deferred/long name/A0002: skipped: Postfix does not look there",
    ):
        assert line in said, said
    assert any(line.startswith(f"{odd}: reads ") for line in said), said
    assert all(vars(record)["target"].startswith("queuewatch::") for record in caplog.records)


def test_at_trace_level_a_watch_tells_each_event(odd: Path, caplog: pytest.LogCaptureFixture) -> None:
    (odd / "hold").unlink()
    (odd / "hold").mkdir()
    LOGGER.setLevel(1)
    queuewatch.log_to(LOGGER, queuewatch.TRACE)
    with queuewatch.watch(queue_directory=odd) as watch:
        (odd / "hold" / "A0003").touch(mode=0o700)
        while watch.wait(10) and not any("event" in record.getMessage() for record in caplog.records):
            watch.dispatch()
    said = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("event ") and line.endswith(" A0003") for line in said), said


def test_none_ends_it(odd: Path, caplog: pytest.LogCaptureFixture) -> None:
    queuewatch.log_to(LOGGER)
    queuewatch.log_to(None)
    queuewatch.scan(queue_directory=odd)
    assert caplog.records == []


@pytest.mark.parametrize("logger", ["queuewatch", logging, print])
def test_only_a_logger_will_do(logger: Any) -> None:
    with pytest.raises(TypeError, match=r"^logger: a logging.Logger or None, not "):
        queuewatch.log_to(logger)


class Handler(logging.Handler):
    """Calls a function with each record."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.emit = function  # type: ignore[method-assign]


@pytest.fixture
def handled(request: pytest.FixtureRequest) -> Any:
    """Adds a handler for the time of a test."""

    def add(function: Any) -> None:
        handler = Handler(function)
        LOGGER.addHandler(handler)
        request.addfinalizer(lambda: LOGGER.removeHandler(handler))
        queuewatch.log_to(LOGGER)

    return add


def test_a_handler_may_use_the_library(odd: Path, spool: Path, handled: Any) -> None:
    seen = []
    handled(lambda _: seen.append(queuewatch.scan(queue_directory=spool)["hold.messages"]))
    queuewatch.scan(queue_directory=odd)
    assert seen == [7]


def test_what_a_handler_raises_comes_out_of_the_call(odd: Path, handled: Any) -> None:
    def fails(_: object) -> None:
        raise KeyError("on purpose")

    handled(fails)
    for _ in range(2):
        with pytest.raises(KeyError, match="on purpose"):
            queuewatch.scan(queue_directory=odd)
    queuewatch.log_to(None)
    assert not queuewatch.scan(queue_directory=odd).complete


def test_an_error_of_the_call_is_not_lost_with_it() -> None:
    def kept_and_failing(*arguments: Any) -> int:
        _call._kept.interrupt = KeyError("on purpose")
        status: int = lib.qw_options_set(*arguments)
        return status

    with pytest.raises(queuewatch.InvalidArgument) as caught:
        _call.call(kept_and_failing, None, b"timeout", 7, b"1", 1)
    assert isinstance(caught.value.__context__, KeyError)


def test_records_come_on_the_thread_that_called(odd: Path, handled: Any) -> None:
    seen = []
    handled(lambda record: seen.append((record.thread, threading.get_ident())))

    def scans(_: int) -> int:
        queuewatch.scan(queue_directory=odd).close()
        return threading.get_ident()

    with ThreadPoolExecutor(4) as pool:
        callers = list(pool.map(scans, range(40)))
    assert all(made == here for made, here in seen)
    assert sorted(here for _, here in seen) == sorted(callers)


def test_a_child_logs_too(odd: Path, in_child: Run, handled: Any) -> None:
    seen: list[int] = []
    handled(lambda _: seen.append(os.getpid()))
    queuewatch.scan(queue_directory=odd)

    def scans() -> bool:
        queuewatch.scan(queue_directory=odd)
        return seen == [os.getppid(), os.getpid()]

    assert in_child(scans)
    assert seen == [os.getpid()]


def test_bytes_of_any_kind_become_text(handled: Any) -> None:
    seen = []
    handled(lambda record: seen.append(record.getMessage()))
    raw = b"\xff%s%d\0"
    text = _abi.qw_bytes(ctypes.cast(ctypes.c_char_p(raw), ctypes.c_void_p), len(raw))
    _call._keep(None, 99, text, _abi.qw_bytes(None, 0))
    _call._keep(None, _abi.QW_LOG_WARN, text, text)
    assert lib.qw_abi_version() == _abi.QW_ABI_VERSION
    _call.call(lib.qw_log_set, _call._keep, None, _abi.QW_LOG_ERROR)
    assert seen == ["", "\ufffd%s%d\0"]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Whatever started the tests may have had SIGINT ignored, as shells do in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_during_a_call_that_logs_is_raised(tmp_path: Path) -> None:
    """A signal waits while the library works, and is handled at the first step of Python: in the callback."""
    header = ROOT / "include/queuewatch.h"
    source = f"""
        #include "{header}"
        #include <signal.h>
        int works(qw_log_fn log, qw_error **err) {{
            qw_bytes text = {{(const uint8_t *)"x", 1}};
            (void)err;
            raise(SIGINT);
            log(NULL, QW_LOG_INFO, text, text);
            return QW_OK;
        }}
    """
    library = tmp_path / "libworks.so"
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-o", str(library), "-"]
    subprocess.run(command, input=source, text=True, check=True)
    works = ctypes.CDLL(str(library)).works
    works.argtypes = (_abi.qw_log_fn, ctypes.c_void_p)
    queuewatch.log_to(LOGGER)
    hook = sys.unraisablehook
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            _call.call(works, _call._keep)
    assert sys.unraisablehook is hook
