"""zmqtopo in a Python program."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zmq

import zmqtopo
from zmqtopo.config.model import Topology
from zmqtopo.testing.isolated import Elsewhere

from .conftest import is_free

PIPELINE = """
devices:
  ingest:
    type: monitored_queue
    in: {type: PULL, bind: ["tcp://*:*", inproc://ingest]}
    out: {type: PUSH, bind: "tcp://127.0.0.1:*"}
    mon: {bind: inproc://copies}
  work:
    type: streamer
    run: process
    in: {connect: ingest.out}
    out: {bind: "tcp://127.0.0.1:*"}
"""

BAD = PIPELINE.replace("type: streamer", "type: steamer")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text(PIPELINE)
    return path


@pytest.fixture
def running(path: Path) -> Iterator[zmqtopo.Running]:
    """As a user of pytest would write it."""
    with zmqtopo.up(path) as running:
        yield running


def test_load_and_check(path: Path, tmp_path: Path) -> None:
    topology = zmqtopo.load(path)
    assert isinstance(topology, Topology)
    assert topology.name == "pipeline"
    assert list(topology.devices) == ["ingest", "work"]
    assert zmqtopo.check(path) == []
    assert zmqtopo.check(str(path)) == []
    bad = tmp_path / "bad.yaml"
    bad.write_text(BAD)
    problem, = zmqtopo.check(bad)
    assert (problem.rule, problem.place.line) == ("bad-value", 9)
    for function in (zmqtopo.load, zmqtopo.up):
        with pytest.raises(zmqtopo.TopologyError, match="steamer") as error:
            function(bad)
        assert error.value.problems == [problem]


def test_a_topology_in_a_fixture(running: zmqtopo.Running, net: Any) -> None:
    push = net.socket(zmq.PUSH, connect=running.address("ingest.in"))
    pull = net.socket(zmq.PULL, connect=running.address("work.out"))
    for number in range(100):
        push.send(b"%d" % number)
    assert net.receive_all(pull, 100) == [[b"%d" % number] for number in range(100)]
    assert running.states == {"ingest": "running", "work": "running"}
    assert running.errors == {}


def test_endpoints(running: zmqtopo.Running) -> None:
    ins = running.endpoints["ingest"]["in"]
    assert ins[0].startswith("tcp://0.0.0.0:")
    assert ins[1] == "inproc://ingest"
    assert running.address("ingest.in") == ins[0].replace("0.0.0.0", "127.0.0.1")
    assert running.address("ingest.mon") == "inproc://copies"
    assert running.endpoints["work"]["in"] == ()
    with pytest.raises(LookupError, match=r"work\.in binds nothing"):
        running.address("work.in")
    for unknown in ("nobody.in", "work.mon", "work", ""):
        with pytest.raises(KeyError):
            running.address(unknown)


def test_inproc_clients_in_the_context_of_the_thread_devices(running: zmqtopo.Running, net: Any) -> None:
    assert running.context is not None
    pull = net.socket(zmq.PULL, connect=running.address("work.out"))
    with running.context.socket(zmq.SUB) as sub, running.context.socket(zmq.PUSH) as push:
        sub.subscribe(b"")
        sub.connect(running.address("ingest.mon"))
        push.connect("inproc://ingest")

        def seen() -> bool:     # the subscription takes its time
            push.send_multipart([b"a", b"b"])
            net.receive(pull)
            return bool(sub.poll(20))

        net.until(seen)
        assert sub.recv_multipart() == [b"in", b"a", b"b"]


def test_counters(running: zmqtopo.Running, net: Any) -> None:
    push = net.socket(zmq.PUSH, connect=running.address("ingest.in"))
    pull = net.socket(zmq.PULL, connect=running.address("work.out"))
    for _ in range(10):
        push.send_multipart([b"1234", b"56"])
    net.receive_all(pull, 10)
    for name in ("ingest", "work"):
        net.until(lambda name=name: running.counters()[name].in_to_out.messages == 10)
        assert running.counters()[name].in_to_out.bytes == 60
        assert running.counters()[name].out_to_in.messages == 0
    running.stop()
    assert running.counters()["work"].in_to_out.bytes == 60     # they are there afterwards too


def test_stop(path: Path) -> None:
    running = zmqtopo.up(path)
    running.stop()
    running.stop()
    assert running.states == {"ingest": "stopped", "work": "stopped"}
    assert running.context is None


def test_the_verbs_of_the_command_line(running: zmqtopo.Running, net: Any) -> None:
    push = net.socket(zmq.PUSH, connect=running.address("ingest.in"))
    pull = net.socket(zmq.PULL, connect=running.address("work.out"))
    endpoints = running.endpoints
    pids = [status.pid for status in running.status]
    assert pids[0] == os.getpid()
    running.pause("work")
    assert running.states == {"ingest": "running", "work": "paused"}
    push.send(b"1")
    assert not pull.poll(100)
    running.resume()
    assert net.receive(pull) == [b"1"]
    running.stop_devices()
    assert running.states == {"ingest": "stopped", "work": "stopped"}
    running.start()
    push.send(b"2")
    assert net.receive(pull) == [b"2"]
    running.restart("work")
    push.send(b"3")
    assert net.receive(pull) == [b"3"]
    assert running.states == {"ingest": "running", "work": "running"}
    assert running.endpoints == endpoints
    assert pids[1] not in [status.pid for status in running.status]
    assert [status.restarts for status in running.status] == [0, 0]
    with pytest.raises(zmqtopo.CommandError, match=r"^there is no device 'wrok'; did you mean work\?$"):
        running.pause("ingest", "wrok")
    running.stop_devices("work")
    with pytest.raises(zmqtopo.CommandError, match=r"^work is stopped; start it first$"):
        running.resume("work")
    running.stop()
    with pytest.raises(zmqtopo.CommandError, match="pipeline has ended"):
        running.start()
    assert [status.state for status in running.status] == ["stopped", "stopped"]


def test_reload(running: zmqtopo.Running, path: Path, net: Any) -> None:
    copies = running.context.socket(zmq.SUB)        # of which nothing is unchanged but its context
    endpoints = running.endpoints
    path.write_text(PIPELINE.replace("run: process", "run: process/g") + """
  more: {type: queue, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: inproc://more}}
""")
    assert list(running.reload(path).lines()) == [
        "= unchanged: ingest", "~ changed: work.run process -> process/g (new sockets)", "+ added: more"]
    assert running.states == {"ingest": "running", "work": "running", "more": "running"}
    assert {name: running.endpoints[name] for name in endpoints} == endpoints
    loaded = zmqtopo.load(path)
    assert running.topology == loaded
    assert not running.reload(loaded)

    path.write_text(BAD)
    with pytest.raises(zmqtopo.TopologyError, match="streamer"):
        running.reload(path)
    _, taken = net.end(zmq.PULL)
    path.write_text(PIPELINE.replace("tcp://*:*", taken))
    with pytest.raises(zmqtopo.CommandError, match=r"^ingest\.in: cannot bind .*: Address already in use"):
        running.reload(path)
    assert running.topology == loaded
    assert set(running.states.values()) == {"running"}
    assert {name: running.endpoints[name] for name in endpoints} == endpoints

    push = net.socket(zmq.PUSH, connect=running.address("ingest.in"))
    pull = net.socket(zmq.PULL, connect=running.address("work.out"))
    copies.connect("inproc://copies")
    copies.subscribe(b"")
    net.until(lambda: push.send(b"1") or copies.poll(10), "the subscription")
    assert net.receive(pull) == [b"1"]
    copies.close(0)
    running.stop()
    with pytest.raises(zmqtopo.CommandError, match=r"^pipeline has ended$"):
        running.reload(loaded)


def test_reload_elsewhere(tmp_path: Path, net: Any) -> None:
    a = "devices:\n  a: {type: streamer, in: {bind: tcp://*:5000}, out: {connect: tcp://worker:5001}}\n"
    b = "  b: {type: streamer, in: {bind: tcp://*:5002}, out: {connect: tcp://other:5003}}\n"
    path = tmp_path / "it.yaml"
    path.write_text(a)
    running = Elsewhere(zmqtopo.load(path))
    try:
        first = running.where("tcp://worker:5001")
        path.write_text(a + b)
        assert list(running.reload(path).lines()) == ["= unchanged: a", "+ added: b"]
        assert running.where("tcp://worker:5001") == first
        pull = net.socket(zmq.PULL)
        pull.bind(running.where("tcp://other:5003"))
        net.socket(zmq.PUSH, connect=running.address("b.in")).send(b"1")
        assert net.receive(pull) == [b"1"]
    finally:
        running.stop(0)


COMMANDS = ["pause", "resume", "start", "stop_devices", "restart"]


@pytest.mark.parametrize("wrong", [["ingest"], None, b"ingest", 5, {"ingest"}])
def test_what_is_not_a_name_reaches_no_device(running: zmqtopo.Running, wrong: Any) -> None:
    for command in COMMANDS:
        with pytest.raises(TypeError, match="a device is named by a str"):
            getattr(running, command)(wrong)
        with pytest.raises(TypeError, match="a device is named by a str"):
            getattr(running, command)("ingest", wrong)
    with pytest.raises(TypeError, match="a socket is named by a str"):
        running.address(wrong)
    assert set(running.states.values()) == {"running"}
    assert len(running.status) == 2


@pytest.mark.parametrize("wrong", [5, None, b"it.yaml", ["it.yaml"], object()])
def test_what_is_not_a_topology_is_not_reloaded(running: zmqtopo.Running, wrong: Any) -> None:
    with pytest.raises(TypeError, match="a topology is the path of a file"):
        running.reload(wrong)
    with pytest.raises(TypeError, match="a topology is the path of a file"):
        zmqtopo.up(wrong)
    half = replace(running.topology, devices={"ingest": None})   # type: ignore[dict-item]
    with pytest.raises(TypeError, match=r"topology.devices\['ingest'\] is NoneType"):
        running.reload(half)
    running.pause()
    assert set(running.states.values()) == {"paused"}


def test_what_is_not_a_time_stops_nothing(running: zmqtopo.Running) -> None:
    wrong: list[Any] = [-1, float("nan"), "5", b"5", [5]]
    for timeout in wrong:
        with pytest.raises((TypeError, ValueError), match="a timeout is"):
            running.stop(timeout)
    assert set(running.states.values()) == {"running"}
    running.stop(float("inf"))
    assert set(running.states.values()) == {"stopped"}


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_told_whose_topology_it_is(running: zmqtopo.Running, path: Path, net: Any) -> None:
    """Everything raises instead of waiting for threads that the child does not have, and nothing ends the original."""
    calls: list[Callable[[], object]] = [
        *(getattr(running, command) for command in COMMANDS),
        lambda: running.reload(path), running.stop, running.counters, lambda: running.address("ingest.in"),
        *((lambda name=name: getattr(running, name))    # type: ignore[misc]
          for name in ("status", "states", "errors", "endpoints", "context")),
    ]
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = "nothing"
        try:
            for call in calls:
                with pytest.raises(RuntimeError, match=f"belongs to process {os.getppid()}"):
                    call()
            with running:
                assert list(running.topology.devices) == ["ingest", "work"]
            said = "well"
        except BaseException as error:      # the child must not go on with the tests
            said = repr(error)
        finally:
            os.write(writable, said.encode())
            os._exit(0)
    os.close(writable)
    try:
        with os.fdopen(readable, "rb") as child:
            assert select.select([child], [], [], 10)[0], "the child hangs"
            assert child.read() == b"well"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    push = net.socket(zmq.PUSH, connect=running.address("ingest.in"))
    pull = net.socket(zmq.PULL, connect=running.address("work.out"))
    push.send(b"x")
    assert net.receive(pull) == [b"x"]
    assert set(running.states.values()) == {"running"}


@pytest.mark.parametrize("end", ["del running; gc.collect(); sys.exit(3)", "sys.exit(3)"])
def test_a_forked_child_ends_and_everything_goes_on(path: Path, tmp_path: Path, end: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"""
import gc, os, sys, warnings, zmqtopo
warnings.simplefilter("ignore", DeprecationWarning)
running = zmqtopo.up({str(path)!r})
child = os.fork()
if child == 0:
    {end}
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
running.pause()
print(*(status.state for status in running.status))
running.stop()
""")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("3\npaused paused\n", "", 0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("isolated", [False, True])
def test_an_error_of_ours_ends_the_devices_and_leaves_nobody_waiting(
    path: Path, monkeypatch: pytest.MonkeyPatch, net: Any, isolated: bool
) -> None:
    running = zmqtopo.up(path, isolated=isolated)
    addresses = [running.address("ingest.in"), running.address("work.out")]
    pids = [status.pid for status in running.status]

    def fail(*arguments: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr("zmqtopo.supervisor.devices.Devices.pause", fail)
    with pytest.raises(zmqtopo.CommandError, match="has ended by an internal error: LookupError: a bug"):
        running.pause()
    with pytest.raises(zmqtopo.CommandError, match="has ended by an internal error: LookupError: a bug"):
        running.reload(path)
    assert set(running.states.values()) == {"failed"}
    assert running.errors["work"] == "work: ended by an internal error: LookupError: a bug"
    assert [status.state for status in running.status] == ["failed", "failed"]
    for address in addresses:
        port = int(address.rpartition(":")[2])
        net.until(lambda port=port: is_free(f"tcp://127.0.0.1:{port}"))
    for pid in pids:
        if pid != os.getpid():
            net.until(lambda pid=pid: not Path(f"/proc/{pid}/exe").exists())
    running.stop()


def test_commands_from_many_threads(running: zmqtopo.Running) -> None:
    def command(verb: str) -> None:
        for _ in range(20):
            # Somebody else may stop it meanwhile.
            with contextlib.suppress(zmqtopo.CommandError):
                getattr(running, verb)()

    verbs = ("pause", "resume", "restart", "start", "stop_devices")
    threads = [threading.Thread(target=command, args=(verb,)) for verb in verbs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    running.start()
    running.resume()
    assert running.states == {"ingest": "running", "work": "running"}


def test_stop_with_a_time(path: Path, tmp_path: Path, net: Any) -> None:
    path.write_text(PIPELINE.replace("devices:", "defaults: {stop_timeout: 1h}\ndevices:"))
    running = zmqtopo.up(path)
    push = net.socket(zmq.PUSH, connect=running.address("ingest.in"))
    for _ in range(500):
        push.send(b"nobody wants it")
    net.until(lambda: running.counters()["work"].in_to_out.waiting or running.counters()["ingest"].in_to_out.messages)
    began = time.monotonic()
    running.stop(0.1)
    assert time.monotonic() - began < 1.5
    assert set(running.states.values()) == {"stopped"}


def test_an_error_in_the_body_stops_it_and_goes_on(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), zmqtopo.up(path) as running:
        raise ZeroDivisionError
    assert set(running.states.values()) == {"stopped"}


def test_a_given_context_is_used_and_stays(path: Path, context: zmq.Context[zmq.Socket[bytes]], net: Any) -> None:
    with zmqtopo.up(path, context=context) as running:
        assert running.context is context
        push = net.socket(zmq.PUSH, connect="inproc://ingest")
        pull = net.socket(zmq.PULL, connect=running.address("work.out"))
        push.send(b"x")
        assert net.receive(pull) == [b"x"]
    assert not context.closed


def test_a_start_that_fails(path: Path, net: Any) -> None:
    _, taken = net.end(zmq.PULL)
    path.write_text(PIPELINE.replace('out: {bind: "tcp://127.0.0.1:*"}', f"out: {{bind: '{taken}'}}"))
    with pytest.raises(zmqtopo.StartError, match="Address already in use") as error:
        zmqtopo.up(path)
    failure, = error.value.failures
    assert failure.startswith(f"work.out: cannot bind {taken}: Address already in use")
    if sys.platform == "linux":
        assert failure.endswith(f" (process {os.getpid()}, of this program)")
    assert not isinstance(error.value, zmqtopo.TopologyError)


def test_a_topology_that_was_made_by_hand_can_fail_too(path: Path) -> None:
    topology = zmqtopo.load(path)
    alone = replace(topology, devices={"work": topology.devices["work"]})
    with pytest.raises(zmqtopo.StartError, match=r"^work\.in: cannot connect ingest\.out: Invalid argument$"):
        zmqtopo.up(alone)


def test_nothing_to_run(path: Path) -> None:
    path.write_text("devices: {}")
    with zmqtopo.up(path) as running:
        assert running.endpoints == running.states == running.counters() == {}
        assert running.context is None


def test_two_topologies_at_once(path: Path, net: Any) -> None:
    # The same file twice: their inproc names do not meet, their ports are the system's choice.
    with zmqtopo.up(path) as one, zmqtopo.up(zmqtopo.load(path)) as two:
        assert one.context is not two.context
        for running in (one, two):
            push = net.socket(zmq.PUSH, connect=running.address("ingest.in"))
            pull = net.socket(zmq.PULL, connect=running.address("work.out"))
            push.send(running.address("ingest.in").encode())
            assert net.receive(pull) == [running.address("ingest.in").encode()]


def test_a_path_of_the_systems_choice_leads_there_from_everywhere(
    tmp_path: Path, net: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TMPDIR", "TEMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "it.yaml"
    path.write_text("""
devices:
  a: {type: streamer, in: {bind: "ipc://*"}, out: {bind: "ipc://*"}}
  b: {type: streamer, run: process, in: {connect: a.out}, out: {bind: "ipc://*"}}
""")
    monkeypatch.chdir(tmp_path)
    with zmqtopo.up(path) as running:
        monkeypatch.chdir("/")
        addresses = [running.address(name) for name in ("a.in", "a.out", "b.out")]
        assert all(address.startswith("ipc:///") for address in addresses)
        pull = net.socket(zmq.PULL, connect=addresses[2])
        push = net.socket(zmq.PUSH, connect=addresses[0])

        def passes(message: bytes) -> bool:
            push.send(message)      # once more when it went into a connection that a restart has just ended
            return bool(pull.poll(100)) and pull.recv() == message

        for number in range(3):
            net.until(lambda number=number: passes(b"%d" % number))
            running.restart("a")
            assert [running.address(name) for name in ("a.in", "a.out", "b.out")] == addresses
    assert not any(Path(address.removeprefix("ipc://")).parent.exists() for address in addresses)
    assert [found.name for found in tmp_path.iterdir()] == ["it.yaml"]


@pytest.mark.parametrize("run", ["thread", "process"])
def test_a_folder_of_the_user_is_there_for_the_next_start(tmp_path: Path, run: str) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "it.yaml").write_text(f"""
devices: {{a: {{type: streamer, run: {run}, in: {{bind: "ipc://{tmp_path}/tmp/socket"}}, out: {{bind: "ipc://*"}}}}}}
""")
    with zmqtopo.up(tmp_path / "it.yaml") as running:
        running.restart("a")
        assert running.states == {"a": "running"}
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_worker_that_is_killed_has_left_a_file_in_a_deep_folder(
    tmp_path: Path, net: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.chdir(deep)
    (deep / "it.yaml").write_text(
        "devices: {a: {type: streamer, run: process, in: {bind: ipc://feed}, out: {bind: 'tcp://127.0.0.1:*'}}}"
    )
    with zmqtopo.up(deep / "it.yaml") as running:
        before, = running.status
        assert before.pid is not None
        os.kill(before.pid, signal.SIGKILL)
        net.until(lambda: running.status[0].restarts == 1 and running.states == {"a": "running"})
        push = net.socket(zmq.PUSH, connect="ipc://feed")
        pull = net.socket(zmq.PULL, connect=running.address("a.out"))
        push.send(b"x")
        assert net.receive(pull) == [b"x"]
    assert [found.name for found in deep.iterdir()] == ["it.yaml"]


def test_in_another_thread_than_the_main_one(path: Path) -> None:
    states = []

    def run() -> None:
        with zmqtopo.up(path) as running:
            states.append(dict(running.states))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert states == [{"ingest": "running", "work": "running"}]


def test_a_killed_worker_comes_back(running: zmqtopo.Running, net: Any) -> None:
    before = running.endpoints["work"]
    pid = running.status[1].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    net.until(lambda: running.errors)
    assert "ended by SIGKILL" in running.errors["work"]
    net.until(lambda: running.states["work"] == "running")
    assert running.endpoints["work"] == before


# -- whole programs -------------------------------------------------------------------------------------------------


def program(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "program.py").write_text(text)
    return subprocess.run(
        [sys.executable, "-W", "error", "program.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
    )


BODY = """
import zmq, zmqtopo
print("imported")
running = zmqtopo.up("pipeline.yaml")
context = zmq.Context()
push, pull = context.socket(zmq.PUSH), context.socket(zmq.PULL)
push.connect(running.address("ingest.in"))
pull.connect(running.address("work.out"))
push.send(b"hello")
print(pull.recv())
"""


@pytest.mark.parametrize("end", [
    "running.stop(); context.destroy()",
    "push.close(); pull.close(); context.term(); running.stop()",
    "context.destroy()",                    # forgotten: it ends with the program
    "context.destroy(); del running",
], ids=["stop", "close", "forgotten", "deleted"])
def test_a_script_without_a_guard(path: Path, tmp_path: Path, end: str) -> None:
    # A worker that imported the program again would print, and start, once more.
    done = program(tmp_path, BODY + end)
    assert (done.returncode, done.stdout, done.stderr) == (0, "imported\nb'hello'\n", "")


def test_ctrl_c_while_it_starts(path: Path, tmp_path: Path) -> None:
    done = program(tmp_path, """
import signal, sys, threading, zmqtopo

def interrupt(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.02)
import zmq, zmqtopo.api
topology = None
try:
    topology = zmqtopo.load("pipeline.yaml")
    signal.setitimer(signal.ITIMER_REAL, 0.03)
    with zmqtopo.up(topology) as running:
        signal.pause()
except KeyboardInterrupt:
    names = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    print("interrupted", names)
""".replace('signal.setitimer(signal.ITIMER_REAL, 0.02)\n', ""))
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted []\n", "")


def test_isolated_devices_leave_the_program_alone(tmp_path: Path, net: Any) -> None:
    path = tmp_path / "it.yaml"
    path.write_text("devices: {a: {type: streamer, in: {bind: 'tcp://127.0.0.1:*'}, out: {bind: 'tcp://127.0.0.1:*'}}}\n")
    with pytest.raises(ValueError, match="isolated"):
        zmqtopo.up(path, context=zmq.Context.instance(), isolated=True)
    with zmqtopo.up(path, isolated=True) as running:
        assert running.context is None
        pid = running.status[0].pid
        assert pid is not None
        assert pid != os.getpid()
        push = net.socket(zmq.PUSH, connect=running.address("a.in"))
        pull = net.socket(zmq.PULL, connect=running.address("a.out"))
        push.send(b"x")
        assert pull.recv() == b"x"
        assert running.counters()["a"].in_to_out.messages == 1
