#!/usr/bin/env python3
"""A check by the package nagiosplugin: how long deferred mail waits, and how many recipients for one domain."""

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
    parser.add_argument(
        "--domain",
        metavar="RANGE",
        default="10000",
        help="recipients, CRITICAL outside",
    )
    words = parser.parse_args()
    queue = PostfixQueue(
        "deferred.oldest",
        "deferred.top_domain",
        queue_directory=words.queue_directory,
        timeout=8,
        critical="spool.damaged=0",
    )
    nagiosplugin.Check(
        queue,
        Rules(),
        nagiosplugin.ScalarContext("deferred.oldest", words.warning, words.critical),
        nagiosplugin.ScalarContext("deferred.top_domain", None, words.domain),
    ).main(timeout=10)


if __name__ == "__main__":
    main()
