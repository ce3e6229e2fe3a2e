#!/usr/bin/env python3
"""A check by the package nagiosplugin: how long deferred mail waits, and rules of our own beside it."""

import argparse

import nagiosplugin
from queuewatch.nagiosplugin import PostfixQueue, Rules


def main() -> None:
    """Take the ranges from the command line, the figures from the core."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queue-directory", default="/var/spool/postfix")
    parser.add_argument(
        "-w", "--warning", metavar="RANGE", default="14400", help="seconds"
    )
    parser.add_argument(
        "-c", "--critical", metavar="RANGE", default="86400", help="seconds"
    )
    words = parser.parse_args()
    options = {
        "queue_directory": words.queue_directory,
        "timeout": 8,
        "critical": "spool.damaged=0",
    }
    nagiosplugin.Check(
        PostfixQueue("deferred.oldest", **options),
        Rules(),
        nagiosplugin.ScalarContext("deferred.oldest", words.warning, words.critical),
    ).main(timeout=10)


if __name__ == "__main__":
    main()
