"""The same words, figures and state as the program check_postfix_queue."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW, PLUGIN

import queuewatch

CASES: list[dict[str, Any]] = [
    {},
    {"warning": ["deferred.messages=100"]},
    {"warning": ["deferred.oldest=4h", "300"], "critical": ["deferred.older(4h)=10", "hold.messages=2:5"]},
    {"critical": ["active.fill=95%", "deferred.domain(alpha.example)=10"]},
    {"warning": ["deferred.top_sender=1", "deferred.top_domain=5"], "exclude": ["corrupt", "maildrop"]},
    {
        "critical": "deferred.messages=1 and deferred.recipients=1",
        "exclude_domain": "dest.example",
        "exclude_sender": ["<>", "shop.example"],
    },
    {"counts": True, "warning": ["total.messages=100"]},
    {"critical": ["postfix/deferred.messages=1", "deferred.expiring(1d)=0"], "readers": 1},
    {"warning": ["total.messages=100000"]},
]


def words(options: dict[str, Any]) -> list[str]:
    """The options as a person would type them."""
    line = []
    for keyword, value in options.items():
        flag = "--" + keyword.replace("_", "-")
        for one in value if isinstance(value, list) else [value]:
            line += [flag] if one is True else [flag, str(one)]
    return line


def steady(text: str) -> str:
    """Without what others change meanwhile: the free space of the disk."""
    return re.sub(r"(disk_free_(?:bytes|inodes)=|\"free_(?:bytes|inodes)\": )\d+", r"\1N", text)


def printed(options: dict[str, Any], *more: str) -> tuple[int, str]:
    ended = subprocess.run([str(PLUGIN), *words(options), *more], capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    return ended.returncode, ended.stdout


@pytest.mark.parametrize("case", CASES, ids=[" ".join(words(case)) or "defaults" for case in CASES])
@pytest.mark.parametrize("verbosity", [0, 1, 2, 3])
def test_output_and_exit_code(spool: Path, case: dict[str, Any], verbosity: int) -> None:
    options = {"queue_directory": str(spool), "now": str(NOW), **case}
    code, text = printed(options, *["-v"] * verbosity)
    verdict = queuewatch.check(**options)
    assert steady(verdict.output(verbosity)) == steady(text)
    assert int(verdict.state) == code


@pytest.mark.parametrize("case", CASES, ids=[" ".join(words(case)) or "defaults" for case in CASES])
def test_json(spool: Path, case: dict[str, Any]) -> None:
    options = {"queue_directory": str(spool), "now": str(NOW), **case}
    _, text = printed(options, "--format", "json")
    document = queuewatch.check(**options).json()
    assert steady(json.dumps(document, indent=1)) == steady(json.dumps(json.loads(text), indent=1))


@pytest.mark.parametrize(
    "options",
    [
        {"queue_directory": "/nonexistent"},
        {"queue_directory": "/usr"},
        {"warning": ["deferred.messages=10:5"]},
        {"critical": ["nonsense=1"]},
        {"exclude": "bounce"},
        {"timeout": "soon"},
        {"queue_directory": "/usr", "config_directory": "/etc"},
    ],
    ids=lambda options: " ".join(words(options)),
)
def test_errors_have_the_words_of_the_program(options: dict[str, Any]) -> None:
    with pytest.raises(queuewatch.QueuewatchError) as caught:
        queuewatch.check(**options)
    code, text = printed(options)
    # Each spells options as its reader gives them.
    spelled = re.sub(
        r"\b([a-z_]+)=(?=[\", )]|$)", lambda found: "--" + found[1].replace("_", "-"), str(caught.value)
    )
    spelled = re.sub(r'(--[a-z-]+)"', r'\1 "', spelled)
    assert text == f"POSTFIX QUEUE UNKNOWN: {spelled}\n"
    assert code == queuewatch.State.UNKNOWN
