"""A real Prometheus for the tests."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from made_up import EXAMPLES, Series, free_port, key, run, until

RULES = EXAMPLES / "prometheus/postfix_queue.rules.yml"


class Prometheus:
    """A real Prometheus with the rules of examples/, which asks each host every second."""

    def __init__(self, folder: Path, targets: list[tuple[int, dict[str, str]]], rules: Path = RULES) -> None:
        self.port = free_port()
        configuration = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [
                {
                    "job_name": "node",
                    "static_configs": [
                        {"targets": [f"127.0.0.1:{port}"], "labels": labels} for port, labels in targets
                    ],
                }
            ],
        }
        # JSON is YAML.
        (folder / "prometheus.yml").write_text(json.dumps(configuration))
        run("promtool", "check", "config", str(folder / "prometheus.yml"))
        self.daemon = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def ask(self, what: str, **words: str) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/v1/{what}?{urllib.parse.urlencode(words)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> Series:
        found: Series = {}
        for one in self.ask("query", query=expression)["result"]:
            labels = {name: value for name, value in one["metric"].items() if name != "job"}
            found[key(**labels)] = float(one["value"][1])
        return found

    def evaluated(self) -> str:
        """When the recording rules were evaluated last."""
        groups = self.ask("rules")["groups"]
        return next(str(one["lastEvaluation"]) for one in groups if one["name"] == "postfix-queue-fleet")

    def wait_for_evaluation(self) -> None:
        before = self.evaluated()
        until("an evaluation", 30, lambda: self.evaluated() != before)

    def alerts(self, of: str = "instance") -> dict[tuple[str, str], str]:
        """The state of each alert by the label `of`."""
        states: dict[tuple[str, str], str] = {}
        for alert in self.ask("alerts")["alerts"]:
            place = (alert["labels"]["alertname"], alert["labels"].get(of, ""))
            if states.get(place) != "firing":
                states[place] = alert["state"]
        return states
