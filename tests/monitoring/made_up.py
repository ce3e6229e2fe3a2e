"""Hosts of made-up mail with a node_exporter each, and what every panel and rule has to say of them.

For tests/monitoring/prometheus. What is expected comes from `queuewatch list`, `reasons` and the JSON of the
check, not from the metrics; only the estimates of a sampled queue are computed from what was written.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Callable

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
BIN = Path(os.environ.get("QUEUEWATCH_BIN", ROOT / "target/release"))
TOOL, CHECK = str(BIN / "queuewatch"), str(BIN / "check_postfix_queue")
LIVE = ("maildrop", "incoming", "active", "deferred")
QUEUES = (*LIVE, "hold", "corrupt")
EDGES = [300 * 2**column for column in range(9)] + [172800, 345600]
# Of how many deferred messages a scan reads the delay reasons.
SAMPLE = 2000
NAMED = ["--metrics-domain", "bigmail.example", "--metrics-top", "2"]
Series = dict[tuple[tuple[str, str], ...], float]


def run(*words: str, wanted: tuple[int, ...] = (0,), **more: Any) -> str:
    ran: subprocess.CompletedProcess[str] = subprocess.run(words, capture_output=True, text=True, **more)
    if ran.returncode not in wanted:
        raise SystemExit(f"{' '.join(words)}: exit {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def until(what: str, seconds: float, done: Callable[[], Any]) -> Any:
    end = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < end:
        try:
            value = done()
            if value:
                return value
            last = value
        except (OSError, KeyError, ValueError) as error:
            last = error
        time.sleep(0.25)
    raise SystemExit(f"{what}: not within {seconds} s; last: {last!r}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Host:
    """A host of made-up mail, with a node_exporter."""

    def __init__(self, folder: Path, name: str, region: str, role: str, **drill: str) -> None:
        self.name, self.labels = name, {"instance": name, "region": region, "role": role}
        self.spool, self.textfiles, self.port = (
            folder / name / "spool",
            folder / name / "textfile",
            free_port(),
        )
        self.textfiles.mkdir(parents=True)
        self.make(**drill)
        self.daemon = subprocess.Popen(
            [
                "prometheus-node-exporter",
                "--collector.disable-defaults",
                "--collector.textfile",
                f"--collector.textfile.directory={self.textfiles}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def make(self, **drill: str) -> None:
        """Replaces its mail."""
        if self.spool.exists():
            shutil.rmtree(self.spool)
        words = [word for name, value in drill.items() for word in (f"--{name}", value)]
        run(TOOL, "drill", str(self.spool), *words, wanted=(0, 1, 2, 3))

    def write(self) -> None:
        """Writes its metrics, as the unit of examples/systemd does, at a second that is kept."""
        self.now = str(int(time.time()))
        unit = (EXAMPLES / "systemd/queuewatch-metrics.service").read_text()
        line = re.search(r"^ExecStart=\S+ (.*)$", unit, re.M)
        assert line
        words = line[1].split()
        at = words.index("--output")
        words[at + 1] = str(self.textfiles / "postfix.prom")
        words[words.index("--all-instances")] = f"--queue-directory={self.spool}"
        run(TOOL, *words, "--now", self.now, *NAMED, wanted=(0, 4))

    def text(self) -> str:
        return (self.textfiles / "postfix.prom").read_text()

    def read(self) -> None:
        """Reads what the spool holds, at the same second, by other ways than the metrics."""
        at = ("--queue-directory", str(self.spool), "--now", self.now)
        told = run(TOOL, "list", "-j", *at, *QUEUES, wanted=(0, 4))
        self.messages = [json.loads(line) for line in told.splitlines()]
        self.document = json.loads(run(CHECK, *at, "--format", "json", wanted=(0, 1, 2, 3)))["instances"][0]
        reasons = json.loads(run(TOOL, "reasons", "--by", "cause", "--json", *at, "deferred", wanted=(0, 4)))
        self.causes: Counter[str] = Counter()
        for row in reasons["reasons"]:
            self.causes[row["cause"]] += row["recipients"]

    def series(self) -> Iterable[tuple[str, dict[str, str], float]]:
        """Family, labels and value of each series that it has written."""
        for line in self.text().splitlines():
            match = re.fullmatch(r"(postfix_\w+)(?:\{(.*)\})? (\S+)", line)
            if match:
                yield (
                    match[1],
                    {**dict(re.findall(r'(\w+)="(.*?)"', match[2] or "")), **self.labels},
                    float(match[3]),
                )

    def estimates(self) -> Iterable[tuple[dict[str, str], float]]:
        """The recipients by cause that it has written, those of a sample multiplied up to the whole queue."""
        known: dict[tuple[str, str], float] = {}
        for family, labels, value in self.series():
            known[family, labels.get("queue", "")] = value
        for family, labels, value in self.series():
            if family == "postfix_spool_recipients_by_cause":
                held = known["postfix_spool_cause_messages", labels["queue"]]
                read = known["postfix_spool_cause_messages_sampled", labels["queue"]]
                yield labels, value * held / read if read else value

    def is_sampled(self) -> bool:
        return bool(self.document["queues"]["deferred"]["messages"] > SAMPLE)

    def check_estimates(self) -> None:
        """They are near what all delay logs say, and what was read is not."""
        assert self.is_sampled()
        shown = {labels["cause"]: value for labels, value in self.estimates()}
        for cause, recipients in self.causes.items():
            if recipients > 500:
                # A message may have dozens of recipients: a sample strays. Without the factor it is a third.
                assert recipients / 1.5 < shown[cause] < 1.5 * recipients, (cause, recipients, shown[cause])
        read = sum(
            value for family, _, value in self.series() if family == "postfix_spool_recipients_by_cause"
        )
        assert read < 0.5 * self.causes.total() < sum(shown.values()), (read, self.causes.total())

    def age(self, message: dict[str, Any]) -> int:
        return max(int(self.now) - int(message["arrival_time"]), 0)

    def of(self, *queues: str) -> Iterable[dict[str, Any]]:
        return (message for message in self.messages if message["queue_name"] in queues)


def key(**labels: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


class Fleet:
    """What the hosts hold, in the shape of the answers of Prometheus."""

    def __init__(self, hosts: list[Host]) -> None:
        self.hosts = hosts

    def add(self, of: Callable[[Host], Iterable[tuple[dict[str, str], float]]]) -> Series:
        sums: Series = defaultdict(float)
        for host in self.hosts:
            for labels, value in of(host):
                sums[key(**labels)] += value
        return dict(sums)

    def ages(self, *queues: str) -> Series:
        def of(host: Host) -> Iterable[tuple[dict[str, str], float]]:
            ages = [host.age(message) for message in host.of(*queues)]
            for edge in EDGES:
                yield {"le": str(edge)}, sum(age <= edge for age in ages)
            yield {"le": "+Inf"}, len(ages)

        return self.add(of)

    def messages(self, labels: Callable[[Host, str], dict[str, str]], *queues: str) -> Series:
        return self.add(
            lambda host: ((labels(host, q), host.document["queues"][q]["messages"]) for q in queues)
        )

    def figure(self, name: str) -> Series:
        return self.add(lambda host: (({"queue": q}, host.document["queues"][q][name]) for q in QUEUES))

    def oldest(self, labels: Callable[[Host, str], dict[str, str]], *queues: str) -> Series:
        found: Series = defaultdict(float)
        for host in self.hosts:
            for queue in queues:
                ages = [host.age(message) for message in host.of(queue)]
                place = key(**labels(host, queue))
                found[place] = max(found[place], max(ages, default=0))
        return dict(found)

    def causes(self) -> Series:
        def of(host: Host) -> Iterable[tuple[dict[str, str], float]]:
            if host.is_sampled():
                return (({"cause": labels["cause"]}, value) for labels, value in host.estimates())
            return (({"cause": cause}, count) for cause, count in host.causes.items())

        return self.add(of)

    def filled(self, labels: Callable[[Host], dict[str, str]]) -> Series:
        return self.add(lambda host: [(labels(host), len(list(host.of("active"))) / 20000)])

    def expiring(self, labels: Callable[[Host, str], dict[str, str]], *within: str) -> Series:
        # Five days, also for the null sender: the defaults of Postfix, which nobody has changed here.
        seconds = {"1h": 3600, "1d": 86400}

        def of(host: Host) -> Iterable[tuple[dict[str, str], float]]:
            for one in within:
                least = 5 * 86400 - seconds[one]
                yield labels(host, one), sum(host.age(message) >= least for message in host.of(*LIVE))

        return self.add(of)

    def bounded(self) -> Series:
        """1 for each host of which a figure is a lower bound."""
        found: Series = {}
        for host in self.hosts:
            queues = host.document["queues"].values()
            bounded = not host.document["complete"] or any(
                queue["ageless"] or queue["torn"] for queue in queues
            )
            found[key(postfix_instance="postfix", **host.labels)] = float(bounded)
        return found

    def count_of(self, name: str) -> Series:
        return {
            key(__name__=f"postfix_spool_{name}", postfix_instance="postfix", **host.labels): len(
                host.document[name]
            )
            for host in self.hosts
        }

    def domains(self) -> Series:
        def of(host: Host) -> Iterable[tuple[dict[str, str], float]]:
            count: Counter[str] = Counter()
            for message in host.of(*LIVE, "hold"):
                for recipient in message["recipients"]:
                    count[recipient["address"].rsplit("@", 1)[1].lower()] += 1
            # Those of equal counts are in the order of their names.
            top = sorted(count, key=lambda domain: (-count[domain], domain))[:2]
            for domain, recipients in count.items():
                shown = domain if domain in top or domain == "bigmail.example" else "other"
                yield {"domain": shown}, recipients

        return self.add(of)

    def most(self, what: Callable[[dict[str, Any]], Iterable[str]]) -> dict[str, int]:
        """What has most in deferred, by host."""
        found = {}
        for host in self.hosts:
            count: Counter[str] = Counter()
            for message in host.of("deferred"):
                count.update(what(message))
            found[host.name] = max(count.values(), default=0)
        return found

    def logins(self) -> dict[str, int]:
        rows = {host.name: host.document["queues"]["deferred"]["top_logins"] for host in self.hosts}
        return {name: max((row["messages"] for row in logins), default=0) for name, logins in rows.items()}

    def sum_of(self, name: str) -> Series:
        return {
            key(__name__=f"postfix_spool_{name}", postfix_instance="postfix", **host.labels): sum(
                host.document["queues"][queue][name] for queue in QUEUES
            )
            for host in self.hosts
        }

    def down(self, daemon: str) -> Series:
        """1 for each host whose daemon does not run, as the check tells it."""
        states = {True: 0.0, False: 1.0, None: float("nan")}
        running = {host: host.document[daemon]["running"] for host in self.hosts}
        return {
            key(postfix_instance="postfix", **host.labels): states[runs] for host, runs in running.items()
        }

    def panels(self) -> dict[str, list[Series]]:
        """What each panel shows, by its title and the place of its query."""

        def instance(host: Host, _: str = "") -> dict[str, str]:
            return {"instance": host.name}

        def queue(_: Host, queue: str) -> dict[str, str]:
            return {"queue": queue}

        def by_place(host: Host, _: str = "") -> dict[str, str]:
            return {name: host.labels[name] for name in ("region", "role")}

        def whole(host: Host) -> dict[str, str]:
            return {
                "__name__": "postfix_spool_active_fill_ratio",
                "postfix_instance": "postfix",
                **host.labels,
            }

        def domains(message: dict[str, Any]) -> Iterable[str]:
            return (recipient["address"].rsplit("@", 1)[1].lower() for recipient in message["recipients"])

        # A sender is counted as it is folded.
        senders = self.most(lambda message: [message["sender"].lower()])
        logins = self.logins()
        return {
            "Age of mail": [self.ages(*LIVE)],
            "Messages by queue": [self.messages(queue, *QUEUES)],
            "Why mail waits": [self.causes()],
            "Worst hosts: oldest deferred mail": [self.oldest(instance, "deferred")],
            "Worst hosts: most mail": [self.messages(instance, *LIVE)],
            "Worst hosts: fullest active queue": [self.filled(instance)],
            "Messages by region and role": [self.messages(by_place, *LIVE)],
            "Goes back to its senders within a day": [self.expiring(by_place, "1d")],
            "Instances not known in full": [{(): sum(self.bounded().values())}],
            "Instances": [{(): float(len(self.hosts))}],
            "Recipients by named domain": [self.domains()],
            "Worst hosts: most messages of one login": [
                {key(instance=name): most for name, most in logins.items()}
            ],
            "Age of the oldest message": [self.oldest(queue, *QUEUES)],
            "Recipients still to be delivered": [self.figure("recipients")],
            "Size": [self.figure("bytes")],
            "What is wrong": [
                *(self.sum_of(name) for name in ("unreadable", "damaged", "altered")),
                self.overdue(),
                self.down("master"),
                self.down("qmgr"),
                *(self.count_of(name) for name in ("misowned", "misplaced")),
                self.bounded(),
            ],
            "How full active is": [self.filled(whole)],
            "Reaches the end of its lifetime": [self.expiring(lambda _, one: {"within": one}, "1h", "1d")],
            "Most in deferred": [
                {(): max(self.most(domains).values())},
                {(): max(senders.values())},
                {(): max(logins.values())},
            ],
        }

    def overdue(self) -> Series:
        of = {
            key(__name__="postfix_spool_overdue", postfix_instance="postfix", **host.labels): host
            for host in self.hosts
        }
        return {place: host.document["queues"]["deferred"]["overdue"] for place, host in of.items()}
