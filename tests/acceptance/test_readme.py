"""README.md and the pages that show a session say nothing that is not so: their programs run, and their commands print
what they show.
"""

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


PAGES_THAT_RUN = ("ci", "python", "pyzmq", "running", "tutorial")
"""Pages whose programs and commands run here too, in a folder that has the files of README.md and theirs."""
TEXTS = {"README": README, **{topic: documents.page(topic) for topic in PAGES_THAT_RUN}}
LARGEST = 12_000
"""Bytes of README.md: what a stranger reads in five minutes."""


def blocks() -> list[Block]:
    return documents.blocks(README)


def table(*columns: str) -> list[list[str]]:
    return documents.table(README, *columns)


# -- a folder with all its files, and terminals ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Callable[[str], str]]:
    """The same text with free ports for all that begin with 55, which may be somebody's."""
    names = sorted(set(re.findall(r"\b55\d\d\b", "".join([*TEXTS.values(), *TOPOLOGIES.values()]))))
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
    files |= {block.file: block.text for text in TEXTS.values() for block in documents.blocks(text) if block.file}
    for name, text in files.items():
        (tmp_path / name).write_text(elsewhere(text), encoding="utf-8")
    return tmp_path


@pytest.fixture
def terminals(folder: Path) -> Iterator[Terminals]:
    terminals = Terminals(folder)
    yield terminals
    terminals.close()


# -- what it shows ---------------------------------------------------------------------------------------------------


def test_it_is_read_in_five_minutes() -> None:
    assert len(README.encode()) <= LARGEST


def test_every_block_is_of_a_kind_that_is_tried() -> None:
    assert {block.language for block in blocks()} == {"mermaid", "sh", "console", "yaml", "text", "python", "ini"}


def test_the_picture_is_that_of_the_command() -> None:
    picture, _ = [block.text for block in blocks() if block.language == "mermaid"]
    assert "`zmqtopo graph topologies/pipeline.yaml --format mermaid`" in README
    drawn = subprocess.run(
        [sys.executable, "-P", "-m", "zmqtopo", "graph", "topologies/pipeline.yaml", "--format", "mermaid"],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=True,
    )
    assert drawn.stdout == picture


def test_the_commands_to_set_it_up() -> None:
    run, test = [block.text.strip().split(" && ") for block in blocks() if block.language == "sh"]
    assert run[0] == "pip install ."
    assert f"$ {run[1]}\n" in TEXTS["tutorial"]
    assert test == ["pip install -e '.[test]'", "pytest"]


def test_its_topologies_are_good_but_for_the_broken_one(folder: Path, terminals: Terminals) -> None:
    assert [block.file for block in blocks() if block.language == "yaml"] == ["first.yaml"]
    # The other one is a session that test_kv_events.py plays.
    assert [block.file for block in blocks() if block.language == "text"] == ["broken.yaml", None]
    for name in ("first.yaml", "changed.yaml"):
        assert zmqtopo.check(folder / name) == []
    terminals.start(f"zmqtopo validate --strict {shlex.quote(str(ROOT / 'README.md'))}", "no problems in 1 file")
    terminals.finish()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_python_programs_run(text: str, terminals: Terminals) -> None:
    for block in documents.blocks(text):
        if block.language == "python" and not block.file:
            terminals.start(f"python -W error -c {shlex.quote(block.text)}", "...")
            terminals.finish()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_commands_give_what_it_shows(
    text: str, folder: Path, terminals: Terminals, elsewhere: Callable[[str], str]
) -> None:
    up: tuple[subprocess.Popen[str], str] | None = None
    for block in documents.blocks(text):
        for command, shown in block.commands if block.language == "console" else []:
            shown = elsewhere(shown)
            if command.startswith("zmqtopo up") and " -d " not in command:
                process = terminals.start(command, shown)
                assert process.stdout is not None
                assert_shows(shown, "".join(process.stdout.readline() for _ in shown.splitlines()))
                up = terminals.running.pop()
                terminals.running.insert(0, up)
            elif command == "^C":
                assert up is not None
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
                if command.startswith("zmqtopo init"):
                    for path in folder.glob("*.yaml"):
                        path.write_text(elsewhere(path.read_text("utf-8")), "utf-8")
    assert not terminals.running


@pytest.mark.parametrize(("text", "programs"), [
    (README, {"zmqtopo", "python", "^C"}), (TEXTS["tutorial"], {"zmqtopo", "python", "^C"}),
    (TEXTS["running"], {"zmqtopo"}), (TEXTS["python"], {"pytest"}), (TEXTS["ci"], {"zmqtopo"}),
], ids=["README", "tutorial", "running", "python", "ci"])
def test_the_sessions_are_seen_by_these_tests(text: str, programs: set[str]) -> None:
    assert {command.split()[0] for block in documents.blocks(text) if block.language == "console"
            for command, _ in block.commands} == programs


# -- its tables ------------------------------------------------------------------------------------------------------


def test_the_verbs() -> None:
    assert {verb for row in table("verb", "does") for verb in re.findall(r"`(\w+)`", row[0])} == set(VERBS)


def test_the_number_of_rules() -> None:
    assert f"{len(CATALOGUE)} rules find " in README


def test_the_figures_of_speed_are_those_of_the_page() -> None:
    _, chart = [block.text for block in blocks() if block.language == "mermaid"]
    bars = [f"{int(value):,}" for value in re.search(r"bar \[(.*)\]", chart)[1].split(",")]
    rows = documents.table(documents.page("performance"), "messages or requests a second", "no device", "`zmq.proxy`",
                           "pyzmq's `monitored_queue`", "zmqtopo, thread", "zmqtopo, process")
    assert rows[0] == ["streamer, 16 B", *bars]
    assert f"{bars[3]} messages a second where `zmq.proxy` has {bars[1]}" in " ".join(README.split())


@pytest.mark.parametrize(
    ("verb", "good", "bad"), [("validate", 0, 1), ("graph", 0, 78), ("config", 0, 78), ("init", 1, 1)]
)
def test_their_exit_codes(terminals: Terminals, verb: str, good: int, bad: int) -> None:
    for file, code in (("first.yaml", good), ("broken.yaml", bad)):
        terminals.start(f"zmqtopo {verb} {file}", "...")
        terminals.finish(code)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("up broken.yaml", 78), ("init new.yaml", 0), ("explain socket-pair", 0), ("schema", 0), ("up", 2), ("down", 69),
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
    for where, keys, *_ in documents.table(documents.page("file"), "where", "key", "meaning", "default"):
        kind = where or kind
        told.setdefault(kind, set()).update(re.findall(r"`(\w+)[`:]", keys))
    told["mon"] |= told["socket"]       # which it extends
    assert told == {
        "file": set(schema["properties"]),
        **{kind: set(kinds[kind]["properties"]) for kind in ("device", "socket", "mon", "peer")},
    }


def test_the_limits() -> None:
    schema = json.loads((ROOT / "schemas" / "topology.schema.json").read_text("utf-8"))
    rows = documents.table(documents.page("limits"), "key", "limits", "default")
    assert {row[0].strip("`") for row in rows} == set(schema["definitions"]["limits"]["properties"])
