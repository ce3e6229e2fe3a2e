"""Failures: the class, the code, the place, the remedy; and what no call accepts."""

from __future__ import annotations

import contextlib
import copy
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW, Run

import queuewatch
from queuewatch import _abi, _errors


@pytest.fixture(scope="module")
def snap(spool: Path) -> queuewatch.Snapshot:
    return queuewatch.scan(queue_directory=spool, now=NOW)


def test_a_rule_that_does_not_parse_is_a_value_error_with_its_place(snap: queuewatch.Snapshot) -> None:
    with pytest.raises(ValueError, match="start") as caught:
        snap.check(warning=["deferred.messages=10:5"])
    error = caught.value
    assert isinstance(error, queuewatch.SyntaxProblem)
    assert error.code == _abi.QW_ERR_SYNTAX
    assert error.offset is not None
    assert (error.errno, error.path) == (None, None)


def test_a_missing_directory_is_a_file_not_found_error() -> None:
    with pytest.raises(
        FileNotFoundError, match=r"/nonexistent/spool: no such file or directory \(ENOENT\)"
    ) as caught:
        queuewatch.scan(queue_directory="/nonexistent/spool")
    assert isinstance(caught.value, queuewatch.PathNotFound)
    assert isinstance(caught.value, LookupError)
    error: Any = caught.value
    assert (error.code, error.errno) == (_abi.QW_ERR_NOT_FOUND, 2)
    assert error.path == error.filename == "/nonexistent/spool"
    assert error.strerror == os.strerror(2)


def test_an_unknown_option_is_a_lookup_error_that_lists_them() -> None:
    with pytest.raises(queuewatch.NotFound, match="there is no option queue-dir; options are ") as caught:
        queuewatch.scan(queue_dir="/x")  # type: ignore[call-arg]
    assert isinstance(caught.value, LookupError)
    assert not isinstance(caught.value, OSError)
    assert caught.value.remedy is not None
    assert "queue-directory" in caught.value.remedy


@pytest.mark.parametrize("name", ["deferred", "deferred.nonsense", "", "deferred.older(4h", "\udcff", "a\0b"])
def test_an_unknown_measure_raises(snap: queuewatch.Snapshot, name: str) -> None:
    with pytest.raises((queuewatch.SyntaxProblem, queuewatch.NotFound, queuewatch.InvalidArgument)):
        snap[name]


def test_an_unknown_queue_raises(snap: queuewatch.Snapshot) -> None:
    with pytest.raises((queuewatch.SyntaxProblem, queuewatch.NotFound, queuewatch.InvalidArgument)) as caught:
        snap.messages(queue="bounce")
    assert "bounce" in str(caught.value)


def test_contradictions_are_value_errors(spool: Path) -> None:
    with pytest.raises(queuewatch.InvalidArgument, match="all_instances= and instance= exclude it"):
        queuewatch.scan(queue_directory=spool, all_instances=True)


def test_no_spool_is_said(tmp_path: Path) -> None:
    with pytest.raises(queuewatch.NotASpool, match=str(tmp_path)) as caught:
        queuewatch.scan(queue_directory=tmp_path)
    assert caught.value.code == _abi.QW_ERR_NOT_A_SPOOL
    assert isinstance(caught.value, OSError)


def test_a_refused_directory_is_a_permission_error_with_the_remedy(as_nobody: Run) -> None:
    with tempfile.TemporaryDirectory() as closed:
        Path(closed).chmod(0o700 if os.geteuid() == 0 else 0)
        with pytest.raises(PermissionError, match=r"permission denied \(EACCES\)") as caught:
            as_nobody(lambda: queuewatch.scan(queue_directory=f"{closed}/spool"))
    # It came through a pickle, and nothing was lost.
    error: Any = caught.value
    assert type(error) is queuewatch.AccessDenied
    assert (error.code, error.errno) == (_abi.QW_ERR_DENIED, 13)
    assert error.path == f"{closed}/spool"
    assert "never change modes" in str(error.remedy)


def test_paths_of_any_bytes_come_back(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/\xff\n|"
    with pytest.raises(queuewatch.PathNotFound) as caught:
        queuewatch.scan(queue_directory=odd)
    assert caught.value.path is not None
    assert os.fsencode(caught.value.path) == odd
    assert str(caught.value).isprintable()
    assert "|" not in str(caught.value)


@pytest.mark.parametrize(
    "value", [object(), {1: 2}, {"a"}, 1j, [["nested"]], [None], bytearray(b"x"), range(2)], ids=repr
)
def test_a_value_of_a_wrong_type_is_a_type_error_that_names_the_option(value: Any) -> None:
    with pytest.raises(
        TypeError, match=r"^warning: a str, bytes, path, number, bool, datetime, timedelta, or"
    ):
        queuewatch.scan(warning=value)


@pytest.mark.parametrize("name", [None, 0, 1.5, ["deferred.messages"], Path("x")])
def test_a_name_of_a_wrong_type_is_a_type_error(snap: queuewatch.Snapshot, name: Any) -> None:
    with pytest.raises(TypeError, match=r"^measure: a str or bytes, not "):
        snap[name]
    if name is not None:
        with pytest.raises(TypeError, match=r"^queue: a str or bytes, not "):
            snap.messages(queue=name)


def test_output_wants_a_whole_number(snap: queuewatch.Snapshot) -> None:
    verdict = snap.check()
    for wrong in ("1", 1.0, None):
        with pytest.raises(TypeError, match=r"^verbosity: an int, not "):
            verdict.output(wrong)  # type: ignore[arg-type]
    for odd in (-1, 2**31 - 1):
        with contextlib.suppress(queuewatch.InvalidArgument):
            assert verdict.output(odd)
    # Cut to a C int these would be 0 and 1.
    for large in (2**32, -(2**32) + 1, 10**30):
        with pytest.raises(queuewatch.InvalidArgument, match=r"^verbosity: .* is out of range$"):
            verdict.output(large)


@pytest.mark.parametrize("name", ["width", "min_subdomains"])
def test_a_shape_wants_numbers(spool: Path, name: str) -> None:
    with queuewatch.shape(queue_directory=spool, now=NOW) as shape:
        for wrong in ("80", None, [80]):
            with pytest.raises(TypeError, match=rf"^{name}: a number, not "):
                shape.text("hold", **{name: wrong})  # type: ignore[arg-type]
        for odd in (-1, 0, 1e300, float("inf"), float("-inf"), float("nan")):
            with contextlib.suppress(queuewatch.InvalidArgument):
                shape.text("hold", **{name: odd})  # type: ignore[arg-type]


WIDE = ["\0", "a\0b", "\u65e5\u672c", "\U0001f4ec", "x" * 100_000, b"\xff\xfe", "\udcff", " ", ""]


@pytest.mark.parametrize("text", WIDE, ids=ascii)
def test_odd_texts_are_refused_with_words(spool: Path, snap: queuewatch.Snapshot, text: Any) -> None:
    for use in (
        lambda: snap.measure(text),
        lambda: snap.messages(text),
        lambda: snap.reasons(text),
        lambda: snap.check(warning=text),
        lambda: queuewatch.scan(queue_directory=text),
        lambda: queuewatch.scan(exclude=text),
        lambda: queuewatch.scan(timeout=text),
        lambda: queuewatch.scan(instance=text, queue_directory=spool),
    ):
        with pytest.raises(queuewatch.QueuewatchError) as caught:
            use()
        assert str(caught.value).isascii()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 5000


@pytest.mark.parametrize("wide", ["warning", "queue_directory", "odd_\u65e5_\0"])
def test_half_a_character_is_an_error_with_the_name(wide: str) -> None:
    with pytest.raises(
        queuewatch.InvalidArgument, match=rf"^{wide}: .*surrogates not allowed; give it as bytes"
    ):
        queuewatch.scan(**{wide: "\ud83d"})  # type: ignore[arg-type]
    with pytest.raises(queuewatch.InvalidArgument, match=r"^option: .*surrogates not allowed"):
        queuewatch.scan(**{"\ud83d": "1"})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, -1, 10**400])
def test_odd_numbers_are_refused_with_words(value: Any) -> None:
    for option in ("timeout", "readers"):
        with pytest.raises(queuewatch.QueuewatchError) as caught:
            queuewatch.scan(**{option: value})
        assert option in str(caught.value)


def test_positional_options_are_refused() -> None:
    with pytest.raises(TypeError):
        queuewatch.scan("/var/spool/postfix")  # type: ignore[call-arg]


USES: list[Any] = [
    lambda snap: snap.now,
    lambda snap: snap.complete,
    lambda snap: snap["hold.messages"],
    lambda snap: snap.measure("hold.messages"),
    lambda snap: snap.problems,
    lambda snap: snap.instances,
    lambda snap: snap.reasons(),
    lambda snap: snap.messages(),
    lambda snap: snap.json(),
    lambda snap: snap.check(),
    lambda snap: snap.__enter__().now,
]


@pytest.mark.parametrize("use", USES)
def test_a_closed_snapshot_says_so(spool: Path, use: Any) -> None:
    with queuewatch.scan(queue_directory=spool) as snap:
        assert not snap.closed
    assert snap.closed
    snap.close()
    with pytest.raises(queuewatch.Closed, match="this Snapshot is closed") as caught:
        use(snap)
    assert isinstance(caught.value, ValueError)
    assert caught.value.code is None


def test_a_closed_cursor_and_a_closed_verdict_say_so(snap: queuewatch.Snapshot) -> None:
    with snap.messages() as messages:
        next(messages)
    with pytest.raises(queuewatch.Closed, match="this Messages is closed"):
        next(messages)
    with pytest.raises(queuewatch.Closed):
        _ = messages.unreadable
    with snap.check() as verdict:
        pass
    for use in (lambda: verdict.state, lambda: verdict.findings, verdict.output, verdict.json):
        with pytest.raises(queuewatch.Closed, match="this Verdict is closed"):
            use()


def test_a_second_close_does_nothing(spool: Path) -> None:
    snap = queuewatch.scan(queue_directory=spool, now=NOW)
    shape = queuewatch.shape(queue_directory=spool, now=NOW)
    for thing in (snap.messages(), snap.check(), shape, snap):
        for _ in range(3):
            thing.close()
            assert thing.closed
        assert repr(thing) == f"<queuewatch.{type(thing).__name__} closed>"
        with pytest.raises(queuewatch.Closed):
            thing.json() if not isinstance(thing, queuewatch.Messages) else next(thing)


def test_children_outlive_the_snapshot(spool: Path) -> None:
    snap = queuewatch.scan(queue_directory=spool, now=NOW)
    messages, verdict = snap.messages("hold"), snap.check()
    first = next(messages)
    snap.close()
    del snap
    assert len(list(messages)) == 6
    assert first.queue == "hold"
    assert verdict.state is queuewatch.State.CRITICAL
    assert verdict.output(2)


@pytest.mark.parametrize("kind", sorted(set(_errors._CLASSES.values()), key=str))
def test_every_error_can_be_copied_and_pickled(kind: type[queuewatch.QueuewatchError]) -> None:
    error = kind("text", 20, 13, "/path", "remedy", 4)
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301
        assert type(twin) is kind
        assert str(twin) == "text"
        assert (twin.code, twin.errno, twin.path, twin.remedy, twin.offset) == (20, 13, "/path", "remedy", 4)


def test_every_code_has_a_class() -> None:
    codes = {value for name, value in vars(_abi).items() if name.startswith("QW_ERR_")}
    assert codes == set(_errors._CLASSES)


def test_tracebacks_and_pickles_say_the_public_names(snap: queuewatch.Snapshot) -> None:
    for name in queuewatch.__all__:
        thing = getattr(queuewatch, name)
        if isinstance(thing, type):
            assert (thing.__module__, thing.__name__) == ("queuewatch", name)
    assert b"queuewatch._" not in pickle.dumps((snap.measure("hold.messages"), next(snap.messages("hold"))))
