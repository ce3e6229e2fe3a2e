#!/usr/bin/env python3
"""Tells a webhook when mail is stuck. For cron; mail would wait in that very queue.

*/5 * * * * root /usr/local/bin/alert_cron.py https://chat.example/hook timeout=30
"""

import json
import sys
import urllib.request

import queuewatch

WARNING = ["deferred.oldest=4h", "active.fill=80%"]
CRITICAL = ["deferred.oldest=1d", "active.fill=95%", "deferred.messages=20000"]


def look(options):
    """Return the state and what to tell."""
    try:
        snap = queuewatch.scan(warning=WARNING, critical=CRITICAL, **options)
        verdict = snap.check()
        lines = [verdict.summary, snap.measure("deferred.top_domain"), *snap.problems]
        return verdict.state, "\n".join(map(str, lines[:10]))
    except queuewatch.QueuewatchError as error:
        return queuewatch.State.UNKNOWN, f"POSTFIX QUEUE UNKNOWN: {error}"


if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
    sys.exit("Usage: alert_cron.py WEBHOOK [OPTION=VALUE ...]")
state, text = look(dict(word.split("=", 1) for word in sys.argv[2:]))
if state is not queuewatch.State.OK:
    body = json.dumps({"text": text}).encode()
    kind = {"Content-Type": "application/json"}
    request = urllib.request.Request(sys.argv[1], body, kind)
    urllib.request.urlopen(request, timeout=20).close()
