"""The page about cache events: its programs run on the example, and what they and the verbs say is what it tells."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from .conftest import COMMAND, DEADLINE, Control
from .documents import ROOT, blocks, page

EXAMPLE = (ROOT / "topologies" / "kv-events.yaml").read_text("utf-8")
PORTS = {"EVENTS_PORT": "*", "READERS_PORT": "*", "METRICS_PORT": "*"}


@contextmanager
def program(name: str, addresses: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A program of the page, at the addresses that the example has here."""
    text = next(block.text for block in blocks(page("kv-events")) if block.file == name)
    for old, new in addresses.items():
        text = text.replace(old, new)
    (folder / name).write_text(text)
    running = subprocess.Popen([sys.executable, name], cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


@pytest.fixture
def events(start: Callable[..., Any], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The example with three servers and the auditor; it is the auditor."""
    up = start(EXAMPLE, name="kv-events", env=PORTS).ready()
    addresses = {"tcp://127.0.0.1:5575": up.address("events.in"), "tcp://127.0.0.1:5576": up.address("events.out")}
    with ExitStack() as stack:
        auditor = stack.enter_context(program("audit.py", addresses, tmp_path))
        stack.enter_context(program("servers.py", addresses, tmp_path))
        yield auditor
    up.stop()


def test_nothing_is_missing_and_tap_shows_it(
    events: subprocess.Popen[str], zmqtopo: Callable[..., Any], tmp_path: Path
) -> None:
    assert events.stdout is not None
    batches, servers, missing = map(int, re.findall(r"\d+", events.stdout.readline()))
    assert batches > 3
    assert (servers, missing) == (3, 0)
    shown = subprocess.run(
        [*COMMAND, "tap", "kv-events", "--decode", "utf8,hex,msgpack", "--count", "2", "--format", "json"],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=DEADLINE * 3,
    ).stdout.splitlines()
    for line in shown:
        topic, sequence, batch = json.loads(line)["frames"]
        assert topic["text"].startswith("kv@pod-")
        assert (sequence["size"], len(sequence["hex"])) == (8, 16)
        assert batch["msgpack"] == [1795957600.0, [["BlockStored", [4711], 16]]]
    report = zmqtopo("tap", "kv-events", "--report", "--for", "1s").stdout
    assert set(re.findall(r"kv@pod-\d", report)) == {"kv@pod-0", "kv@pod-1", "kv@pod-2"}


def test_the_readme_shows_what_they_print(
    events: subprocess.Popen[str], zmqtopo: Callable[..., Any]
) -> None:
    assert events.stdout is not None
    readme = (ROOT / "README.md").read_text("utf-8")
    (tap, shown), (audit, counted) = next(
        block.commands for block in blocks(readme) if block.language == "text" and block.commands)
    assert (audit, counted.count("\n")) == ("python audit.py", 1)
    assert re.fullmatch(any_numbers(counted), events.stdout.readline())
    assert re.fullmatch(any_numbers(shown), zmqtopo(*tap.split()[1:]).stdout)


def any_numbers(text: str) -> str:
    """A pattern for the same text with other times, counts and sequences."""
    pattern = re.escape(text).replace("0x00000000000000cc", "0x[0-9a-f]{16}")
    return re.sub(r"\d\d:\d\d:\d\d\\\.\d{6}|(?<=\\#)\d+|(?<=kv@pod\\-)\d|^\d+(?=\\ batches)", r"[\\d:.]+", pattern)


def test_the_auditor_sees_what_was_dropped(events: subprocess.Popen[str], zmqtopo: Callable[..., Any]) -> None:
    assert events.stdout is not None
    assert events.stdout.readline()
    Control(zmqtopo, "kv-events")("restart", "events")      # the servers' connections go, with what they send meanwhile
    for line in events.stdout:
        if not line.endswith(", 0 missing\n"):
            return
    pytest.fail("the auditor has ended")
