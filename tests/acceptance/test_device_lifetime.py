"""How long a device of a program lives: unkept objects, Ctrl-C in a terminal, contexts ended from elsewhere, forks."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DEADLINE = 20.0
"""Seconds, many times what a program here takes."""

PACKAGES = pytest.mark.parametrize("package", ["zmq.devices", "zmqtopo.devices"])
METHODS = pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
DAEMON = pytest.mark.parametrize("daemon", [True, False], ids=["daemon", "not-daemon"])

BEGIN = """
import gc, multiprocessing, os, signal, sys, threading, time
import zmq
import PACKAGE as devices

method = sys.argv[1]
tcp = "tcp://127.0.0.1"
context = zmq.Context()

class Ends:
    def __init__(self):
        self.push, self.pull = context.socket(zmq.PUSH), context.socket(zmq.PULL)
        self.addresses = [f"{tcp}:{s.bind_to_random_port(tcp)}" for s in (self.push, self.pull)]
        self.push.linger = 0
    def connect(self, device):
        device.connect_in(self.addresses[0]), device.connect_out(self.addresses[1])
        device.setsockopt_out(zmq.LINGER, 0)
    def works(self):
        assert self.push.poll(10_000, zmq.POLLOUT), "no device took the message"
        self.push.send(b"x")
        assert self.pull.poll(10_000), "nothing came"
        assert self.pull.recv() == b"x"
    def close(self):
        self.push.close(0), self.pull.close(0)

if method == "thread":
    Kind = devices.ThreadDevice
else:
    class Kind(devices.ProcessDevice):
        _launch_class = multiprocessing.get_context(method).Process
"""


def program(file: Path, text: str, package: str = "zmqtopo.devices") -> Path:
    file.write_text(BEGIN.replace("PACKAGE", package) + text)
    return file


def run(file: Path, *arguments: str) -> None:
    # Python 3.12 and newer warn of a fork beside threads, which is what some of the programs are about.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", file, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)


# -- nobody keeps it ---------------------------------------------------------------------------------------------------

UNKEPT = """
def start(ends, daemon):
    device = Kind(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    ends.connect(device)
    device.daemon = daemon
    device.start()

if __name__ == "__main__":
    first, second = Ends(), Ends()
    start(first, sys.argv[2] == "daemon")
    first.works()
    gc.collect()
    start(second, sys.argv[2] == "daemon")      # what has ended is forgotten here, what has not is not
    gc.collect()
    for turn in range(3):
        second.works(), first.works()
    print("fine", flush=True)
    for child in multiprocessing.active_children():
        child.terminate()
        child.join()
    os._exit(0)
"""


@PACKAGES
@DAEMON
@pytest.mark.parametrize("method", ["thread", "fork", "spawn", "forkserver"])
def test_a_device_that_nobody_keeps_goes_on(tmp_path: Path, method: str, daemon: bool, package: str) -> None:
    run(program(tmp_path / "program.py", UNKEPT, package), method, "daemon" if daemon else "not")


FORGOTTEN = """
if __name__ == "__main__":
    import weakref
    known = []
    for turn in range(4):
        device = Kind(zmq.STREAMER, zmq.PULL, zmq.PUSH)
        device.start()
        device.wait_ready()
        known.append(weakref.ref(device))
        device.launcher.terminate()
        if turn == 0:
            device.join()
        elif turn == 1:
            device.stop()
        else:
            device.launcher.join()
    del device
    last = Kind(zmq.STREAMER, zmq.PULL, zmq.PUSH)   # what ended without being asked is released by the next start
    last.start()
    gc.collect()
    assert [ref() for ref in known] == [None] * 4
    last.stop()
    print("fine")
"""


@METHODS
def test_a_device_that_has_ended_is_not_kept(tmp_path: Path, method: str) -> None:
    run(program(tmp_path / "program.py", FORGOTTEN), method)


# -- a terminal --------------------------------------------------------------------------------------------------------

AT_A_TERMINAL = """
class KindOfProxy(devices.ProcessProxy):
    _launch_class = Kind._launch_class

class KindOfQueue(devices.ProcessMonitoredQueue):
    _launch_class = Kind._launch_class

def main():
    ends = Ends()
    device = {"device": Kind, "proxy": KindOfProxy, "queue": KindOfQueue}[sys.argv[3]]
    device = device(in_type=zmq.PULL, out_type=zmq.PUSH)
    ends.connect(device)
    device.daemon = sys.argv[2] == "daemon"
    device.start()
    ends.works()
    try:
        print("pid", device.launcher.pid, "works", flush=True)
        device.join()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        if sys.argv[4] == "goes on":
            device.join(10)
            print("ended", device.launcher.exitcode, device.error, flush=True)
    ends.close()

if __name__ == "__main__":
    main()
"""


ON_ITS_TERMINAL = """
import fcntl, os, signal, sys, termios
for number in (signal.SIGINT, signal.SIGHUP):       # nohup, and a shell for what runs in its background, ignore them
    signal.signal(number, signal.SIG_DFL)
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-W", "ignore::DeprecationWarning", *sys.argv[1:]])
"""


class Terminal:
    """A program in a session of its own on a terminal, and what it has shown."""

    def __init__(self, *command: Any) -> None:
        self.fd, other = os.openpty()
        self.process = subprocess.Popen([sys.executable, "-c", ON_ITS_TERMINAL, *command],
                                        stdin=other, stdout=other, stderr=other)
        os.close(other)
        self.shown = ""

    def read(self, words: str | None) -> str:
        """Read until these words come, or to the end."""
        while words is None or words not in self.shown:
            assert select.select([self.fd], [], [], DEADLINE)[0], f"nothing more was shown after: {self.shown}"
            try:
                chunk = os.read(self.fd, 4096)
            except OSError:     # EIO: nobody has the terminal open any more
                chunk = b""
            if not chunk:
                assert words is None, self.shown
                break
            self.shown += chunk.decode()
        return self.shown

    def close(self) -> int:
        """Hang up, and wait for the end of the program."""
        os.close(self.fd)
        return self.process.wait(DEADLINE)


@pytest.mark.parametrize(("method", "what", "daemon", "then"), [
    ("fork", "device", False, "ends"),
    ("spawn", "device", False, "ends"),
    ("forkserver", "device", False, "ends"),
    ("fork", "device", True, "ends"),
    ("spawn", "device", True, "ends"),
    ("forkserver", "device", True, "ends"),
    ("spawn", "proxy", False, "ends"),
    ("spawn", "queue", False, "ends"),
    ("spawn", "device", False, "goes on"),
    ("fork", "device", True, "goes on"),
])
def test_ctrl_c_ends_the_program_and_its_devices(
    tmp_path: Path, method: str, what: str, daemon: bool, then: str
) -> None:
    words = "daemon" if daemon else "not"
    terminal = Terminal(program(tmp_path / "program.py", AT_A_TERMINAL), method, words, what, then)
    terminal.read(" works")
    os.write(terminal.fd, b"\x03")
    # The workers have the terminal open too: its end is the end of all of them.
    shown = terminal.read(None)
    assert terminal.close() == 0, shown
    assert "Traceback" not in shown
    if then == "goes on":
        # None: Ctrl-C came when os.waitpid had the exit code and multiprocessing had not, and then it is lost.
        assert "ended 130 None" in shown or "ended None None" in shown


def test_sigint_to_the_process_alone_ends_it(tmp_path: Path) -> None:
    terminal = Terminal(program(tmp_path / "program.py", AT_A_TERMINAL), "fork", "not", "device", "ends")
    shown = terminal.read(" works")
    os.kill(int(shown.split()[1]), signal.SIGINT)
    assert "Traceback" not in terminal.read(None)
    assert terminal.close() == 0
    assert "interrupted" not in terminal.shown


def test_a_closed_terminal_ends_the_devices(tmp_path: Path) -> None:
    terminal = Terminal(program(tmp_path / "program.py", AT_A_TERMINAL), "fork", "not", "device", "ends")
    worker = int(terminal.read(" works").split()[1])
    ended = os.pidfd_open(worker)
    terminal.close()
    assert select.select([ended], [], [], DEADLINE)[0]
    os.close(ended)


# -- contexts ----------------------------------------------------------------------------------------------------------

OWN_CONTEXT = """
import random
devices.Device.context_factory = zmq.Context

def end(device):
    while (own := getattr(device, "_context", None)) is None:
        pass
    own.term()

for turn in range(60):
    ends = Ends()
    device = devices.ThreadMonitoredQueue(zmq.PULL, zmq.PUSH, zmq.PUB)
    ends.connect(device)
    device.start()
    if turn % 3:
        device.wait_ready(10)
        ends.works()
    # Others end it while it starts, while it works, and while it is told to stop.
    enders = [threading.Thread(target=end, args=(device,), daemon=True) for _ in range(turn % 2 + 1)]
    if turn % 3 == 2:
        enders.append(threading.Thread(target=device.stop, daemon=True))
    random.shuffle(enders)
    for thread in enders:
        thread.start()
    for thread in enders:
        thread.join(10)
        assert not thread.is_alive(), turn
    device.join(10)
    assert not device.launcher.is_alive(), turn
    assert device.error is None, device.error
    assert device._context.closed
    ends.close()
context.term()
print("fine")
"""


def test_a_context_of_its_own_may_be_ended_by_anybody(tmp_path: Path) -> None:
    run(program(tmp_path / "program.py", OWN_CONTEXT), "thread")


# -- forks -------------------------------------------------------------------------------------------------------------

FORKED = """
def refused(call):
    try:
        call()
    except RuntimeError as error:
        assert f"started by process {parent}; process {os.getpid()}, forked from it, cannot" in str(error), error
        return True
    return False

def in_the_child():
    assert refused(device.stop) and refused(device.pause) and refused(device.resume) and refused(device.wait_ready)
    if method == "thread":
        device.join()       # as in pyzmq: the thread is not there
    else:
        assert refused(device.join)
    assert device.counters.in_to_out.messages == 1
    assert len(device.endpoints["in"]) == 0 and device.error is None and device.done is False
    device.__exit__(None, None, None)       # leaving a block that another process has entered
    device.start()
    device.wait_ready(10)
    device.stop()
    assert device.done

if __name__ == "__main__":
    parent = os.getpid()
    ends = Ends()
    device = Kind(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    ends.connect(device)
    device.start()
    device.wait_ready(10)
    ends.works()
    while device.counters.in_to_out.messages < 1:
        pass
    child = os.fork()
    if child == 0:
        code = 1
        try:
            in_the_child()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    ends.works()        # the parent has lost nothing
    device.pause()
    device.stop()
    ends.close()
    print("fine")
"""


@pytest.mark.parametrize("method", ["thread", "fork", "spawn"])
def test_after_a_fork(tmp_path: Path, method: str) -> None:
    run(program(tmp_path / "program.py", FORKED), method)
