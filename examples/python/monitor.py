#!/usr/bin/env python3
"""Watches the queues in an asyncio loop, and tells each change of the state.

monitor.py queue_directory=/var/spool/postfix warning=deferred.oldest=4h
"""

import asyncio
import signal
import sys

import queuewatch


class Monitor:
    def __init__(self, watch):
        self.watch, self.state = watch, None
        self.look()

    def look(self):
        """Take in the news; called whenever there are some, and every ten seconds."""
        for event in self.watch.dispatch():
            print(event, flush=True)
        verdict = self.watch.check()
        if verdict.state is not self.state:
            self.state = verdict.state
            print(verdict.summary, flush=True)


async def main(options):
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    with queuewatch.watch(**options) as watch:
        loop.add_reader(watch.fileno(), Monitor(watch).look)
        await ended.wait()
        loop.remove_reader(watch.fileno())


asyncio.run(main(dict(word.split("=", 1) for word in sys.argv[1:])))
