"""queuewatch.nagiosplugin in a real plugin made with the package nagiosplugin."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW, PLUGIN, ROOT, Run
from nagiosplugin import Check, ScalarContext

import queuewatch
import queuewatch.nagiosplugin
from queuewatch.nagiosplugin import PostfixQueue, Rules

PROGRAM = """if True:
    import sys
    import nagiosplugin
    from queuewatch.nagiosplugin import PostfixQueue, Rules

    @nagiosplugin.guarded
    def main():
        options = dict(word.split("=", 1) for word in sys.argv[1:])
        nagiosplugin.Check(PostfixQueue(**options), Rules()).main(verbose=0, timeout=20)

    main()
"""


def plugin(**options: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "bindings/python/src")}
    words = [f"{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-c", PROGRAM, *words]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    return ended.returncode, ended.stdout


@pytest.mark.parametrize(
    ("rule", "state", "code"),
    [("9", "OK", 0), ("5", "CRITICAL", 2), ("@7:7", "CRITICAL", 2)],
)
def test_a_plugin_says_what_the_program_says(spool: Path, rule: str, state: str, code: int) -> None:
    command = [str(PLUGIN), "--queue-directory", str(spool), "--now", str(NOW), "-c", f"hold.messages={rule}"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    ours = plugin(queue_directory=str(spool), now=str(NOW), critical=f"hold.messages={rule}")
    # nagiosplugin has a dash where the program has a colon.
    assert ours == (code, said.replace(f"{state}:", f"{state} -", 1))


def test_what_fails_is_unknown_with_the_reason() -> None:
    code, said = plugin(queue_directory="/nonexistent")
    assert code == 3
    assert said.startswith("POSTFIX QUEUE UNKNOWN - cannot ")
    assert "/nonexistent: no such file or directory (ENOENT)" in said


def test_a_wrong_rule_is_unknown_with_the_reason(spool: Path) -> None:
    code, said = plugin(queue_directory=str(spool), warning="hold.messages=5:1")
    assert code == 3
    assert "start" in said


def test_figures_are_for_the_contexts_of_the_user(spool: Path) -> None:
    queue = PostfixQueue(
        "hold.messages", "deferred.oldest", queue_directory=spool, now=NOW, critical="100000"
    )
    check = Check(queue, Rules(), ScalarContext("hold.messages", "5"), ScalarContext("deferred.oldest"))
    check()
    assert str(check.state) == "warning"
    assert next(str(result) for result in check.results) == "hold.messages is 7 (outside range 0:5)"
    assert "'deferred.oldest'=500000" in check.perfdata
    assert any("deferred_oldest=500000s" in item for item in check.perfdata)
    assert queue.verdict is not None
    assert queue.verdict.state is queuewatch.State.OK


def test_a_figure_that_is_not_known_is_never_ok(closed_spool: Path, as_nobody: Run) -> None:
    def look() -> Any:
        queue = PostfixQueue("deferred.messages", queue_directory=closed_spool, critical="hold.messages=5")
        check = Check(queue, Rules(), ScalarContext("deferred.messages", "1000"))
        check()
        return str(check.state), [str(result) for result in check.results]

    state, (unknown, critical) = as_nobody(look)
    assert state == "unknown"
    assert unknown.startswith("deferred.messages is at least 0")
    assert critical.startswith("hold.messages is 7 (critical 5)")


def test_without_the_package_the_import_says_how_to_get_it() -> None:
    program = """if True:
        import sys
        sys.modules["nagiosplugin"] = None
        try:
            import queuewatch.nagiosplugin
        except ImportError as error:
            print(error.name, error, sep="|")
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "bindings/python/src")}
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert said.startswith("nagiosplugin|queuewatch.nagiosplugin needs the package nagiosplugin; install it")
    assert "pip install queuewatch[nagiosplugin]" in said


def test_the_example_of_the_module_is_true(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(spool.parent)
    results = doctest.testmod(queuewatch.nagiosplugin)
    assert results.attempted > 5
    assert results.failed == 0
