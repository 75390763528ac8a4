"""``zmqtopo explain`` as its users run it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent

import pytest

from zmqtopo.checks.catalogue import CATALOGUE
from zmqtopo.cli import main

INSTALLED = shutil.which("zmqtopo", path=str(Path(sys.executable).parent))
COMMAND = [INSTALLED] if INSTALLED else [sys.executable, "-m", "zmqtopo"]

PORTS = """\
privileged-port (warning, endpoint)

A device that binds a port below 1024.

Most systems give these ports only to root or to programs with a special capability.

Bad:

    devices:
      jobs:
        type: streamer
        in: {bind: tcp://*:559}
        out: {bind: tcp://*:5560}

    bad.yaml:4:16: warning: jobs.in binds port 559, which needs special rights [privileged-port]
    4 |     in: {bind: tcp://*:559}
      |                ^^^^^^^^^^^
      = hint: use a port from 1024 up

Good:

    devices:
      jobs:
        type: streamer
        in: {bind: tcp://*:5559}
        out: {bind: tcp://*:5560}

Silence it on a line: # zmqtopo: ignore[privileged-port]
"""


def run(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, encoding="utf-8", timeout=60,
                          cwd=folder, check=False)


def test_one_rule() -> None:
    done = run("explain", "privileged-port")
    assert (done.returncode, done.stdout, done.stderr) == (0, PORTS, "")


def test_several_rules() -> None:
    done = run("explain", "privileged-port", "mon-type", "privileged-port")
    assert done.stdout.startswith(PORTS + "\nmon-type (error, socket)\n")
    assert done.stdout.count("privileged-port (") == 1


def test_all_rules_in_a_list() -> None:
    done = run("explain")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"^  ([a-z-]+) +(error|warning|info) ", done.stdout, re.MULTILINE) == [
        (rule.name, rule.severity) for rule in CATALOGUE.values()]
    assert max(map(len, done.stdout.splitlines())) <= 88


@pytest.mark.parametrize(("word", "near"), [
    ("bind-confict", "bind-conflict"), ("socket_pair", "socket-pair"), ("Mon-Type", "mon-type"), ("pair", None),
    ("\x1b[2J", None),
])
def test_a_typo(word: str, near: str | None) -> None:
    done = run("explain", word)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"there is no topic and no rule {word!r}" in done.stderr
    assert (f"did you mean {near!r}?" in done.stderr) is (near is not None)
    assert "\x1b" not in done.stderr


def test_the_page_of_reference_has_every_rule_in_full() -> None:
    page = run("explain", "--format", "markdown").stdout
    assert re.findall(r"^### (\S+)", page, re.MULTILINE) == list(CATALOGUE)
    for rule in CATALOGUE.values():
        for part in (rule.finds, rule.why, dedent(rule.bad).strip(), dedent(rule.good).strip()):
            assert part in page
    assert page.count("```") % 2 == 0


def test_every_rule_is_explained_with_what_validate_says(capsys: pytest.CaptureFixture[str]) -> None:
    for rule in CATALOGUE.values():
        assert main(["explain", rule.name]) == 0
        said = capsys.readouterr().out
        assert indent(dedent(rule.bad).strip(), "    ") in said
        silent = rule.family == "machine" or rule.name == "unreadable-file"
        assert (f"[{rule.name}]\n" in said.partition("Good:")[0]) is not silent


@pytest.mark.parametrize(("example", "code", "rules"), [("bad", 1, ["unreadable-file"]), ("good", 0, [])])
def test_the_examples_of_the_rule_about_files(tmp_path: Path, example: str, code: int, rules: list[str]) -> None:
    (tmp_path / "topology.yaml").write_text("devices: {}\n")
    prompt, command, *arguments = getattr(CATALOGUE["unreadable-file"], example).split()
    assert (prompt, command) == ("$", "zmqtopo")
    done = run(*arguments, "--format", "concise", folder=tmp_path)
    assert (done.returncode, re.findall(r"\[([a-z-]+)\]$", done.stdout, re.MULTILINE)) == (code, rules)


def test_a_switch_is_true_or_false() -> None:
    assert "\nValues: true or false\n" in run("explain", "http.control").stdout
