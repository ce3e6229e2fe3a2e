"""What all tests stand on: the spool of the corpus, the programs, another user."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Protocol

import pytest

ROOT = Path(__file__).resolve().parents[3]
CORPUS = ROOT / "tests/corpus/short-mixed"
NOW = 1795461304
PLUGIN = ROOT / "target/release/check_postfix_queue"
NOBODY = 65534


class Run(Protocol):
    """Runs a function in a child process."""

    def __call__(self, function: Callable[[], Any]) -> Any: ...


def unpacked(folder: Path) -> Path:
    subprocess.run(["tar", "-xJf", str(CORPUS / "spool.tar.xz"), "-C", str(folder)], check=True)
    return folder / "spool"


@pytest.fixture(scope="session")
def spool() -> Iterator[Path]:
    """The spool of the corpus; nothing may change it."""
    # Not pytest's own folder, which other users cannot enter.
    folder = Path(tempfile.mkdtemp(prefix="queuewatch-python-"))
    folder.chmod(0o755)
    try:
        yield unpacked(folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def closed_spool() -> Iterator[Path]:
    """A spool whose deferred queue only root can list."""
    folder = Path(tempfile.mkdtemp(prefix="queuewatch-python-"))
    folder.chmod(0o755)
    spool = unpacked(folder)
    for queue in spool.iterdir():
        if os.geteuid() == 0:
            for path in [queue, *queue.rglob("*")]:
                os.chown(path, NOBODY, NOBODY)
    deferred = spool / "deferred"
    if os.geteuid() == 0:
        os.chown(deferred, 0, 0)
    deferred.chmod(0o700 if os.geteuid() == 0 else 0)
    try:
        yield spool
    finally:
        deferred.chmod(0o700)
        shutil.rmtree(folder)


@pytest.fixture
def in_child() -> Run:
    """Runs a function in a forked child and returns what it returned, or raises what it raised."""
    return lambda function: _forked(function, lambda: None)


@pytest.fixture
def as_nobody() -> Run:
    """As `in_child`, without the rights of root."""

    def drop() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)

    return lambda function: _forked(function, drop)


def _forked(function: Callable[[], Any], prepare: Callable[[], None]) -> Any:
    # Python 3.12 warns of a fork beside other threads, and one that has just ended may still be listed.
    deadline = time.monotonic() + 5
    while len(os.listdir("/proc/self/task")) > 1 and time.monotonic() < deadline:  # noqa: PTH208
        time.sleep(0.001)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            prepare()
            try:
                outcome: tuple[bool, Any] = (True, function())
            except Exception as error:
                outcome = (False, error)
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(outcome, pipe)
            os._exit(0)
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
            os._exit(70)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the child ended with {status}"
    good, value = pickle.loads(data)  # noqa: S301
    if not good:
        raise value
    return value
