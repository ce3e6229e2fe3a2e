"""Shapes, reasons and delays: the same as the programs tell, and as the real qshape told."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from conftest import CORPUS, NOW, ROOT

import queuewatch

QUEUEWATCH = ROOT / "target/release/queuewatch"


def told(spool: Path, command: str, *words: str) -> str:
    ran = subprocess.run(
        [str(QUEUEWATCH), command, "--queue-directory", str(spool), "--now", str(NOW), *words],
        capture_output=True,
        check=True,
    )
    return ran.stdout.decode("utf-8", "surrogateescape")


@pytest.fixture
def shape(spool: Path) -> queuewatch.Shape:
    return queuewatch.shape(queue_directory=spool, now=NOW)


@pytest.mark.parametrize(
    ("label", "queue", "senders"), [("deferred", "deferred", False), ("hold-s", "hold", True)]
)
def test_it_is_the_table_of_qshape(shape: queuewatch.Shape, label: str, queue: str, senders: bool) -> None:
    saved = (CORPUS / "qshape" / f"{label}.out").read_bytes().decode("utf-8", "surrogateescape")
    ours = shape.text(queue, senders=senders)
    assert sorted(ours.splitlines()) == sorted(saved.splitlines())


def test_it_is_the_table_of_the_program(shape: queuewatch.Shape, spool: Path) -> None:
    queues = ("maildrop", "incoming", "active", "deferred", "hold")
    ours = shape.text("total", parents=True, min_subdomains=2, width=120)
    assert ours == told(spool, "shape", "-p", "-m", "2", "-w", "120", *queues)
    document = json.loads(told(spool, "shape", "--json", "-s", *queues))
    assert shape.json("total", senders=True) == document


def test_rows_say_what_the_text_says(shape: queuewatch.Shape) -> None:
    rows = shape.rows("deferred")
    lines = shape.text("deferred", width=200).splitlines()[1:]
    assert [row.total for row in rows] == [int(line.split()[-11]) for line in lines]
    assert all(sum(row.counts) == row.total for row in rows)
    assert rows[0].domain_text == "TOTAL"


def test_columns_are_as_asked_for(spool: Path) -> None:
    with queuewatch.shape(
        queue_directory=spool, now=NOW, bucket_count=3, bucket_time=0.5, linear=True
    ) as shape:
        assert len(shape.rows()[0].counts) == 3
        assert shape.text().splitlines()[0].split() == ["T", "0.5", "1", "1+"]
    assert "closed" in repr(shape)


def test_all_counts_what_a_scan_counts(spool: Path) -> None:
    shape = queuewatch.shape(queue_directory=spool, now=NOW, all=True)
    total = next(row for row in shape.rows("total") if row.domain == b"TOTAL")
    # The redirected message has two recipients and is one delivery.
    assert total.total - 1 == queuewatch.scan(queue_directory=spool, now=NOW)["total.recipients"]


def test_reasons_are_those_of_the_program(spool: Path) -> None:
    snap = queuewatch.scan(queue_directory=spool, now=NOW)
    document = json.loads(told(spool, "reasons", "--json", "deferred"))
    # Documents spell a backslash so that text can be turned back.
    ours = [
        {
            "domain": row.domain_text,
            "code": row.code,
            "reason": row.reason.replace("\\", "\\x5c"),
            "recipients": row.recipients,
        }
        for row in snap.reasons("deferred")
    ]
    keys = ("domain", "code", "reason", "recipients")
    assert ours == [{key: row[key] for key in keys} for row in document["reasons"]]
    assert sum(row.recipients for row in snap.reasons("deferred")) == snap["deferred.reason(4)"]


def test_each_recipient_knows_why_it_waits(spool: Path) -> None:
    snap = queuewatch.scan(queue_directory=spool, now=NOW)
    delays = [delay for message in snap.messages("deferred") for delay in message.delays]
    assert len(delays) == snap["deferred.recipients"]
    known = [delay for delay in delays if delay is not None]
    assert len(known) == snap["deferred.reason(4)"]
    assert {delay.status for delay in known} >= {"4.4.1", "4.7.1"}
    assert "Connection refused" in str(known[0]) or "Greylisted" in str(known[0]) or known[0].reason


def test_reasons_that_were_not_read_are_no_empty_list(spool: Path) -> None:
    snap = queuewatch.scan(queue_directory=spool, measure="deferred.messages")
    with pytest.raises(queuewatch.Unsupported, match="not read in this scan"):
        snap.reasons()


def test_what_is_no_queue_is_refused(shape: queuewatch.Shape) -> None:
    with pytest.raises(queuewatch.NotFound):
        shape.text("nosuch")


def test_a_queue_that_was_left_out_has_no_table(spool: Path) -> None:
    shape = queuewatch.shape(queue_directory=spool, now=NOW, exclude=["deferred", "corrupt"])
    for queue in ("deferred", "corrupt"):
        with pytest.raises(queuewatch.QueuewatchError, match="excluded"):
            shape.rows(queue)
    assert shape.text("hold") == queuewatch.shape(queue_directory=spool, now=NOW).text("hold")
    queues = ["active", "deferred", "incoming", "hold", "maildrop", "corrupt"]
    with pytest.raises(queuewatch.QueuewatchError, match="nothing to look at"):
        queuewatch.shape(queue_directory=spool, exclude=queues)


def test_growth_is_told_by_a_state_that_the_host_keeps(spool: Path) -> None:
    with queuewatch.scan(queue_directory=spool, now=NOW, previous="") as first:
        assert first.measure("deferred.growth").quality == queuewatch.Quality.UNKNOWN
        state = first.state()
    with queuewatch.scan(queue_directory=spool, now=NOW + 60, previous=state) as second:
        assert second["total.growth"] == 0
    with pytest.raises(queuewatch.QueuewatchError, match="not a state of queuewatch"):
        queuewatch.scan(queue_directory=spool, previous="{}")
