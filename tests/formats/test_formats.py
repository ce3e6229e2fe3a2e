"""What programs read of us: every JSON document against the schema, OpenMetrics against a public parser."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "include/queuewatch.schema.json").read_text())
NOW = "1795461304"
CHECK, TOOL = "check_postfix_queue", "queuewatch"


def told(program: str, *words: str) -> str:
    ran = subprocess.run(
        [str(ROOT / "target/release" / program), *words, "--now", NOW], capture_output=True, check=False
    )
    assert ran.stdout, ran.stderr
    return ran.stdout.decode()


@pytest.fixture(scope="module", params=["short-mixed", "long-live", "odd", "empty", "drill"])
def spool(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("spool")
    place = folder / "spool"
    if request.param == "empty":
        for queue in ("maildrop", "incoming", "active", "deferred", "hold", "corrupt"):
            (place / queue).mkdir(parents=True)
    elif request.param == "drill":
        made = [str(ROOT / "target/release" / TOOL), "drill", str(place), "--messages", "500", "--now", NOW]
        subprocess.run(made, capture_output=True, check=True)
    else:
        archive = ROOT / "tests/corpus" / request.param / "spool.tar.xz"
        subprocess.run(["tar", "-xpJf", str(archive), "-C", str(folder)], check=True)
    return str(place)


def validated(text: str) -> Any:
    document = json.loads(text)
    jsonschema.validate(document, SCHEMA)
    return document


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_document_is_of_the_schema(spool: str, tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    at = ("--queue-directory", spool)
    for _ in range(2):
        validated(told(CHECK, *at, "--format", "json", "--state", state))
    validated(Path(state).read_text())
    validated(told(CHECK, *at, "--format", "json", "--counts"))
    validated(told(CHECK, *at, "--format", "json", "--exclude", "hold", "-w", "deferred.older(1h)=0"))
    validated(told(TOOL, "status", *at, "--json"))
    validated(told(TOOL, "reasons", *at, "--json"))
    for by in ("login", "client", "network", "user", "sender", "sender-domain", "helo", "subject"):
        validated(told(TOOL, "origins", *at, "--json", "--by", by))
    assert validated(told(TOOL, "origins", *at, "--json"))["complete"] in (True, False)
    for words in (["deferred"], ["-s", "--all", "hold", "maildrop"], ["-b", "2", "-p", "deferred"]):
        validated(told(TOOL, "shape", "--json", *at, *words))


def test_every_message_is_shown_by_the_schema(spool: str) -> None:
    at = ("--queue-directory", spool)
    names = set()
    for queue in ("maildrop", "incoming", "active", "deferred", "hold", "corrupt"):
        files = [
            path for path in (Path(spool) / queue).rglob("*") if path.is_file() and not path.is_symlink()
        ]
        names |= {path.name for path in files if path.name.isascii() and path.name.isalnum()}
    ids = sorted(names)[:200]
    if not ids:
        assert validated(told(TOOL, "show", *at, "--json", "ABCDEF"))["missing"] == ["ABCDEF"]
        return
    document = validated(told(TOOL, "show", *at, "--json", "--headers", "--body", "500", "--walk", *ids))
    assert document["missing"] == []
    assert {message["queue_id"] for message in document["messages"]} == set(ids)


def test_what_a_watch_tells_is_of_the_schema(tmp_path: Path) -> None:
    subprocess.run(
        ["tar", "-xpJf", str(ROOT / "tests/corpus/short-mixed/spool.tar.xz"), "-C", str(tmp_path)], check=True
    )
    spool, status = tmp_path / "spool", tmp_path / "status"
    words = ["watch", "--json", "--queue-directory", str(spool), "--status", str(status)]
    with subprocess.Popen(
        [str(ROOT / "target/release" / TOOL), *words], stdout=subprocess.PIPE, text=True
    ) as watch:
        threading.Timer(20, watch.kill).start()
        assert watch.stdout is not None
        assert validated(watch.stdout.readline())["event"] == "state"
        one = next(path for path in (spool / "hold").iterdir() if path.is_file())
        one.rename(spool / "active" / one.name)
        assert validated(watch.stdout.readline())["event"] == "moved"
        (spool / "corrupt").rename(spool / "elsewhere")
        assert validated(watch.stdout.readline())["event"] == "rescanned"
        validated(status.read_text())
        watch.kill()


def test_a_failure_is_a_document_too(tmp_path: Path) -> None:
    at = ("--queue-directory", str(tmp_path / "absent"))
    document = validated(told(CHECK, *at, "--format", "json"))
    assert document["state"] == "UNKNOWN"
    assert document["broken"][0]["errno"] == "ENOENT"


def test_the_schema_refuses_what_is_none(spool: str) -> None:
    document = validated(told(CHECK, "--queue-directory", spool, "--format", "json"))
    for change in ({"schema": "queuewatch/2"}, {"state": "FINE"}, {"instances": [{}]}, {"new": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**document, **change}, SCHEMA)


def test_openmetrics_are_parsed_and_say_what_json_says(spool: str) -> None:
    at = ("--queue-directory", spool)
    text = told(TOOL, "status", *at, "--openmetrics")
    assert figures_of_the_queue(text) == figures_of_the_queue(told(CHECK, *at, "--format", "openmetrics"))
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert all(name.startswith("postfix_spool_") for name in families)
    assert all(family.documentation and family.type == "gauge" for family in families.values())
    instance = validated(told(CHECK, *at, "--format", "json"))["instances"][0]
    of_queue = {
        "postfix_spool_messages": "messages",
        "postfix_spool_size_bytes": "bytes",
        "postfix_spool_oldest_message_age_seconds": "oldest",
    }
    told_samples = 0
    for name, key in of_queue.items():
        for sample in families[name].samples:
            assert sample.value == instance["queues"][sample.labels["queue"]][key]
            assert sample.labels["postfix_instance"] == instance["name"]
            told_samples += 1
    assert told_samples >= 16
    assert [s.value for s in families["postfix_spool_scan_time_seconds"].samples] == [float(NOW)]


def figures_of_the_queue(text: str) -> list[str]:
    """The lines of a text, without the file system's figures, which others change between two runs."""
    return [line for line in text.splitlines() if not line.startswith("postfix_spool_disk_free_")]


def test_a_failure_is_told_to_the_collector(tmp_path: Path) -> None:
    text = told(CHECK, "--queue-directory", str(tmp_path), "--format", "openmetrics")
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert [(sample.name, sample.value) for sample in samples] == [("postfix_spool_broken_instances", 1.0)]
