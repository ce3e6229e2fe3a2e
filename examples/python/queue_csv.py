#!/usr/bin/env python3
"""Writes the queues as CSV: a row for each recipient that waits, all of it text.

queue_csv.py queue=deferred queue_directory=/var/spool/postfix > queue.csv
pandas.DataFrame(rows(queue="deferred")).groupby("domain").size()
"""

import csv
import sys

import queuewatch

MESSAGE = ("queue", "queue_id", "arrival", "size", "sender_text")
FIELDS = (*MESSAGE, "recipient", "domain", "status", "reason")


def rows(queue=None, **options):
    """Yield a dictionary for each recipient, while the spool is read."""
    # Only the messages are needed, so the scan before them may be the cheapest one.
    with queuewatch.scan(measure="total.messages", **options) as snap:
        for message in (messages := snap.messages(queue)):
            known = [getattr(message, field) for field in MESSAGE]
            for recipient, delay in zip(message.recipients_text, message.delays):
                domain = recipient.rpartition("@")[2].lower()
                why = (delay.status, delay.reason_text) if delay else ("", "")
                yield dict(zip(FIELDS, (*known, recipient, domain, *why)))
        if messages.unreadable:
            print(f"{messages.unreadable} could not be read", file=sys.stderr)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    table = csv.DictWriter(sys.stdout, FIELDS)
    try:
        words = dict(word.split("=", 1) for word in sys.argv[1:])
        table.writeheader()
        table.writerows(rows(**words))
    except (ValueError, queuewatch.QueuewatchError) as error:
        sys.exit(f"{error}\nUsage: queue_csv.py [queue=QUEUE] [OPTION=VALUE ...]")
