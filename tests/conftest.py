"""What every test needs: sockets with deadlines, devices that are stopped, and a check that nothing stays behind."""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

import pytest
import zmq

_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_", "DYLD_",
         "PYTHON", "PYTEST",
         "HYPOTHESIS", "COVERAGE", "COV_", "NODE", "NPM_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_",
         "PUPPETEER", "CHROME", "PIP_", "UV_", "CC", "CFLAGS", "LDFLAGS", "SYSTEMROOT",
         "ZMQTOPO_NODE_MODULES", "ZMQTOPO_FUZZ_CASES")
"""What the variables begin with that tests, and the tools that they call, need. Any other one may be a variable of a
topology, or nearly, or change what a command prints: PORT, ZMQTOPO, NO_COLOR, COLUMNS, GITHUB_ACTIONS."""

for _name in list(os.environ):
    if not _name.upper().startswith(_KEPT):
        del os.environ[_name]

# Programs that tests start find the package that is tested and not a folder that lies where the tests are called from.
os.environ["PYTHONSAFEPATH"] = "1"

DEADLINE = 10.0
"""Seconds after which a test that waits has failed; far more than anything here takes."""


@pytest.fixture(autouse=True)
def state_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the topologies of a test have their state folders; nobody else's are there."""
    folder = tmp_path_factory.mktemp("run")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("ZMQTOPO_STATE_DIR", str(folder))
    return folder


# -- nothing stays behind -------------------------------------------------------------------------------------------


@pytest.fixture(scope="session", autouse=True)
def helpers_of_multiprocessing() -> None:
    """These live as long as the process that first needed them; let that be before anybody counts."""
    resource_tracker.ensure_running()
    forkserver.ensure_running()


def children() -> set[int]:
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        return {child.pid for child in multiprocessing.active_children() if child.pid is not None}
    # A thread may end while its folder is read.
    found = set()
    for task in tasks.iterdir():
        try:
            found |= {int(pid) for pid in (task / "children").read_text().split()}
        except OSError:
            continue
    return found


def descriptors() -> set[int]:
    found = set()
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - Path.iterdir has closed its descriptor too late to tell
        try:
            os.fstat(int(name))
        except OSError:
            continue    # the one that listed them
        found.add(int(name))
    return found


def left_behind(before: tuple[set[int], set[int], set[threading.Thread]]) -> str:
    """What is there now and was not before, in words; empty when there is nothing."""
    left = [f"child process {pid}" for pid in children() - before[0]]
    for fd in descriptors() - before[1]:
        try:
            left.append(f"descriptor {fd}: {Path(f'/dev/fd/{fd}').readlink()}")
        except OSError:
            continue
    left += [f"thread {thread.name}" for thread in set(threading.enumerate()) - before[2]]
    return ", ".join(left)


@pytest.fixture(autouse=True)
def nothing_stays(helpers_of_multiprocessing: None) -> Iterator[None]:
    before = children(), descriptors(), set(threading.enumerate())
    yield
    if left_behind(before):
        gc.collect()    # an error that a test has caught holds its frames in a cycle
        # Thread devices share the context of the process, which nobody ends but us.
        terminate(zmq.Context.instance())
    # libzmq closes its descriptors in threads of its own.
    deadline = time.monotonic() + DEADLINE
    while left := left_behind(before):
        if time.monotonic() > deadline:
            pytest.fail(f"left behind: {left}")
        threading.Event().wait(0.002)


def terminate(context: zmq.Context[Any]) -> None:
    """End a context, or fail because a socket of it is still open or still has something to send."""
    worker = threading.Thread(target=context.term, daemon=True, name="context.term")
    worker.start()
    worker.join(DEADLINE)
    if worker.is_alive():
        pytest.fail("the context does not end: a socket is open or still has something to send")


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    context = zmq.Context()
    yield context
    terminate(context)


# -- sockets and devices --------------------------------------------------------------------------------------------


class Net:
    """The ends of a test: sockets of one context, all closed after the test, and the devices between them.

    Ends bind and devices connect, so that a device of zmq.devices, which does not say where it has bound, can take
    the place of one of ours.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], folder: Path) -> None:
        self.context = context
        self._folder = folder
        self._names = itertools.count()
        self._sockets: list[zmq.Socket[bytes]] = []
        self._devices: list[Any] = []

    def address(self, transport: str = "tcp") -> str:
        """Something to bind, never used before."""
        name = f"end{next(self._names)}"
        return {
            "tcp": "tcp://127.0.0.1:*",
            "ipc": f"ipc://{self._folder}/{name}",
            "inproc": f"inproc://{name}",
        }[transport]

    def socket(self, type_: int, *, connect: str | None = None, **options: Any) -> zmq.Socket[bytes]:
        """A socket with libzmq's options in lower case; it does not linger and sends within the deadline."""
        socket = self.context.socket(type_)
        self._sockets.append(socket)
        for name, value in {"linger": 0, "sndtimeo": int(DEADLINE * 1000), **options}.items():
            socket.setsockopt(getattr(zmq, name.upper()), value)
        if connect is not None:
            socket.connect(connect)
        return socket

    def end(self, type_: int, transport: str = "tcp", **options: Any) -> tuple[zmq.Socket[bytes], str]:
        """A bound socket and its address."""
        address = self.address(transport)
        socket = self.socket(type_, **options)
        socket.bind(address)
        return socket, socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")

    def start(self, device: Any, **addresses: str) -> Any:
        """Start a device whose sockets connect to these addresses, in this context; it is ready where it can say so."""
        device.context_factory = lambda: self.context
        for role, address in addresses.items():
            getattr(device, f"setsockopt_{role}")(zmq.LINGER, 0)
            getattr(device, f"connect_{role}")(address)
        device.start()
        self._devices.append(device)
        if hasattr(device, "wait_ready"):
            device.wait_ready(DEADLINE)
        return device

    def until(self, condition: Callable[[], Any], what: str = "the condition") -> Any:
        """Look again and again until it is true; its value. Fails after the deadline."""
        deadline = time.monotonic() + DEADLINE
        while not (value := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"{what} did not come true within {DEADLINE:g} s")
            threading.Event().wait(0.001)
        return value

    def receive(self, socket: zmq.Socket[bytes], seconds: float = DEADLINE) -> list[bytes]:
        """The next message; an AssertionError when none comes in time."""
        assert socket.poll(int(seconds * 1000)), "no message came"
        return socket.recv_multipart(zmq.DONTWAIT)

    def receive_all(self, socket: zmq.Socket[bytes], count: int, seconds: float = DEADLINE) -> list[list[bytes]]:
        """The next so many messages, each in time."""
        return [self.receive(socket, seconds) for _ in range(count)]

    def fill(self, socket: zmq.Socket[bytes], message: list[bytes], quiet: float = 0.3) -> int:
        """Send until nothing has gone for so many seconds; how many went."""
        sent = 0
        while socket.poll(int(quiet * 1000), zmq.POLLOUT):
            socket.send_multipart(message, zmq.DONTWAIT)
            sent += 1
        return sent

    def close(self) -> None:
        # Devices first: libzmq aborts (its issue 3442) when a peer goes just while a socket with LINGER 0
        # closes in the middle of a message to it. A device of zmq.devices ends with its context, after its peers.
        for device in self._devices:
            if hasattr(device, "stop"):
                device.stop(0)
        for socket in self._sockets:
            socket.close(0)


@pytest.fixture
def net(context: zmq.Context[zmq.Socket[bytes]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    net = Net(context, tmp_path_factory.mktemp("net"))
    yield net
    net.close()


# -- programs of others ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of tests/package.json, from ZMQTOPO_NODE_MODULES or installed now; without them, a skip."""
    if "ZMQTOPO_NODE_MODULES" in os.environ:
        return Path(os.environ["ZMQTOPO_NODE_MODULES"])
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm and node are not installed")
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(Path(__file__).with_name("package.json"), folder)
    try:
        subprocess.run([npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder], check=True,
                       capture_output=True, timeout=300)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"npm cannot install the packages of tests/package.json: {error}")
    return folder / "node_modules"
