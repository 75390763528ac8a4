"""``zmqtopo top`` in a real terminal, which is tmux here, with a server of its own."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from .conftest import COMMAND, DEADLINE, Control, Up
from .test_top import HEADS, TWO, stream

pytest.importorskip("textual")

COLOUR = re.compile(r"\x1b\[(?:[\d;]*;)?(?:3[0-7]|4[0-7]|9[0-7]|10[0-7]|38|48)(?:;[\d;]*)?m")


class Terminal:
    """A terminal with the command in it."""

    def __init__(self, folder: Path) -> None:
        self._tmux = ["tmux", "-u", "-L", "top", "-f", "/dev/null"]
        self._env = {"TMUX_TMPDIR": str(folder)}

    def run(self, *arguments: str, size: tuple[int, int] = (80, 24), env: str = "") -> None:
        """Start the command; the terminal stays when that has ended."""
        command = f"{env} {shlex.join([*COMMAND, 'top', *arguments])}; echo ended with $?; exec sleep 100"
        self._do("new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), "sh", "-c", command)

    def _do(self, *arguments: str, check: bool = True) -> str:
        import os

        done = subprocess.run([*self._tmux, *arguments], env=os.environ | self._env, capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def press(self, *keys: str) -> None:
        self._do("send-keys", *keys)

    def resize(self, width: int, height: int) -> None:
        self._do("resize-window", "-x", str(width), "-y", str(height))

    def shown(self, *, coloured: bool = False) -> list[str]:
        """The lines that can be seen."""
        return self._do("capture-pane", "-p", *(["-e"] if coloured else [])).splitlines()

    def wait_for(self, words: str) -> str:
        """The line with what the pattern says, as soon as it is there."""
        deadline = time.monotonic() + DEADLINE
        while not (line := next((line for line in self.shown() if re.search(words, line)), "")):
            assert time.monotonic() < deadline, f"no {words!r} in\n" + "\n".join(self.shown())
            time.sleep(0.05)
        return line

    def end(self) -> None:
        self._do("kill-server", check=False)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.end()


def test_at_80_columns(start: Callable[..., Up], terminal: Terminal, control: Control, net: Any) -> None:
    up = start(TWO).ready()
    terminal.run("it")
    with stream(net, up):
        terminal.wait_for(r"^jobs +running +[1-9]\d* +0 ")
        _, heads, jobs, calls, *_, hint = terminal.shown()
        assert heads.split() == HEADS
        assert jobs.split()[-1] in ("0s", "1s")
        assert calls.split()[:3] == ["calls", "running", "0"]
        assert hint.startswith("? help  q quit ")
        assert all(len(line) <= 80 for line in terminal.shown())
    terminal.press("j")
    terminal.wait_for(r"^calls: queue, process, running, process \d+, up ")
    assert terminal.wait_for(r"^in tcp://").startswith(f"in {up.address('calls.in')}; out ")
    terminal.press("Space")
    terminal.wait_for("^calls +paused")
    assert control.states(code=1) == {"jobs": "running", "calls": "paused"}
    terminal.press("Space")
    terminal.wait_for("^calls +running")
    pid = control.ps()["calls"]["pid"]
    terminal.press("R")
    terminal.wait_for("^calls: running$")
    assert control.ps()["calls"]["pid"] != pid
    terminal.press("l")
    terminal.wait_for("log of it/calls")
    terminal.wait_for("Z stopped")
    terminal.press("Escape")        # with a key right behind it, it would be Alt and that key
    terminal.wait_for("^jobs")
    terminal.press("?")
    terminal.wait_for("8 PEERS ")
    terminal.press("q")
    terminal.wait_for("^jobs")
    terminal.press("q")
    terminal.wait_for("^ended with 0")
    assert not any("DEVICE" in line for line in terminal.shown())
    up.stop()


def test_at_200_columns(start: Callable[..., Up], terminal: Terminal) -> None:
    long = "a-device-whose-name-says-all-that-it-is-for"
    up = start(TWO.replace("jobs", long)).ready()
    terminal.run(size=(200, 50))
    terminal.wait_for(f"^it/{long} +running +0 ")
    assert len(terminal.shown()) == 50
    assert terminal.shown()[1].split() == HEADS
    up.stop()


def test_at_40_columns_and_less(start: Callable[..., Up], terminal: Terminal) -> None:
    up = start(TWO).ready()
    terminal.run("it", size=(120, 24))
    terminal.wait_for("^jobs +running +0 ")
    terminal.resize(40, 24)
    terminal.wait_for("40 columns: no room for B/s, BLOCKED%,")
    terminal.wait_for(r"^DEVICE +STATE +IN/s +OUT/s +DROPPED$")
    terminal.resize(20, 5)
    terminal.wait_for("20 x 5 is too")
    terminal.resize(80, 24)
    terminal.wait_for(" LAST$")
    terminal.press("C-c")
    terminal.wait_for("^ended with 0")
    up.stop()


def test_sort_reverse_and_filter_of_the_command(start: Callable[..., Up], terminal: Terminal) -> None:
    up = start(TWO).ready()
    terminal.run("it", "--sort", "device", "--reverse", "--filter", "running")
    terminal.wait_for("^jobs")
    terminal.wait_for("it: 2 of 2 devices running; by DEVICE reversed; 'running': 2")
    assert [line.split()[0] for line in terminal.shown()[1:4]] == ["DEVICE", "jobs", "calls"]
    # As fast as a terminal can: nothing of it acts on a device or opens a screen.
    terminal.press("/", "C-u", *"calls", "Enter")
    terminal.wait_for("'calls': 1$")
    terminal.wait_for("^calls: queue")
    assert [line.split()[0] for line in terminal.shown()[1:3]] == ["DEVICE", "calls"]
    up.stop()


def test_a_topology_that_ends_and_starts_again(start: Callable[..., Up], terminal: Terminal) -> None:
    up = start(TWO).ready()
    terminal.run("it")
    terminal.wait_for("^jobs")
    up.stop()
    terminal.wait_for("it: nothing runs; waiting for it to start")
    up = start(TWO).ready()
    terminal.wait_for("^jobs +running +0 ")
    up.stop()


def test_what_passes_a_device(start: Callable[..., Up], terminal: Terminal, net: Any) -> None:
    up = start(TWO).ready()
    terminal.run("it")
    with stream(net, up):
        terminal.wait_for("^jobs +running +[1-9]")
        terminal.press("t")
        terminal.wait_for("messages of it/jobs")
        terminal.wait_for(r"^\d\d:\d\d:\d\d\.\d{6} jobs in_to_out #\d+ ")
        terminal.press("q")
        terminal.wait_for("^jobs +running")
    terminal.press("t")
    terminal.wait_for("no messages from jobs yet")
    up.stop()
    terminal.wait_for("ended")
    terminal.press("Escape")
    terminal.wait_for("nothing runs; waiting for it to start")
    terminal.press("q")
    terminal.wait_for("^ended with 0")


def test_who_is_connected(start: Callable[..., Up], terminal: Terminal, net: Any) -> None:
    up = start(TWO).ready()
    push = net.socket(zmq.PUSH, connect=up.address("jobs.in"))
    terminal.run("it")
    terminal.wait_for(r"^jobs +running +0 +0 +0 +0 +0 +1/0 ")
    terminal.press("p")
    terminal.wait_for("peers of it/jobs")
    terminal.wait_for(r"^in +127\.0\.0\.1:\d+|^in +tcp://127\.0\.0\.1:\d+")
    push.close(0)
    terminal.wait_for(r"^\d\d:\d\d:\d\d .*(gone|disconnected|went|closed)")
    terminal.press("q")
    terminal.wait_for(r"^jobs +running +0 +0 +0 +0 +0 +0/0 ")
    up.stop()


@pytest.mark.parametrize("env", ["", "NO_COLOR=1"])
def test_states_are_words_and_colours_unless_nobody_wants_colours(
    start: Callable[..., Up], terminal: Terminal, control: Control, env: str
) -> None:
    up = start(TWO).ready()
    control("pause", "calls")
    terminal.run("it", env=env)
    terminal.wait_for("^calls +paused")
    terminal.wait_for("^jobs +running")
    line = next(line for line in terminal.shown(coloured=True) if "paused" in line)
    assert bool(COLOUR.search(line)) == (not env)
    up.stop()


@pytest.mark.parametrize("signal", ["TERM", "HUP"])
def test_the_terminal_is_as_before_when_it_is_ended(
    start: Callable[..., Up], terminal: Terminal, signal: str
) -> None:
    up = start(TWO).ready()
    terminal.run("it")
    terminal.wait_for("^jobs")
    pid = next(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()
               and (entry / "cmdline").exists() and _is_top(entry))
    subprocess.run(["kill", f"-{signal}", str(pid)], check=True)
    terminal.wait_for("^ended with ")
    assert not any("DEVICE" in line for line in terminal.shown())
    up.stop()


def _is_top(entry: Path) -> bool:
    try:
        return (entry / "cmdline").read_bytes().split(b"\0")[:-1] == [*map(str.encode, COMMAND), b"top", b"it"]
    except OSError:
        return False
