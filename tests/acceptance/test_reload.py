"""A running topology that becomes another one: by command, by signal, by itself, and what its clients notice."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from zmqtopo.control.client import connect

from .brokers import ANY, pump
from .conftest import COMMAND, DEADLINE, Control, Up

A = f"  a: {{type: streamer, in: {ANY}, out: {ANY}}}\n"
B = f"  b: {{type: streamer, run: process, in: {ANY}, out: {ANY}}}\n"
C = f"  c: {{type: queue, in: {ANY}, out: {ANY}}}\n"
B2 = B.replace("}}", ", options: {sndhwm: 7}}}")
BAD = "  b: {type: steamer}\n"


def topology(*devices: str) -> str:
    return "devices:\n" + "".join(devices)


@pytest.fixture
def rewrite(tmp_path: Path) -> Callable[..., None]:
    """Put devices into a file as a careful editor does it."""
    def rewrite(*devices: str, name: str = "it") -> None:
        (tmp_path / "new").write_text(topology(*devices), encoding="utf-8")
        (tmp_path / "new").rename(tmp_path / f"{name}.yaml")

    return rewrite


@pytest.fixture
def client(net: Any) -> Callable[[str, str], tuple[Any, Any]]:
    """The two ends of a stream through a device."""
    return lambda in_, out: (net.socket(zmq.PUSH, connect=in_), net.socket(zmq.PULL, connect=out))


# -- the verb -------------------------------------------------------------------------------------------------------


def test_another_name_waits_for_the_next_up(
    start: Callable[..., Up], control: Control, zmqtopo: Any, tmp_path: Path
) -> None:
    up = start(topology(A)).ready()
    (tmp_path / "it.yaml").write_text("name: other\n" + topology(A))
    line = "~ changed: name it -> other (not before the next up)\n= unchanged: a\n"
    assert control("reload", "--dry-run") == line + "it: dry run: nothing changed\n"
    for _ in range(2):
        assert control("reload") == line + "it: reloaded\n"
    assert zmqtopo("reload", "it.yaml").stdout == line + "it: reloaded\n"
    assert zmqtopo("reload", "other").returncode == 69
    up.stop()


def test_the_plan_is_printed_and_done(start: Callable[..., Up], control: Control, rewrite: Any) -> None:
    up = start(topology(A, B)).ready()
    before = control.ps()
    rewrite(A, B2, C)
    printed = (
        "= unchanged: a\n"
        "~ changed: b.out.options.sndhwm 1000 -> 7 (new sockets)\n"
        "+ added: c\n"
    )
    assert control("reload", "--dry-run") == printed + "it: dry run: nothing changed\n"
    assert control.ps() | {"a": {}, "b": {}} == {"a": {}, "b": {}}
    assert control("reload") == printed + "it: reloaded\n"
    now = control.ps()
    assert list(now) == ["a", "b", "c"]
    assert [now[name]["endpoints"] == before[name]["endpoints"] for name in "ab"] == [True, True]
    assert now["a"]["pid"] == before["a"]["pid"]
    assert now["b"]["pid"] != before["b"]["pid"]
    assert control("reload") == "= unchanged: a\n= unchanged: b\n= unchanged: c\nit: nothing has changed\n"
    rewrite(C)
    nothing_left = {"passed_on": 0, "dropped": 0, "possibly_lost_per_peer": 0, "dropped_exact": True}
    assert json.loads(control("reload", "--format", "json")) == {
        "result": "done", "topology": "it", "changes": [],
        "devices": [{"name": "c", "action": "unchanged", "changes": []},
                    {"name": "a", "action": "removed", "changes": [], "stop": nothing_left},
                    {"name": "b", "action": "removed", "changes": [], "stop": nothing_left}],
    }
    assert list(control.ps()) == ["c"]
    said = up.stop()
    assert "zmqtopo: it: ~ changed: b.out.options.sndhwm 1000 -> 7 (new sockets)\n" in said
    assert "zmqtopo: it: reloaded in " in said
    assert ": 1 added, 1 changed, 1 unchanged\n" in said


def test_another_file_and_back(
    in_background: Callable[..., Any], control: Control, zmqtopo: Any, tmp_path: Path
) -> None:
    in_background(topology(A))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "other.yaml").write_text(topology(A, C))
    assert zmqtopo("reload", "it.yaml", "folder/other.yaml").stdout.endswith("+ added: c\nit: reloaded\n")
    assert list(control.ps()) == ["a", "c"]
    assert control("reload").endswith("- removed: c\nit: reloaded\n")


def test_a_file_with_errors_changes_nothing(
    start: Callable[..., Up], zmqtopo: Any, control: Control, rewrite: Any
) -> None:
    up = start(topology(A)).ready()
    rewrite(BAD, C)
    for arguments in ([], ["--dry-run"], ["--format", "json"]):
        done = zmqtopo("reload", "it", *arguments)
        assert done.returncode == 78
        assert "hint: did you mean streamer?" in done.stderr
        assert done.stdout == "" or json.loads(done.stdout)["result"] == "bad-file"
    rewrite(A, C.replace(ANY, "{bind: 'tcp://127.0.0.1:${ZMQTOPO_NOWHERE}'}", 1))
    assert "undefined-variable" in zmqtopo("reload", "it").stderr
    done = zmqtopo("reload", "it", "nothing.yaml")
    assert (done.returncode, "nothing.yaml" in done.stderr) == (78, True)
    assert list(control.states()) == ["a"]
    assert "it.yaml cannot run, and nothing is changed" in up.stop()


def test_a_port_that_is_taken_rolls_back(
    start: Callable[..., Up], zmqtopo: Any, control: Control, rewrite: Any, net: Any, client: Any
) -> None:
    up = start(topology(A, B)).ready()
    before = control.ps()
    _, taken = net.end(zmq.PULL)
    # Somebody may take a port between the question and the bind; here the question is not asked.
    unasked = C.replace(ANY, f"{{bind: '{taken}'}}", 1).rstrip() + "  # zmqtopo: ignore[port-in-use]\n"
    rewrite(A.replace("streamer,", "streamer, description: new,"), B2, unasked)
    done = zmqtopo("reload", "it")
    assert done.returncode == 1
    assert done.stdout.endswith("+ added: c\n")
    assert f"c.in: cannot bind {taken}: Address already in use" in done.stderr
    assert done.stderr.endswith("zmqtopo: error: not reloaded; everything was restored, but b was restarted\n")
    told = json.loads(zmqtopo("reload", "it", "--format", "json").stdout)
    assert (told["result"], len(told["errors"]), told["restarted"]) == ("rolled-back", 1, ["b"])
    now = control.ps()
    assert {name: device["endpoints"] for name, device in now.items()} == {
        name: device["endpoints"] for name, device in before.items()}
    for name in "ab":
        pump(net, *client(up.address(f"{name}.in"), up.address(f"{name}.out")), range(10))
    assert "not reloaded; everything was restored, but b was restarted" in up.stop()


@pytest.mark.parametrize(("bad", "rule"), [
    ("{{bind: '{taken}'}}", "port-in-use"),
    ("{{bind: 'ipc://{folder}/it.yaml'}}", "port-in-use"),
    ("{{bind: 'ipc://{folder}/none/x'}}", "ipc-dir-missing"),
    ("{{bind: 'tcp://192.0.2.77:5000'}}", "host-unresolvable"),
    ("{{type: PULL, connect: 'vmci://1:5000'}}", "transport-unavailable"),
])
def test_what_this_machine_cannot_run_touches_nothing(
    start: Callable[..., Up], zmqtopo: Any, control: Control, rewrite: Any, net: Any, tmp_path: Path, bad: str,
    rule: str
) -> None:
    up = start(topology(A, B)).ready()
    before = control.ps()
    _, taken = net.end(zmq.PULL)
    rewrite(A, B2, C.replace("queue", "streamer").replace(ANY, bad.format(taken=taken, folder=tmp_path), 1))
    for arguments in (["--dry-run"], []):
        done = zmqtopo("reload", "it", *arguments)
        assert done.returncode == 1
        assert f"[{rule}]" in done.stderr
        assert done.stderr.endswith("zmqtopo: error: not reloaded; nothing is changed\n")
        assert done.stdout.endswith("+ added: c\n" if arguments else "")
    told = json.loads(zmqtopo("reload", "it", "--format", "json").stdout)
    assert (told["result"], len(told["errors"])) == ("refused", 1)
    now = control.ps()
    assert [(now[n]["pid"], now[n]["restarts"]) for n in "ab"] == [(before[n]["pid"], 0) for n in "ab"]
    up.send(signal.SIGHUP)
    up.wait_for("it.yaml cannot run on this machine now, and nothing is changed")
    assert "b: stopp" not in up.stop().partition("it: stopping")[0]


def test_addresses_that_it_holds_itself_are_free(
    start: Callable[..., Up], zmqtopo: Any, control: Control, rewrite: Any, tmp_path: Path
) -> None:
    """A device is replaced, another takes over what one has had, and both spell addresses in other ways."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    old = A.replace(ANY, f"{{bind: ['tcp://*:{port}', 'ipc://{tmp_path}/a']}}", 1)
    up = start(topology(old, B)).ready()
    rewrite(old.replace("out: {", "out: {options: {sndhwm: 7}, "), B)
    done = zmqtopo("reload", "it")
    assert (done.returncode, done.stderr) == (0, "")
    rewrite(B, C.replace(ANY, f"{{bind: ['tcp://localhost:{port}', 'ipc://{tmp_path}/../{tmp_path.name}/a']}}", 1))
    assert zmqtopo("reload", "it", "--dry-run").returncode == 0
    done = zmqtopo("reload", "it")
    assert (done.returncode, done.stderr) == (0, "")
    assert control.states() == {"b": "running", "c": "running"}
    up.stop()


def test_a_device_that_is_stopped_is_asked_about_when_it_starts(
    start: Callable[..., Up], zmqtopo: Any, control: Control, rewrite: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    old = A.replace(ANY, f"{{bind: 'tcp://127.0.0.1:{port}'}}", 1)
    up = start(topology(old, B)).ready()
    control("stop", "a")
    with socket.create_server(("127.0.0.1", port)):
        for kind in ("streamer, stop_timeout: 3s,", "queue,"):
            rewrite(old.replace("streamer,", kind), B2)
            assert zmqtopo("reload", "it").returncode == 0
    assert control.states(1) == {"a": "stopped", "b": "running"}
    up.stop()


def test_a_reload_to_nothing_is_not_the_end(
    start: Callable[..., Up], zmqtopo: Any, control: Control, tmp_path: Path
) -> None:
    up = start(topology(A, B)).ready()
    (tmp_path / "it.yaml").write_text("devices: {}\n")
    done = zmqtopo("reload", "it", "--dry-run")
    assert (done.returncode, "nothing would run now" in done.stderr) == (0, True)
    for words in ("- removed: b\nit: reloaded\n", "it: nothing has changed\n"):
        done = zmqtopo("reload", "it")
        assert (done.returncode, done.stdout.endswith(words)) == (0, True)
        assert done.stderr == (
            "zmqtopo: it: nothing runs now; end it with: zmqtopo down it, or reload it again\n")
        assert control.ps() == {}
    (tmp_path / "it.yaml").write_text(topology(B))
    assert zmqtopo("reload", "it").stderr == ""
    assert control.states() == {"b": "running"}
    (tmp_path / "it.yaml").write_text("devices: {}\n")
    up.send(signal.SIGHUP)
    up.wait_for("nothing runs now")
    control("down")
    up.end(0)


def test_what_is_not_running_and_what_cannot_be_read(start: Callable[..., Up], zmqtopo: Any, rewrite: Any) -> None:
    assert zmqtopo("reload", "it").returncode == 69
    done = zmqtopo("reload", "it", "-")
    assert (done.returncode, "standard input" in done.stderr) == (2, True)
    up = start(None, stdin=subprocess.PIPE)
    assert up.process.stdin is not None
    up.process.stdin.write(topology(A).encode())
    up.process.stdin.close()
    up.ready()
    done = zmqtopo("reload", "stdin")
    assert (done.returncode, done.stderr) == (
        1, "zmqtopo: error: stdin came from standard input; name a file: zmqtopo reload stdin FILE\n")
    rewrite(A, C, name="other")
    assert zmqtopo("reload", "stdin", "other.yaml").returncode == 0
    up.stop()


def test_two_at_once_come_one_after_the_other(
    start: Callable[..., Up], control: Control, rewrite: Any, tmp_path: Path
) -> None:
    up = start(topology(A)).ready()
    for number in range(4):
        rewrite(A, *([B, C][number % 2 :]), name=f"f{number}")
    running = [subprocess.Popen([*COMMAND, "reload", "it", f"f{n}.yaml"], cwd=tmp_path, stdout=subprocess.PIPE)
               for n in range(4)]
    ends = [process.communicate(timeout=DEADLINE)[0].decode() for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert all(text.startswith("~ changed: name it -> f") and "= unchanged: a\n" in text for text in ends)
    assert set(control.states()) in ({"a", "b", "c"}, {"a", "c"})
    up.stop()


# -- by itself ------------------------------------------------------------------------------------------------------


def test_sighup_reads_the_file_again(start: Callable[..., Up], control: Control, rewrite: Any) -> None:
    up = start(topology(A)).ready()
    rewrite(A, C)
    up.send(signal.SIGHUP)
    up.wait_for("+ added: c")
    up.wait_for("reloaded in")
    assert list(control.ps()) == ["a", "c"]
    rewrite(BAD)
    up.send(signal.SIGHUP)
    up.wait_for("error: ")
    up.wait_for("cannot run, and nothing is changed")
    up.stop()


def test_a_terminal_that_is_closed_ends_it(tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_text(topology(A))
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execv(COMMAND[0], [*COMMAND, "up", "it.yaml"])
    said = b""
    while b": ready, " not in said:
        said += os.read(terminal, 4096)
    os.kill(pid, signal.SIGHUP)     # the terminal is there: this is from somebody else
    while b"nothing has changed" not in said:
        said += os.read(terminal, 4096)
    os.close(terminal)
    ended = threading.Timer(DEADLINE, os.kill, (pid, signal.SIGKILL))
    ended.start()
    _, status = os.waitpid(pid, 0)
    ended.cancel()
    ended.join()
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("detached", [False, True])
def test_watch_reloads_when_the_file_has_changed(
    start: Callable[..., Up], in_background: Callable[..., Any], control: Control, rewrite: Any, net: Any,
    tmp_path: Path, state_folders: Path, detached: bool,
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("one")
    log = state_folders / "zmqtopo/it/log"
    with_secret = A.replace("}}", f", options: {{plain_username: u, plain_password: {{file: {secret}}}}}}}}}")
    if detached:
        in_background(topology(A), "--watch")
    else:
        start(topology(A), "--watch").ready()
    with connect("it") as asked:
        def reloaded(times: int, *devices: str) -> bool:
            there = [device["name"] for device in asked.ask("ps", timeout=DEADLINE)["devices"]]
            return there == list(devices) and log.read_text().count("reloaded in ") == times

        rewrite(A, C)
        net.until(lambda: reloaded(1, "a", "c"))
        rewrite(BAD)
        net.until(lambda: "cannot run, and nothing is changed" in log.read_text())
        rewrite(with_secret)
        net.until(lambda: reloaded(2, "a"))
        secret.write_text("another")
        net.until(lambda: f"the file {secret} has changed" in log.read_text())
        rewrite(with_secret.replace(str(secret), str(tmp_path / "later")))
        net.until(lambda: f"cannot read {tmp_path}/later" in log.read_text())
        (tmp_path / "later").write_text("a third")
        net.until(lambda: reloaded(4, "a"))
    control("down")


def test_standard_input_cannot_be_watched(zmqtopo: Any) -> None:
    done = zmqtopo("up", "--watch", "-")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--watch needs a file" in done.stderr


def test_a_service_manager_hears_of_it(start: Callable[..., Up], rewrite: Any, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(DEADLINE)
        up = start(topology(A), env={"NOTIFY_SOCKET": str(tmp_path / "notify")}).ready()
        assert manager.recv(4096).startswith(b"READY=1")
        rewrite(A, C)
        up.send(signal.SIGHUP)
        assert manager.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert manager.recv(4096) == b"READY=1\nSTATUS=it: 2 devices"
        up.stop()


# -- what clients notice --------------------------------------------------------------------------------------------


def descriptors(up: Up) -> int:
    """How many files the supervisor has open."""
    return len(list(Path(f"/proc/{up.process.pid}/fd").iterdir()))


class Stream:
    """Numbers that are pushed as fast as they are taken, until told to end; `end` gives what came out."""

    def __init__(self, net: Any, in_: str, out: str) -> None:
        self._net = net
        self._push = net.socket(zmq.PUSH, connect=in_)
        self._pull = net.socket(zmq.PULL, connect=out)
        self._enough = threading.Event()
        self.sent = 0
        self.received: list[int] = []
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._receive)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        while not self._enough.is_set():
            try:
                self._push.send(b"%d" % self.sent, zmq.DONTWAIT)
            except zmq.Again:
                self._push.poll(100, zmq.POLLOUT)
                continue
            self.sent += 1
            if self.sent % 100 == 0:
                self._enough.wait(0.002)    # it is no race

    def _receive(self) -> None:
        sender, _ = self._threads
        while sender.is_alive() or len(self.received) < self.sent:
            try:
                self.received.append(int(self._pull.recv(zmq.DONTWAIT)))
            except zmq.Again:
                over = not sender.is_alive()    # a second that begins before says nothing
                if not self._pull.poll(1000) and over:
                    break

    def end(self) -> tuple[int, list[int]]:
        self._enough.set()
        for thread in self._threads:
            thread.join(DEADLINE)
        return self.sent, self.received


@pytest.mark.parametrize("run", ["thread", "process"])
@pytest.mark.parametrize("paused", [False, True])
def test_what_needs_no_new_sockets_is_changed_on_those_that_are_there(
    start: Callable[..., Up], control: Control, rewrite: Any, net: Any, run: str, paused: bool
) -> None:
    def device(topic: str, prefix: str) -> str:
        return (f"  m: {{type: monitored_queue, run: {run}, out: {{type: PUB, bind: 'tcp://127.0.0.1:*'}}, "
                f"in: {{type: SUB, bind: 'tcp://127.0.0.1:*', options: {{subscribe: {topic}}}}}, "
                f"mon: {{type: PUSH, bind: 'tcp://127.0.0.1:*', prefix: {{in: {prefix}}}}}}}\n")

    up = start(topology(device("one", "before"))).ready()
    pub = net.socket(zmq.XPUB, connect=up.address("m.in"))
    copies = net.socket(zmq.PULL, connect=up.address("m.mon"))
    assert net.receive(pub) == [b"\1one"]
    for topic in (b"one", b"two"):
        pub.send(topic)
    assert net.receive(copies) == [b"before", b"one"]
    if paused:
        control("pause")
    rewrite(device("two", "after"))
    assert "(new sockets)" not in control("reload")
    assert net.receive_all(pub, 2) == [[b"\1two"], [b"\0one"]]
    if paused:
        control("resume")
    for topic in (b"one", b"two"):
        pub.send(topic)
    assert net.receive(copies) == [b"after", b"two"]
    assert up.address("m.in") == control.address("m.in")
    up.stop()


@pytest.mark.parametrize("run", ["thread", "process", "process/g"])
def test_a_stream_through_an_unchanged_device_notices_nothing_of_a_hundred_reloads(
    start: Callable[..., Up], control: Control, rewrite: Any, net: Any, run: str
) -> None:
    same = A.replace("streamer,", f"streamer, run: {run},")
    others = [[], [B.replace("process", run)], [B2.replace("process", run)], [B2.replace("process", run), C]]
    up = start(topology(same)).ready()
    stream = Stream(net, up.address("a.in"), up.address("a.out"))
    with connect("it") as asked:
        for number in range(100):
            rewrite(same, *others[(number + 1) % len(others)])
            answer = asked.ask("reload", timeout=DEADLINE)
            assert answer["result"] == "done", answer
            if number == 11:        # with the devices that the last one has
                before = descriptors(up)
    sent, received = stream.end()
    net.until(lambda: descriptors(up) <= before)
    assert sent > 10_000
    assert received == list(range(sent))
    assert control.ps()["a"]["restarts"] == 0
    up.stop()


@pytest.mark.parametrize("ends", [
    ("bind: 'tcp://127.0.0.1:*'", "connect: a.out"), ("bind: inproc://x", "connect: inproc://x"),
    ("connect: b.in", "bind: 'tcp://127.0.0.1:*'"),
], ids=["tcp", "inproc", "the other way"])
def test_a_stream_through_a_replaced_device_loses_nothing(
    start: Callable[..., Up], control: Control, rewrite: Any, net: Any, ends: tuple[str, str]
) -> None:
    give, take = ends
    first = f"  a: {{type: streamer, in: {ANY}, out: {{{give}}}}}\n"
    second = "  b: {{type: streamer, in: {{" + take + ", options: {{rcvhwm: {}}}}}, out: {{" + ANY[1:-1] + "}}}}\n"
    up = start(topology(first, second.format(100))).ready()
    stream = Stream(net, up.address("a.in"), up.address("b.out"))
    with connect("it") as asked:
        for number in range(20):
            rewrite(first, second.format(101 + number))
            answer = asked.ask("reload", timeout=DEADLINE)
            assert answer["result"] == "done", answer
    sent, received = stream.end()
    assert sent > 1_000
    assert received == list(range(sent))
    up.stop()


@pytest.mark.parametrize("run", ["thread", "process"])
def test_an_address_of_a_stopped_device_is_connected_to_when_it_is_started(
    start: Callable[..., Up], control: Control, rewrite: Any, net: Any, tmp_path: Path, run: str
) -> None:
    give = f"  give: {{type: streamer, in: {ANY}, out: {{bind: 'ipc://{tmp_path}/give'}}}}\n"
    take = f"  take: {{type: streamer, run: {run}, in: {{connect: give.out}}, out: {ANY}}}\n"
    up = start(topology(give, take)).ready()
    control("stop", "give")
    rewrite(give.replace(f"ipc://{tmp_path}/give", "tcp://127.0.0.1:*"), take)
    assert control("reload").endswith("it: reloaded\n")
    control("start", "give")
    with connect("it") as asked:
        endpoints = {d["name"]: d["endpoints"] for d in asked.ask("ps", timeout=DEADLINE)["devices"]}
    push = net.socket(zmq.PUSH, connect=endpoints["give"]["in"][0])
    pull = net.socket(zmq.PULL, connect=endpoints["take"]["out"][0])
    pump(net, push, pull, range(10))
    up.stop()
