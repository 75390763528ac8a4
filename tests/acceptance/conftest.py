"""The command as its users run it: started, listened to, signalled, and looked after when it has ended."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

DEADLINE = 10.0
"""Seconds after which something that was waited for is a failure."""

COMMAND = [sys.executable, "-m", "zmqtopo"]

_INTRODUCTION = re.compile(r"zmqtopo: (?P<device>[\w-]+): \w+, [\w/-]+; (?P<sockets>.*)")
_ADDRESS = re.compile(r"(?<!to )\b(?:tcp|ipc|inproc)://[^,; ]+")


def children(pid: int) -> set[int]:
    """The processes that this one has started and that still run."""
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.exists():
        listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
        return {int(child) for child in listed.stdout.split()}
    return {int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()}


def is_free(address: str) -> bool:
    """Whether nobody listens at a tcp address, or no file of an ipc address is left."""
    if address.startswith("ipc://"):
        return not Path(address.removeprefix("ipc://")).exists()
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    host = host.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)     # what libzmq does; TIME_WAIT is nobody's port
        try:
            probe.bind((host, int(port)))
        except OSError:
            # Another program's connection may have got this port as its own end, and then it cannot be bound, even
            # for a minute after its end; but nobody listens there.
            return not accepts(address)
    return True


def accepts(address: str) -> bool:
    """Whether somebody takes a connection there."""
    if address.startswith("ipc://"):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(address.removeprefix("ipc://")) == 0
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    host = host.strip("[]").replace("0.0.0.0", "127.0.0.1")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # A connection to a port of the system's choice may get that port as its own end, and so reach itself.
        return probe.connect_ex((host, int(port))) == 0 and probe.getsockname() != probe.getpeername()


class Up:
    """``zmqtopo up`` in a process group of its own, as a shell starts it.

    Its workers write to the same stderr, so the end of that stream says that none of them is left.
    """

    def __init__(self, arguments: list[str], folder: Path, env: Mapping[str, str], **options: Any) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "up", *arguments], cwd=folder, env=os.environ | env, process_group=0,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )
        self.lines: list[str] = []
        self._rest = b""

    # -- what it says ------------------------------------------------------------------------------------------------

    def wait_for(self, words: str, within: float = DEADLINE) -> str:
        """The next line of stderr with these words in it."""
        deadline = time.monotonic() + within
        while (line := self._line(deadline)) is not None:
            if words in line:
                return line
        pytest.fail(f"stderr ended without {words!r}:\n{self.said}")

    @property
    def said(self) -> str:
        """Everything on stderr so far."""
        return "\n".join(self.lines)

    def ready(self) -> Up:
        """Wait until every device runs."""
        self.wait_for(": ready, ")
        return self

    @property
    def addresses(self) -> dict[str, list[str]]:
        """What each socket has bound, by DEVICE.SOCKET, as the command introduces its devices."""
        found: dict[str, list[str]] = {}
        for line in self.lines:
            if match := _INTRODUCTION.fullmatch(line):
                for part in match["sockets"].split("; "):
                    found[f"{match['device']}.{part.split()[0]}"] = _ADDRESS.findall(part)
        return found

    def address(self, name: str) -> str:
        """The first address of ``DEVICE.SOCKET``, to connect to."""
        return self.addresses[name][0].replace("0.0.0.0", "127.0.0.1")

    def workers(self) -> set[int]:
        """Its worker processes, which are children of the process that started them."""
        return {worker for forkserver in children(self.process.pid) for worker in children(forkserver)}

    def worker(self, name: str) -> int:
        """The process of a device or a group, which it shows in its arguments."""
        for pid in self.workers():
            # -ww: ps cuts its lines at COLUMNS, which somebody may have set.
            command = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
            shown = subprocess.run(command, capture_output=True, text=True, check=True)
            if shown.stdout.rstrip().endswith(name):
                return pid
        raise LookupError(name)

    # -- what is done to it ------------------------------------------------------------------------------------------

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def send_group(self, number: int) -> None:
        """As a terminal does for Ctrl-C."""
        os.killpg(self.process.pid, number)

    # -- its end -----------------------------------------------------------------------------------------------------

    def end(self, code: int, within: float = DEADLINE) -> str:
        """Wait for the end of it and of all its workers, and look for what it should not have left; what it said."""
        deadline = time.monotonic() + within
        while self._line(deadline) is not None:
            continue
        assert self.process.wait(DEADLINE) == code, self.said
        assert self.process.stdout is not None
        assert self.process.stdout.read() == b""
        assert "Traceback" not in self.said
        for addresses in self.addresses.values():
            for address in addresses:
                # A port goes with the processes, which have ended; by now another program may have got it.
                assert not address.startswith("ipc") or is_free(address), f"{address} is left\n{self.said}"
        return self.said

    def stop(self, number: int = signal.SIGTERM, code: int = 0) -> str:
        """Signal it and wait for its end."""
        self.send(number)
        return self.end(code)

    def clean_up(self) -> None:
        """After the test, however it went."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _line(self, deadline: float) -> str | None:
        """The next line, None at the end of the stream."""
        assert self.process.stderr is not None
        fd = self.process.stderr.fileno()
        while b"\n" not in self._rest:
            if not select.select([fd], [], [], max(deadline - time.monotonic(), 0))[0]:
                pytest.fail(f"nothing more on stderr in time, after:\n{self.said}")
            chunk = os.read(fd, 65536)
            if not chunk:
                return None
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        self.lines.append(line.decode())
        return self.lines[-1]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Start ``zmqtopo up`` on a topology in words; what is left of it after the test is ended."""
    started: list[Up] = []

    def start(
        topology: str | None, *arguments: str, name: str = "it", env: Mapping[str, str] | None = None, **options: Any
    ) -> Up:
        """``topology`` None is for what comes from standard input."""
        path = "-"
        if topology is not None:
            path = str(tmp_path / f"{name}.yaml")
            Path(path).write_text(topology, encoding="utf-8")
        started.append(Up([path, *arguments], tmp_path, env or {}, **options))
        return started[-1]

    yield start
    for up in started:
        up.clean_up()


@pytest.fixture
def zmqtopo(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command to its end."""

    def run(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=tmp_path, input=data, capture_output=True, check=False, timeout=60
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


class InTerminal:
    """The command with a terminal of some size as its standard output, and as its standard error if that is wanted."""

    def __init__(self, folder: Path, arguments: Sequence[str], columns: int, rows: int, *, stderr: bool,
                 env: Mapping[str, str]) -> None:
        self.fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], cwd=folder, env=os.environ | {"TERM": "xterm"} | env, stdin=subprocess.DEVNULL,
            stdout=theirs, stderr=theirs if stderr else subprocess.PIPE, start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def wait_for(self, words: str) -> str:
        """What is shown until these words come."""
        deadline = time.monotonic() + DEADLINE
        while words not in self.shown:
            assert self._more(deadline), f"no {words!r} in {self.shown!r}"
        return self.shown

    def end(self) -> tuple[int, str, str]:
        """Wait for the end: the exit code, what was shown, and what came on standard error if that is elsewhere."""
        deadline = time.monotonic() + DEADLINE
        while self._more(deadline):
            continue
        said = self.process.stderr.read().decode() if self.process.stderr is not None else ""
        return self.process.wait(DEADLINE), self.shown, said

    def close(self) -> None:
        """End it whatever it does."""
        self.process.kill()
        self.process.wait(DEADLINE)
        if self.process.stderr is not None:
            self.process.stderr.close()
        if self.fd >= 0:
            os.close(self.fd)

    def _more(self, deadline: float) -> bool:
        if not select.select([self.fd], [], [], max(deadline - time.monotonic(), 0))[0]:
            pytest.fail(f"nothing more on the terminal in time, after:\n{self.shown}")
        try:
            read = os.read(self.fd, 65536)
        except OSError:     # Linux: the other end is closed
            read = b""
        self.shown += read.decode().replace("\r\n", "\n")
        return bool(read)


@pytest.fixture
def in_terminal(tmp_path: Path) -> Iterator[Callable[..., InTerminal]]:
    """Start the command with a terminal as its standard output."""
    started: list[InTerminal] = []

    def start(*arguments: str, columns: int = 80, rows: int = 24, stderr: bool = False,
              env: Mapping[str, str] | None = None) -> InTerminal:
        started.append(InTerminal(tmp_path, arguments, columns, rows, stderr=stderr, env=env or {}))
        return started[-1]

    yield start
    for one in started:
        one.close()


class Control:
    """The commands, for one topology."""

    def __init__(self, run: Callable[..., subprocess.CompletedProcess[str]], name: str = "it") -> None:
        self._run = run
        self.name = name

    def __call__(self, verb: str, *arguments: str, code: int | None = 0) -> str:
        """What it prints; ``code`` None is for whatever it returns."""
        done = self._run(verb, self.name, *arguments)
        assert code in (None, done.returncode), done
        return done.stdout

    def ps(self, code: int | None = 0) -> dict[str, dict[str, Any]]:
        (topology,) = json.loads(self("ps", "--format", "json", code=code))
        return {device["name"]: device for device in topology["devices"]}

    def states(self, code: int | None = 0) -> dict[str, str]:
        return {name: device["state"] for name, device in self.ps(code).items()}

    def address(self, socket: str) -> str:
        device, _, role = socket.partition(".")
        address: str = self.ps()[device]["endpoints"][role][0]
        return address


@pytest.fixture
def control(zmqtopo: Callable[..., Any]) -> Control:
    return Control(zmqtopo)


@pytest.fixture
def in_background(
    tmp_path: Path, zmqtopo: Callable[..., Any]
) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Start a topology with ``up -d``; it is ended after the test."""
    def start(text: str, *arguments: str, name: str = "it") -> subprocess.CompletedProcess[str]:
        (tmp_path / f"{name}.yaml").write_text(text)
        return zmqtopo("up", "-d", f"{name}.yaml", *arguments)

    yield start
    for topology in json.loads(zmqtopo("ps", "--format", "json").stdout or "[]"):
        zmqtopo("down", "--force", topology["topology"])
