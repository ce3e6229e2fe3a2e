"""One core, four faces: C, Python, Perl and the programs give the same figures and the same words.

Every measure of the catalogue, sound and broken spools, rules, long output, rows, and every error that can be
made from outside. Needs a release build, and the Perl module built in target/perl (tests/run does that).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RELEASE = ROOT / "target/release"
PLUGIN = str(RELEASE / "check_postfix_queue")
NOW = "1795461304"
QUEUES = ["maildrop", "incoming", "active", "deferred", "hold", "corrupt", "backlog", "total"]
ARGUMENTS = {
    "AGE": ["4h", "1d", "90"],
    "NAME": ["alpha.example", "greylist.example", "nowhere.example", "a@b.example"],
    "CODE": ["4", "4.7", "4.4.1", "5"],
    "ADDRESS": ["127.0.0.1", "127.0.0.0/8", "192.0.2.1"],
}
CAUSES = ["filter", "greylisted", "ours", "theirs"]


def measures() -> list[str]:
    """Every measure of the plugin's help, of every queue, with arguments that find something or nothing."""
    told = subprocess.run([PLUGIN, "--help"], capture_output=True, text=True, check=False).stdout
    listed = re.findall(r"^  (\S+\.\S+) {2,}", told.split("Measures:\n")[1].split("\n\n")[0], re.MULTILINE)
    assert len(listed) >= 20
    found = []
    for spelling in listed:
        for queue in QUEUES if spelling.startswith("QUEUE.") else [""]:
            name = spelling.replace("QUEUE.", f"{queue}.")
            argument = re.search(r"\((\w+)\)", name)
            values = ARGUMENTS[argument[1]] if argument else [""]
            for value in CAUSES if ".cause(" in spelling else values:
                found.append(name.replace(f"({argument[1]})", f"({value})") if argument else name)
    return [*found, "postfix/deferred.oldest"]


ERRORS = [
    ["queue-directory=/nonexistent/spool"],
    ["queue-directory=/usr"],
    ["queue-directory="],
    ["queue-directory=/etc/passwd"],
    ["config-directory=/nonexistent"],
    ["config-directory=/usr", "queue-directory=/usr"],
    ["instance=nosuch", "config-directory=/nonexistent"],
    ["all-instances=maybe"],
    ["exclude=bounce"],
    ["timeout=soon"],
    ["timeout=0"],
    ["now=tomorrow"],
    ["readers=0"],
    ["readers=9999"],
    ["colour=red"],
    ["counts=yes", "critical=deferred.oldest=1h", "queue-directory=/usr"],
    # No instance of this host: whether it has one is not what they are about.
    *[
        [f"critical={rule}", "config-directory=/nonexistent"]
        for rule in (
            "", ":", "@", "10:5", "x", "1e3", "10:20:30", "deferred.messages", "deferred.messages=",
            "nosuch=1", "deferred.nosuch=1", "deferd.messages=1", "deferred.older=1",
            "deferred.older(4x)=1", "deferred.oldest=4y", "deferred.oldest=4k", "active.fill=5s",
            "deferred.messages=1 2", "disk.free_bytes=1XB:", "hold.overdue=1", "deferred.older(4h=1",
            "a/b/deferred.messages=1", "deferred.reason(x)=1", "deferred.messages=-", "~=1",
        )
    ],
]  # fmt: skip
CHECKS = [
    ["0"],
    ["3"],
    ["0", "warning=deferred.oldest=4h", "warning=total.messages=1", "critical=hold.messages=5"],
    ["1", "critical=deferred.reason(4.7)=1", "exclude=corrupt"],
    ["0", "counts=yes", "critical=100"],
    ["2", "warning=active.fill=80%", "warning=deferred.expiring(1d)=0"],
]
FILTERS = [
    ["domain=alpha.example"],
    ["domain=alpha.example", "domain=greylist.example"],
    ["not-domain=alpha.example"],
    ["not-domain=alpha.example", "not-domain=greylist.example", "older=1h"],
    ["domain=alpha.example", "not-older=1h"],
    ["reason=4.7"],
    ["not-reason=4"],
    ["cause=theirs", "not-cause=greylisted"],
    ["sender=<>"],
    ["not-sender=<>", "larger=500"],
    ["not-login=anna", "not-client=127.0.0.0/8", "not-subject=invoice"],
    ["not-recipient=nobody@none.example", "not-next-hop=-", "not-younger=1h", "not-expiring=1d"],
    ["not-older=soon"],
    ["not-counts=yes"],
]
BAD_MEASURES = [
    "hold.domain(a@b.example)",
    "",
    "x",
    "deferred",
    "deferred.",
    "deferred.nosuch",
    "deferred.older(",
    "nosuch/deferred.messages",
    "é",
]


@pytest.fixture(scope="module")
def answer_c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("c")
    (folder / "libqueuewatch.so.1").symlink_to(RELEASE / "libqueuewatch.so")
    flags = [
        "-std=c99",
        "-Wall",
        "-Wextra",
        "-Werror",
        f"-I{ROOT}/include",
        f"-L{RELEASE}",
        f"-Wl,-rpath,{folder}",
    ]
    source = ROOT / "tests/parity/answer.c"
    subprocess.run(["gcc", *flags, str(source), "-o", str(folder / "answer"), "-lqueuewatch"], check=True)
    return folder / "answer"


@pytest.fixture(scope="module", params=["short-mixed", "long-live", "odd", "broken"])
def spool(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("spool")
    name = "short-mixed" if request.param == "broken" else request.param
    subprocess.run(
        ["tar", "-xpJf", str(ROOT / f"tests/corpus/{name}/spool.tar.xz"), "-C", str(folder)], check=True
    )
    if request.param == "broken":
        # Lower bounds and unknown figures in every language.
        (folder / "spool/hold").rename(folder / "spool/elsewhere")
        (folder / "spool/hold").touch()
        damaged = folder / "spool/active/DAMAGED1"
        damaged.touch()
        damaged.chmod(0o700)
    return str(folder / "spool")


def answers(
    command: list[str], spool: str, questions: list[list[str]], **environment: str
) -> list[list[str]]:
    ran = subprocess.run(
        [*command, spool, NOW],
        input="\n".join("\t".join(question) for question in questions).encode(),
        capture_output=True,
        check=True,
        env={**os.environ, **environment},
    )
    assert ran.stderr == b""
    lines = [line.split("\t") for line in ran.stdout.decode("latin-1").splitlines()]
    assert len(lines) == len(questions)
    return lines


def steady(text: str) -> str:
    """Return the text without the free space of the disk, which other processes change."""
    return re.sub(
        r"(disk_free_(?:bytes|inodes)(?:=|\{\S+ )|disk\.free_(?:bytes|inodes) is )[0-9.]+( [KMGT]iB)?",
        r"\1N",
        text,
    )


def option_names() -> list[str]:
    """The options of the library by the plugin's help, longest first."""
    told = subprocess.run([PLUGIN, "--help"], capture_output=True, text=True, check=False).stdout
    names = set(re.findall(r"--([a-z][a-z-]+)", told)) | {"measure", "previous", "poll"}
    return sorted(names, key=len, reverse=True)


def respelled(text: str, face: str, names: list[str]) -> str:
    """With each option as the programs write it: a face spells options as its own callers give them."""
    for name in names:
        keyword = name.replace("-", "_")
        pattern = {
            "C": rf'"{name}"(?! is no option)',
            "Perl": rf"\b{keyword} =>",
            "Python": rf"(?<![\w-]){keyword}=",
        }[face]
        # What a host passes as `previous` the programs keep in a file.
        text = re.sub(pattern, "--state FILE" if name == "previous" else f"--{name}", text)
    # Python's keyword and its value stand without a blank between them.
    return re.sub(r'(--[a-z-]+)"', r'\1 "', text) if face == "Python" else text


def faces(spool: str, answer_c: Path, questions: list[list[str]]) -> dict[str, list[list[str]]]:
    perl = [
        "perl",
        f"-I{ROOT}/target/perl/blib/lib",
        f"-I{ROOT}/target/perl/blib/arch",
        "tests/parity/answer.pl",
    ]
    python = [sys.executable, "tests/parity/answer.py"]
    found = {
        "PYTHONPATH": str(ROOT / "bindings/python/src"),
        "QUEUEWATCH_LIBRARY": str(RELEASE / "libqueuewatch.so"),
    }
    os.chdir(ROOT)
    return {
        "C": answers([str(answer_c)], spool, questions),
        "Perl": answers(perl, spool, questions),
        "Python": answers(python, spool, questions, **found),
    }


def agreed(
    spool: str, answer_c: Path, questions: list[list[str]], filters: tuple[str, ...] = ()
) -> list[list[str]]:
    """Return the answers of all faces; `filters` are the options in them that the plugin does not take."""
    told = faces(spool, answer_c, questions)
    names = [*filters, *option_names()]
    for face, answers in told.items():
        for answer in answers:
            answer[:] = [respelled(field, face, names) for field in answer]
    for index, question in enumerate(questions):
        for face in ("Perl", "Python"):
            theirs = [steady(field) for field in told[face][index]]
            ours = [steady(field) for field in told["C"][index]]
            if question[0] == "measure" and "disk." in question[1]:
                ours[0] = theirs[0]
            assert theirs == ours, f"{face}: {question}"
    return told["C"]


def program(*words: str) -> tuple[int, str]:
    ran = subprocess.run([PLUGIN, *words], capture_output=True, check=False)
    assert ran.stderr == b""
    return ran.returncode, ran.stdout.decode()


def test_every_measure(spool: str, answer_c: Path) -> None:
    names = [name for name in measures() if "domain(a@" not in name]
    told = agreed(spool, answer_c, [["measure", name] for name in names])
    # A rule that alerts whatever the figure is: the program's findings are all measures.
    rules = [word for name in names for word in ("--warning", f"{name}=@~:999999999999999")]
    _, text = program("--queue-directory", spool, "--now", NOW, "--format", "json", *rules)
    findings = {finding["measure"]: finding for finding in json.loads(text)["findings"]}
    qualities = ["exact", "at least", "unknown"]
    seen = set()
    for name, (value, quality, detail) in zip(names, told):
        finding = findings[name]
        seen.add(quality)
        assert qualities[int(quality)] == finding["quality"].replace("_", " "), name
        if not name.startswith("disk."):
            assert (None if value == "-" else float(value)) == finding["value"], name
        assert detail == (finding["detail"] or ""), name
    assert len(findings) == len(names)
    assert seen >= {"0", "2"}
    if Path(spool, "elsewhere").exists():
        assert "1" in seen


def test_every_word_of_checks(spool: str, answer_c: Path) -> None:
    told = agreed(spool, answer_c, [["check", *check] for check in CHECKS])
    for (verbosity, *options), (state, output) in zip(CHECKS, told):
        words = ["--queue-directory", spool, "--now", NOW, *["-v"] * int(verbosity)]
        for option in options:
            name, _, value = option.partition("=")
            words += [f"--{name}"] if name == "counts" else [f"--{name}", value]
        code, text = program(*words)
        assert (steady(output.replace("\\n", "\n")), int(state)) == (steady(text), code)


def test_filters_pick_the_messages_that_list_does(spool: str, answer_c: Path) -> None:
    told = agreed(spool, answer_c, [["pick", *filters] for filters in FILTERS], ("not-older",))
    base = [str(RELEASE / "queuewatch"), "list", *QUEUES[:6], "--ids"]

    def listed(*words: str) -> list[str]:
        place = ["--queue-directory", spool, "--now", NOW]
        ran = subprocess.run([*base, *place, *words], capture_output=True, text=True, check=False)
        return ran.stdout.split()

    # list shows what postqueue shows: no damaged file, and of mail that a REDIRECT sends elsewhere all
    # recipients. Rows have those that are tried.
    alike = set(listed()) - set(listed("--sender", "redir@sender.example"))
    picked = []
    for filters, answer in zip(FILTERS, told):
        if answer[0] == "error":
            assert filters[0] in ("not-older=soon", "not-counts=yes")
            continue
        words = []
        for filter_ in filters:
            name, _, value = filter_.partition("=")
            words += ["--not"] if name.startswith("not-") else []
            words += [f"--{name.removeprefix('not-')}", value]
        ours = alike & set(answer[0].split())
        assert ours == alike & set(listed(*words)), filters
        picked.append(len(ours))
    assert len(picked) == len(FILTERS) - 2
    assert max(picked) > min(picked)


def test_the_metrics(spool: str, answer_c: Path) -> None:
    told = agreed(spool, answer_c, [["metrics"]])[0][0].replace("\\n", "\n")
    words = ("--queue-directory", spool, "--now", NOW, "--format", "openmetrics", "--metrics-top", "2")
    _, text = program(*words)
    # The library reads the delay reasons of all queues, and the plugin a sample of deferred mail.
    kept = [
        [line for line in steady(lines).splitlines() if not re.search(r"_cause", line)]
        for lines in (told, text)
    ]
    assert kept[0] == kept[1]
    assert 'recipients_by_age{postfix_instance="postfix",queue="deferred",domain="other"' in told


def test_every_row(spool: str, answer_c: Path) -> None:
    told = agreed(spool, answer_c, [["messages", queue] for queue in [*QUEUES, "nosuch"]])
    assert told[-1][0] == "error"
    assert int(told[QUEUES.index("total")][0]) > 0


def test_every_error(spool: str, answer_c: Path) -> None:
    told = agreed(spool, answer_c, [["fail", *options] for options in ERRORS])
    for options, answer in zip(ERRORS, told):
        assert answer[0] == "error", f"{options}: {answer}"
        _, code, _, _, _, message, _ = answer
        words = []
        for option in options:
            name, _, value = option.partition("=")
            if name in ("counts", "all-instances"):
                words += [f"--{name}"] if value == "yes" else [f"--{name}={value}"]
            else:
                words += [f"--{name}", value]
        exit_code, text = program(*words)
        assert exit_code == 3
        if options[0].partition("=")[0] not in ("colour", "all-instances"):
            # The program's own parser of words speaks of these.
            assert text == f"POSTFIX QUEUE UNKNOWN: {message}\n", options
        assert int(code) > 1
    codes = {answer[1] for answer in told}
    assert codes >= {"10", "11", "12", "22"}


def test_every_wrong_measure(spool: str, answer_c: Path) -> None:
    told = agreed(spool, answer_c, [["measure", name] for name in BAD_MEASURES])
    assert [answer[0] for answer in told].count("error") >= len(BAD_MEASURES) - 1
