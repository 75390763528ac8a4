"""README.md says nothing that is not so: its files are checked, its programs run, its commands give what it shows."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import zmqtopo
from zmqtopo.checks.catalogue import CATALOGUE
from zmqtopo.cli import VERBS

from . import documents
from .documents import ROOT, Block, Terminals, assert_shows

README = (ROOT / "README.md").read_text("utf-8")
TOPOLOGIES = {path.name: path.read_text("utf-8") for path in (ROOT / "topologies").glob("*.yaml")}


PAGES_THAT_RUN = ("pyzmq",)
"""Pages whose programs and commands run here too, in the folder of README.md."""


def blocks() -> list[Block]:
    return documents.blocks(README)


def table(*columns: str) -> list[list[str]]:
    return documents.table(README, *columns)


# -- a folder with all its files, and terminals ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Callable[[str], str]]:
    """The same text with free ports for all that begin with 55, which may be somebody's."""
    names = sorted(set(re.findall(r"\b55\d\d\b", README + "".join(TOPOLOGIES.values()))))
    holders = [socket.socket() for _ in names]
    for holder in holders:
        # Bound and not listening: nobody else is given the port, and libzmq, which sets this option too, can bind it.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
    ports = {name: str(holder.getsockname()[1]) for name, holder in zip(names, holders, strict=True)}
    if sys.platform != "linux":     # elsewhere only one of them may have it
        for holder in holders:
            holder.close()
    yield lambda text: re.sub(r"\b55\d\d\b", lambda match: ports[match[0]], text)
    for holder in holders:
        holder.close()


@pytest.fixture
def folder(tmp_path: Path, elsewhere: Callable[[str], str]) -> Path:
    (tmp_path / "topologies").mkdir()
    files = {f"topologies/{name}": text for name, text in TOPOLOGIES.items()}
    files |= {block.file: block.text for block in blocks() if block.file}
    for name, text in files.items():
        (tmp_path / name).write_text(elsewhere(text), encoding="utf-8")
    return tmp_path


@pytest.fixture
def terminals(folder: Path) -> Iterator[Terminals]:
    terminals = Terminals(folder)
    yield terminals
    terminals.close()


# -- what it shows ---------------------------------------------------------------------------------------------------


def test_every_block_is_of_a_kind_that_is_tried_here() -> None:
    assert {block.language for block in blocks()} == {"mermaid", "sh", "console", "yaml", "text", "python", ""}


def test_the_map_of_the_code_names_what_is_there() -> None:
    (stages,) = [block.text for block in blocks() if not block.language]
    packages = ROOT / "zmqtopo"        # a wheel has no source of the loop
    folders = "|".join(path.name for path in packages.iterdir() if path.is_dir())
    named = re.findall(rf"(?<![\w`])(?:config/\w+|{folders})(?=[ ,\n])", stages)
    assert len(named) == 11
    places = [path for _, where in table("what", "where") for path in re.findall(r"`([\w/]+(?:/[\w.]+)+)`", where)]
    assert len(places) > 15
    for place in (*named, *places):
        if "VERB" not in place:
            assert (packages / place).exists() or (ROOT / place).exists(), place


def test_the_picture_is_that_of_the_command() -> None:
    (picture,) = [block.text for block in blocks() if block.language == "mermaid"]
    assert "`zmqtopo graph topologies/pipeline.yaml --format mermaid`" in README
    drawn = subprocess.run(
        [sys.executable, "-P", "-m", "zmqtopo", "graph", "topologies/pipeline.yaml", "--format", "mermaid"],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=True,
    )
    assert drawn.stdout == picture


def test_the_commands_to_set_it_up() -> None:
    run, test = [block.text.strip().split(" && ") for block in blocks() if block.language == "sh"]
    assert run[0] == "pip install ."
    assert run[1] in [command for block in blocks() for command, _ in block.commands]
    assert test == ["pip install -e '.[test]'", "pytest"]


def test_its_topologies_are_good_but_for_the_broken_one(folder: Path, terminals: Terminals) -> None:
    assert [block.file for block in blocks() if block.language == "yaml"] == [
        "first.yaml", "topologies.yml", ".pre-commit-config.yaml", "changed.yaml"]     # of two see test_ci.py
    assert [block.file for block in blocks() if block.language == "text"] == ["broken.yaml"]
    for name in ("first.yaml", "changed.yaml"):
        assert zmqtopo.check(folder / name) == []
    terminals.start(f"zmqtopo validate --strict {shlex.quote(str(ROOT / 'README.md'))}", "no problems in 1 file")
    terminals.finish()


def test_the_python_programs_run(terminals: Terminals) -> None:
    programs = [block for text in (README, *map(documents.page, PAGES_THAT_RUN))
                for block in documents.blocks(text) if block.language == "python" and not block.file]
    assert len(programs) >= 2
    for program in programs:
        process = terminals.start(f"python -W error -c {shlex.quote(program.text)}", "...")
        terminals.finish()
        assert process.returncode == 0


def test_the_commands_give_what_it_shows(terminals: Terminals, elsewhere: Callable[[str], str]) -> None:
    seen = set()
    up: tuple[subprocess.Popen[str], str] | None = None
    for block in blocks():
        for command, shown in block.commands if block.language == "console" else []:
            shown = elsewhere(shown)
            seen.add(command.split()[0])
            if command.startswith("zmqtopo up") and " -d " not in command:
                process = terminals.start(command, shown)
                assert process.stdout is not None
                assert_shows(shown, "".join(process.stdout.readline() for _ in shown.splitlines()))
                up = terminals.running.pop()
                terminals.running.insert(0, up)
            elif command == "^C":
                while terminals.running[-1] is not up:
                    terminals.finish()
                terminals.running[-1] = (up[0], shown)
                up[0].send_signal(signal.SIGINT)
                terminals.finish()
                up = None
            else:
                terminals.start(command, shown)
                if up is None:
                    terminals.finish(1 if ": error: " in shown else 0)
    assert seen == {"zmqtopo", "python", "pytest", "^C"}


# -- its tables ------------------------------------------------------------------------------------------------------


def test_the_examples() -> None:
    linked = [re.fullmatch(r"\[(.*)\]\(topologies/\1\)", file) for file, _ in table("file", "shows")]
    assert sorted(match[1] for match in linked if match) == sorted(TOPOLOGIES)


def test_the_verbs() -> None:
    rows = table("command", "does", "exit code")
    assert {row[0].split()[1].strip("`") for row in rows} == set(VERBS)


@pytest.mark.parametrize(
    ("verb", "good", "bad"), [("validate", 0, 1), ("graph", 0, 78), ("config", 0, 78), ("init", 1, 1)]
)
def test_their_exit_codes(terminals: Terminals, verb: str, good: int, bad: int) -> None:
    for file, code in (("first.yaml", good), ("broken.yaml", bad)):
        terminals.start(f"zmqtopo {verb} {file}", "...")
        terminals.finish(code)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("up broken.yaml", 78), ("init new.yaml", 0), ("explain socket-pair", 0), ("schema", 0), ("up", 2), ("down", 2),
     ("ps", 69), *((f"{verb} first", 69) for verb in (
         "ps", "logs", "stop", "start", "pause", "resume", "reload", "down"))],
)
def test_more_exit_codes(terminals: Terminals, arguments: str, code: int) -> None:
    terminals.start(f"zmqtopo {arguments}", "...")
    terminals.finish(code)


def test_the_keys() -> None:
    schema = json.loads((ROOT / "schemas" / "topology.schema.json").read_text("utf-8"))
    kinds = schema["definitions"]
    told: dict[str, set[str]] = {}
    kind = ""
    for where, keys, *_ in table("where", "key", "means", "when it is not there"):
        kind = where or kind
        told.setdefault(kind, set()).update(re.findall(r"`(\w+)`", keys))
    told["mon"] |= told["socket"]       # which it extends
    assert told == {
        "file": set(schema["properties"]),
        **{kind: set(kinds[kind]["properties"]) for kind in ("device", "socket", "mon", "peer")},
    }


def test_the_rules() -> None:
    rules = [[f"`{rule.name}`", rule.severity, rule.finds] for rule in CATALOGUE.values()]
    assert table("rule", "severity", "finds") == rules
