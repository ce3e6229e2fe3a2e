"""`python -m queuewatch`: a check from Python, with the words and exit codes of check_postfix_queue."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from . import QueuewatchError, State, __version__, check
from ._lists import options


def parser() -> argparse.ArgumentParser:
    """Return the parser, made of the options that the library lists."""
    made = argparse.ArgumentParser(
        prog="python -m queuewatch",
        description="Judge the queues of Postfix and print what check_postfix_queue prints.",
        epilog="Exit: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN or an error.",
    )
    made.add_argument("--version", action="version", version=f"queuewatch {__version__}")
    made.add_argument("-v", "--verbose", action="count", default=0, help="long output; twice: more of it")
    made.add_argument("--json", action="store_true", help="print the JSON document")
    short = {"warning": ["-w"], "critical": ["-c"], "config_directory": ["-d"], "timeout": ["-t"]}
    for option in options():
        words = [*short.get(option.keyword, []), "--" + option.keyword.replace("_", "-")]
        kind: dict[str, Any] = {"help": option.help.replace("%", "%%"), "default": None}
        if option.value is None:
            kind["action"] = "store_true"
        else:
            kind["metavar"] = option.value
            kind["action"] = "append" if option.repeatable else "store"
        made.add_argument(*words, **kind)
    return made


def main(words: list[str] | None = None) -> int:
    """Judge, print, and return the exit code."""
    try:
        given = vars(parser().parse_args(words))
    except SystemExit as end:
        return 0 if not end.code else State.UNKNOWN
    verbose, in_json = given.pop("verbose"), given.pop("json")
    given.setdefault("timeout", "10")
    if given["timeout"] is None:
        given["timeout"] = "10"
    try:
        with check(**given) as verdict:
            if in_json:
                import json

                print(json.dumps(verdict.json()))
            else:
                print(verdict.output(verbose), end="")
            return verdict.state
    except (QueuewatchError, TypeError) as why:
        print(f"POSTFIX QUEUE UNKNOWN: {why}")
        return State.UNKNOWN


if __name__ == "__main__":
    sys.exit(main())
