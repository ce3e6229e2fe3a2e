"""Scan, measure, messages, check on the spool of the corpus."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import doctest
import inspect
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import CORPUS, NOW, ROOT, Run, unpacked

import queuewatch
from queuewatch import Message, Quality, State

# Where `postsuper` redirected a message: postqueue lists the new address beside the old ones.
REDIRECT = "redir@redirected.example"


@pytest.fixture(scope="module")
def snap(spool: Path) -> queuewatch.Snapshot:
    return queuewatch.scan(queue_directory=spool, now=NOW)


@pytest.fixture(scope="module")
def listing() -> list[dict[str, Any]]:
    """What `postqueue -j` printed for this spool."""
    lines = (CORPUS / "postqueue-j.out").read_text().splitlines()
    return [json.loads(line) for line in lines]


def unquoted(address: str) -> str:
    """Take off the quotes that postqueue puts on a local part; a queue file has none."""
    if not address.startswith('"'):
        return address
    local, _, domain = address[1:].rpartition('"')
    return re.sub(r"\\(.)", r"\1", local) + domain


def test_a_snapshot_says_what_postqueue_said(
    snap: queuewatch.Snapshot, listing: list[dict[str, Any]]
) -> None:
    for queue, messages in Counter(row["queue_name"] for row in listing).items():
        assert snap[f"{queue}.messages"] == messages
        sizes = sum(row["message_size"] for row in listing if row["queue_name"] == queue)
        assert snap[f"{queue}.bytes"] == sizes


def test_a_snapshot_knows_its_time_and_that_it_is_whole(snap: queuewatch.Snapshot) -> None:
    assert snap.now == NOW
    assert snap.complete is True
    assert isinstance(snap.problems, tuple)


def test_whole_numbers_are_int_and_others_float(snap: queuewatch.Snapshot) -> None:
    messages, fill = snap["deferred.messages"], snap["active.fill"]
    assert isinstance(messages, int)
    assert messages == 194
    assert isinstance(fill, float)
    assert fill == pytest.approx(0.1)
    assert snap[b"deferred.older(4h)"] == snap["deferred.older(4h)"]


def test_a_measure_has_quality_and_detail(snap: queuewatch.Snapshot) -> None:
    measure = snap.measure("deferred.top_domain")
    assert measure == queuewatch.Measure("deferred.top_domain", 96, Quality.EXACT, "alpha.example")
    assert str(measure) == "deferred.top_domain is 96 (alpha.example)"
    assert snap.measure("deferred.messages").detail == ""


def test_what_is_unknown_raises_and_says_why(spool: Path) -> None:
    snap = queuewatch.scan(queue_directory=spool, counts=True)
    measure = snap.measure("deferred.recipients")
    assert (measure.value, measure.quality) == (None, Quality.UNKNOWN)
    assert measure.detail
    with pytest.raises(queuewatch.Incomplete, match=r"^deferred.recipients is unknown \(") as caught:
        snap["deferred.recipients"]
    assert caught.value.measure == measure
    assert pickle.loads(pickle.dumps(caught.value)).measure == measure  # noqa: S301


def test_a_lower_bound_is_no_value(closed_spool: Path, as_nobody: Run) -> None:
    def look() -> Any:
        snap = queuewatch.scan(queue_directory=closed_spool, now=NOW)
        try:
            value: Any = snap["deferred.messages"]
        except queuewatch.Incomplete as error:
            value = error
        return snap.complete, value, snap.problems, snap["hold.messages"], snap.check().state

    complete, error, problems, held, state = as_nobody(look)
    assert complete is False
    assert issubclass(queuewatch.Incomplete, LookupError)
    assert type(error) is queuewatch.Incomplete
    assert error.measure.quality is Quality.AT_LEAST
    assert error.measure.value == 0
    assert str(error).startswith("deferred.messages is at least 0; ")
    assert held == 7
    assert state is not State.OK
    # Whoever looks cannot list it, and Postfix cannot either.
    problem, misowned = problems
    place = (str(closed_spool / "deferred"), "deferred")
    assert (problem.kind, problem.path, problem.queue) == ("directory", *place)
    assert (misowned.kind, misowned.path, misowned.queue) == ("misowned", *place)
    assert "postfix set-permissions" in misowned.remedy
    assert problem.errno == 13
    assert "permission denied (EACCES)" in problem.message
    assert "CAP_DAC_READ_SEARCH" in problem.remedy
    assert str(problem).endswith(problem.remedy)


def test_what_is_misowned_or_misplaced_is_a_problem(tmp_path: Path) -> None:
    spool = unpacked(tmp_path)
    (spool / "hold").chmod(0o500)
    name = "9999999A"
    message = next(file for file in (spool / "active").iterdir() if file.is_file())
    misplaced = spool / "active" / "A" / name
    misplaced.parent.mkdir(mode=0o700)
    owner = message.stat()
    shutil.copy(message, misplaced)
    misplaced.chmod(0o700)
    for made in (misplaced, misplaced.parent):
        os.chown(made, owner.st_uid, owner.st_gid)
    problems = queuewatch.scan(queue_directory=spool, now=NOW).problems
    assert [(one.kind, one.queue, one.path) for one in problems] == [
        ("misowned", "hold", str(spool / "hold")),
        ("misplaced", "active", str(misplaced)),
    ]
    assert "its mode is 0500 and lacks 0200" in problems[0].message
    assert "postfix set-permissions" in (problems[0].remedy or "")
    assert "postsuper -s" in (problems[1].remedy or "")


def test_messages_are_those_of_postqueue(snap: queuewatch.Snapshot, listing: list[dict[str, Any]]) -> None:
    def shown(sender: str) -> str:
        return sender or "MAILER-DAEMON"

    ours = Counter(
        (m.queue, m.queue_id, m.arrival, m.size, shown(m.sender_text), m.forced_expire)
        for m in snap.messages()
        if m.queue != "corrupt"
    )
    theirs = Counter(
        (
            row["queue_name"],
            row["queue_id"],
            row["arrival_time"],
            row["message_size"],
            unquoted(row["sender"]),
            row["forced_expire"],
        )
        for row in listing
        if row["queue_name"] != "corrupt"
    )
    assert ours == theirs


def test_recipients_are_those_of_postqueue(snap: queuewatch.Snapshot, listing: list[dict[str, Any]]) -> None:
    theirs = {
        row["queue_id"]: {unquoted(one["address"]) for one in row["recipients"]} - {REDIRECT}
        for row in listing
        if row["queue_name"] == "deferred"
    }
    ours = {m.queue_id: set(m.recipients_text) for m in snap.messages(queue="deferred")}
    # A redirected message is one delivery, to the address that its other recipients are redirected to.
    redirected = [queue_id for queue_id, recipients in ours.items() if recipients == {REDIRECT}]
    assert len(redirected) == 1
    assert len(theirs.pop(redirected[0])) == 2
    del ours[redirected[0]]
    assert ours == theirs


def test_a_queue_picks_its_messages(snap: queuewatch.Snapshot) -> None:
    counted = Counter(message.queue for message in snap.messages("total"))
    assert counted["hold"] == 7
    assert sum(counted.values()) == snap["total.messages"]
    assert sum(1 for _ in snap.messages(b"backlog")) == snap["backlog.messages"]
    with snap.messages(queue="hold") as held:
        assert {message.queue for message in held} == {"hold"}
        assert held.unreadable == 0
        assert next(held, None) is None


def test_a_message_has_its_origin(snap: queuewatch.Snapshot) -> None:
    by = {message.origin_by for message in snap.messages()}
    assert by <= {"login", "client", "user", "unknown"}
    for message in snap.messages():
        assert (message.login is not None) == (message.origin_by == "login")
        if message.origin_by == "client":
            assert message.client == b"127.0.0.1"
        if message.origin_by == "user":
            assert message.user is not None
    assert "client" in by


def test_filters_pick_messages_by_option_name(spool: Path) -> None:
    every = queuewatch.scan(queue_directory=spool, now=NOW)
    some = queuewatch.scan(queue_directory=spool, now=NOW, client="127.0.0.1", older="1h")
    wanted = {
        m.queue_id for m in every.messages() if m.client == b"127.0.0.1" and NOW - (m.arrival or NOW) > 3600
    }
    assert {m.queue_id for m in some.messages()} == wanted
    assert 0 < len(wanted) < len(list(every.messages()))
    # A snapshot sums up all messages, whatever filters pick.
    assert every["total.messages"] == some["total.messages"]


def test_a_message_is_bytes_and_text(snap: queuewatch.Snapshot) -> None:
    for message in snap.messages(queue="deferred"):
        assert isinstance(message.sender, bytes)
        assert all(isinstance(address, bytes) for address in message.recipients)
        assert message.arrival is not None
        assert message.next_retry is not None
        assert message.instance == "postfix"
        assert message == pickle.loads(pickle.dumps(message))  # noqa: S301
    assert all(message.next_retry is None for message in snap.messages("active"))


def test_text_goes_back_to_the_same_bytes() -> None:
    raw = b"j\xfcrgen@\xff.example"
    values: dict[str, Any] = {field.name: 0 for field in dataclasses.fields(Message)}
    message = Message(**{**values, "sender": raw, "recipients": (raw,)})
    assert message.sender_text.encode("utf-8", "surrogateescape") == raw
    assert message.recipients_text == (message.sender_text,)


def test_json_has_the_figures_of_the_measures(snap: queuewatch.Snapshot) -> None:
    document: Any = snap.json()
    assert document["schema"] == "queuewatch/1"
    (instance,) = document["instances"]
    for queue, sums in instance["queues"].items():
        for what in ("messages", "recipients", "bytes", "oldest"):
            assert sums[what] == snap.measure(f"{queue}.{what}").value, (queue, what)


def test_a_verdict_has_state_words_and_findings(snap: queuewatch.Snapshot) -> None:
    verdict = snap.check(warning=["deferred.messages=100", "hold.messages=5"], critical="deferred.oldest=2d")
    assert verdict.state is State.CRITICAL
    assert [str(finding) for finding in verdict.findings] == [
        "deferred.oldest is 5d 18h (critical 2d)",
        "deferred.messages is 194 (warning 100)",
        "hold.messages is 7 (warning 5)",
    ]
    first = verdict.findings[0]
    assert (first.measure, first.range, first.value) == ("deferred.oldest", "2d", 500000)
    assert (first.state, first.quality) == (State.CRITICAL, Quality.EXACT)
    findings = ", ".join(map(str, verdict.findings))
    # Who acts, and on what, follows the findings.
    assert verdict.summary.startswith(f"POSTFIX QUEUE CRITICAL: {findings}; ours: ")
    assert verdict.output() == f"{verdict.summary} | {verdict.perfdata}\n"
    assert verdict.output(1).startswith(verdict.summary)
    assert len(verdict.output(1)) > len(verdict.output(0))
    assert verdict.json()["state"] == "CRITICAL"


def test_a_check_keeps_the_options_of_its_scan(spool: Path) -> None:
    scanned = queuewatch.scan(queue_directory=spool, now=NOW, exclude=["corrupt", "hold"], warning="100")
    assert [finding.measure for finding in scanned.check().findings] == ["total.messages"]
    judged = scanned.check(warning=None)
    assert "corrupt.messages" not in [finding.measure for finding in judged.findings]
    assert judged.state is State.CRITICAL
    with pytest.raises(queuewatch.InvalidArgument, match=r"hold.messages, and exclude= leaves it out"):
        scanned.check(warning=["hold.messages=1"])


def test_scan_and_check_in_one_call(spool: Path) -> None:
    with queuewatch.check(queue_directory=str(spool), now=str(NOW), critical=["hold.messages=9"]) as verdict:
        assert (verdict.state, verdict.findings) == (State.OK, ())


@pytest.mark.parametrize(
    "value",
    [["corrupt", "hold"], ("corrupt", b"hold"), [b"corrupt", b"hold"]],
    ids=["list", "mixed", "bytes"],
)
def test_a_list_sets_an_option_once_for_each(spool: Path, value: list[str | bytes]) -> None:
    snap = queuewatch.scan(queue_directory=spool, exclude=value)
    document: Any = snap.json()
    assert set(document["instances"][0]["queues"]) == {"active", "deferred", "incoming", "maildrop"}


@pytest.mark.parametrize("directory", [str, bytes, Path], ids=["str", "bytes", "path"])
def test_a_switch_and_numbers_and_paths(spool: Path, directory: Any) -> None:
    given = str(spool).encode() if directory is bytes else directory(spool)
    options: dict[str, Any] = {"queue_directory": given, "timeout": 7.5, "readers": 2, "instance": None}
    assert queuewatch.scan(**options, counts=False)["deferred.recipients"] == 1960
    counted = queuewatch.scan(**options, counts=True)
    assert counted["deferred.messages"] == 194
    assert counted.measure("deferred.recipients").quality is Quality.UNKNOWN


def test_reprs_say_what_it_is(snap: queuewatch.Snapshot) -> None:
    count = len(snap.problems)
    assert repr(snap) == f"<queuewatch.Snapshot now={NOW} complete, problems: {count}>"
    messages = snap.messages()
    assert repr(messages) == "<queuewatch.Messages unreadable=0>"
    verdict = snap.check(warning="hold.messages=5")
    assert repr(verdict) == "<queuewatch.Verdict POSTFIX QUEUE WARNING: hold.messages is 7 (warning 5)>"
    for thing in (messages, verdict):
        thing.close()
        assert repr(thing) == f"<queuewatch.{type(thing).__name__} closed>"


def test_a_state_is_a_word_and_an_exit_code() -> None:
    assert f"{State.WARNING} {State.WARNING!s:>9}" == "WARNING   WARNING"
    assert int(State.UNKNOWN) == 3
    assert f"{Quality.AT_LEAST}" == "at least"
    assert State(99) is State.UNKNOWN
    assert Quality(99) is Quality.UNKNOWN
    with pytest.raises(ValueError, match="OK"):
        State("OK")  # type: ignore[arg-type]
    with pytest.raises(SystemExit) as caught:
        sys.exit(State.CRITICAL)
    assert caught.value.code == 2


def test_values_cannot_be_changed_and_objects_not_be_copied(snap: queuewatch.Snapshot) -> None:
    measure = snap.measure("hold.messages")
    with pytest.raises(dataclasses.FrozenInstanceError):
        measure.value = 0  # type: ignore[misc]
    for thing in (snap, snap.messages(), snap.check()):
        with pytest.raises(TypeError, match="lives in this process only"):
            copy.copy(thing)


def test_the_example_of_the_package_is_true(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(spool.parent)
    results = doctest.testmod(queuewatch)
    assert results.attempted > 5
    assert results.failed == 0


def blocks(readme: Path) -> list[str]:
    """The Python programs in a page, fenced or indented."""
    text = readme.read_text()
    fenced = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?:^    .*\n|^\n)+", text, re.MULTILINE)
    texts = [textwrap.dedent(block) for block in (*fenced, *indented)]
    found = [re.search(r"^import queuewatch$.*", text, re.MULTILINE | re.DOTALL) for text in texts]
    return [program[0] for program in found if program]


@pytest.mark.parametrize("readme", [ROOT / "src/docs/guide.md", ROOT / "bindings/python/README.md"], ids=str)
def test_the_programs_of_guide_and_readme_run(
    spool: Path, readme: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = blocks(readme)
    assert "/var/spool/postfix" in program
    with contextlib.suppress(SystemExit):
        exec(program.replace("/var/spool/postfix", str(spool)), {})  # noqa: S102
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("194 deferred.oldest is ")
    assert any("POSTFIX QUEUE CRITICAL: " in line for line in lines)


def test_instances_are_told(snap: queuewatch.Snapshot, spool: Path) -> None:
    (instance,) = snap.instances
    assert instance == queuewatch.Instance("postfix", None, str(spool), complete=True)
    assert snap[f"{instance.name}/hold.messages"] == snap["hold.messages"]


def test_public_names_have_types_without_any() -> None:
    seen = 0
    for name in queuewatch.__all__:
        thing = getattr(queuewatch, name)
        members = [thing]
        if isinstance(thing, type):
            public = {member: value for member, value in vars(thing).items() if member[0] != "_"}
            members += [getattr(value, "fget", value) for value in public.values()]
        for member in members:
            hints = getattr(member, "__annotations__", {})
            seen += len(hints)
            assert not re.search(r"\bAny\b", str(hints)), (name, member)
            if inspect.isfunction(member):
                assert "return" in hints, member
    assert seen > 90


def test_the_manual_is_readable() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "bindings/python/src"), "TERM": "dumb"}
    command = [sys.executable, "-m", "pydoc", "queuewatch"]
    page = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    for wanted in ("is mail stuck in a Postfix queue?", "scan(**options", "log_to(logger", "class Snapshot("):
        assert wanted in page
    for name in queuewatch.__all__:
        thing = getattr(queuewatch, name)
        if isinstance(thing, type) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), name
