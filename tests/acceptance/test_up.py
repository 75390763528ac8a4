"""``zmqtopo up``: what runs where, and what a start that fails leaves: nothing."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from .conftest import accepts, is_free

ANY = "tcp://127.0.0.1:*"


def streamer(name: str, run: str = "thread", in_: str = f'bind: "{ANY}"', out: str = f'bind: "{ANY}"') -> str:
    return f"""
  {name}:
    type: streamer
    run: {run}
    in: {{{in_}}}
    out: {{{out}}}
"""


def flows(net: Any, address_in: str, address_out: str, count: int = 100) -> None:
    """Messages come out as they go in."""
    push = net.socket(zmq.PUSH, connect=address_in)
    pull = net.socket(zmq.PULL, connect=address_out)
    for number in range(count):
        push.send_multipart([b"%d" % number, b"", b"x" * number])
    assert net.receive_all(pull, count) == [[b"%d" % n, b"", b"x" * n] for n in range(count)]
    push.close()
    pull.close()


# -- what runs where ------------------------------------------------------------------------------------------------


def test_threads_processes_and_groups(start: Callable[..., Any], net: Any) -> None:
    up = start("devices:" + streamer("a") + streamer("b") + streamer("c", "process") + streamer("d", "process")
               + streamer("e", "process/one") + streamer("f", "process/one") + streamer("g", "process/two")).ready()
    assert len(up.workers()) == 5
    assert len({up.worker(name) for name in ("threads", "device c", "device d", "group one", "group two")}) == 5
    for name in "abcdefg":
        flows(net, up.address(f"{name}.in"), up.address(f"{name}.out"))
    for pid in up.workers():
        assert os.getpgid(pid) == pid
    said = up.stop()
    for name in "abcdefg":
        assert f"zmqtopo: {name}: stopped; 100 messages in to out, 0 out to in" in said


@pytest.mark.parametrize(("run", "transport"), [("thread", "tcp"), ("process", "ipc"), ("process/g", "tcp")])
def test_a_chain_of_references(start: Callable[..., Any], net: Any, tmp_path: Path, run: str, transport: str) -> None:
    def bind() -> str:
        return f'bind: "{ANY}"' if transport == "tcp" else f"bind: {net.address('ipc')}"

    # The first refers to the second, which is started later, and the third is in another process.
    up = start("devices:" + streamer("a", run, out="connect: b.in", in_=bind()) + streamer("b", run, bind(), bind())
               + streamer("c", "process", "connect: b.out", bind())).ready()
    flows(net, up.address("a.in"), up.address("c.out"))
    up.stop()


@pytest.mark.parametrize("run", ["thread", "process/g"])
def test_inproc_between_the_devices_of_a_process(start: Callable[..., Any], net: Any, run: str) -> None:
    up = start("devices:" + streamer("a", run, out="bind: inproc://x") + streamer("b", run, in_="connect: a.out")
               + streamer("c", run, in_="bind: inproc://y") + streamer("d", run, out="connect: inproc://y")).ready()
    flows(net, up.address("a.in"), up.address("b.out"))
    flows(net, up.address("d.in"), up.address("c.out"))
    up.stop()


def test_names_of_the_systems_choice(
    start: Callable[..., Any], net: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TMPDIR", "TEMPDIR", "TMP"):
        monkeypatch.delenv(name, raising=False)
    up = start("devices:" + streamer("a", "process", out='bind: "ipc://*"')
               + streamer("b", "process", in_="connect: a.out", out='bind: "tcp://*:*"')
               + streamer("c", "thread", in_='bind: "ipc://*"')).ready()
    flows(net, up.address("a.in"), up.address("b.out"))
    flows(net, up.address("c.in"), up.address("c.out"))
    assert all(up.address(name).startswith("ipc:///") for name in ("a.out", "c.in"))
    up.stop()
    assert [path.name for path in tmp_path.iterdir()] == ["it.yaml"]


def test_every_endpoint_takes_connections_when_ready_is_said(start: Callable[..., Any], tmp_path: Path) -> None:
    topology = "devices:" + "".join(
        streamer(f"d{i}", run, in_=f'bind: ["{ANY}", "tcp://*:*", "ipc://{tmp_path}/d{i}"]')
        for i, run in enumerate(["thread", "process", "process/g", "process/g", "thread"])
    )
    up = start(topology).ready()
    addresses = [address for some in up.addresses.values() for address in some]
    assert len(addresses) == 20
    assert all(accepts(address) for address in addresses)
    up.stop()


def test_variables_and_options_arrive(start: Callable[..., Any], net: Any) -> None:
    up = start("""
devices:
  a:
    type: monitored_queue
    in: {type: PULL, bind: "tcp://127.0.0.1:${PORT:-*}"}
    out: {type: PUB, bind: "tcp://127.0.0.1:*"}
    mon: {type: PUSH, bind: "tcp://127.0.0.1:*", prefix: {in: !!binary /w==}}
  b:
    type: streamer
    run: process
    in: {type: SUB, connect: a.out, options: {subscribe: [x, z]}}
    out: {bind: "tcp://127.0.0.1:*"}
""").ready()
    push = net.socket(zmq.PUSH, connect=up.address("a.in"))
    mon = net.socket(zmq.PULL, connect=up.address("a.mon"))
    pull = net.socket(zmq.PULL, connect=up.address("b.out"))

    def through() -> bool:      # the subscription takes its time
        push.send(b"x")
        net.receive(mon)
        return bool(pull.poll(20))

    net.until(through)
    for message in (b"x1", b"y2", b"z3"):
        push.send(message)
    assert net.receive_all(mon, 3) == [[b"\xff", b"x1"], [b"\xff", b"y2"], [b"\xff", b"z3"]]
    received = [net.receive(pull)]
    while received[-1] != [b"z3"]:
        received.append(net.receive(pull))
    assert received[-2:] == [[b"x1"], [b"z3"]]
    up.stop()


# -- a start that fails ---------------------------------------------------------------------------------------------


def free_addresses(net: Any, count: int) -> list[str]:
    """Ports that nobody has; they are kept from others until all are known, and then let go of."""
    sockets = [net.socket(zmq.PULL) for _ in range(count)]
    for socket in sockets:
        socket.bind(ANY)
    addresses = [socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0") for socket in sockets]
    for socket in sockets:
        socket.close()
    for address in addresses:
        net.until(lambda address=address: is_free(address))
    return addresses


RUNS = ["thread", "process", "process/g"]


@pytest.mark.parametrize(("run", "culprit"), [("thread", 0), ("thread", 3), ("process", 3), ("process/g", 0)])
def test_a_port_in_use_takes_everything_back(
    start: Callable[..., Any], net: Any, tmp_path: Path, run: str, culprit: int
) -> None:
    _, taken = net.end(zmq.PULL)
    free = free_addresses(net, 4)
    ins = [*free[:culprit], taken, *free[culprit:]][:4]
    topology = "devices:" + "".join(
        streamer(f"d{i}", run if i == culprit else RUNS[i % 3], f"bind: {ins[i]}", f"bind: ipc://{tmp_path}/out{i}")
        for i in range(4)
    )
    up = start(topology)
    said = up.end(1)
    assert f"d{culprit}.in" in said
    assert taken in said
    assert "in use" in said
    assert ": ready" not in said
    assert all(is_free(address) for address in free)
    assert [path.name for path in tmp_path.iterdir()] == ["it.yaml"]


@pytest.mark.parametrize(("run", "in_", "words"), [
    ("process", 'bind: "tcp://127.0.0.1:*", options: {plain_password: {file: key}}',
     ["error: d.in: cannot use ", "/key (plain_password has from 1 to 255 bytes, and this has 300)"]),
    ("process/g", 'bind: "tcp://127.0.0.1:*", options: {plain_password: {file: no-such-file}}',
     ["error: d.in: cannot read plain_password from ", "/no-such-file (No such file or directory)"]),
    ("thread", "bind: ipc://no/such/folder/socket", ["d.in", "ipc://no/such/folder/socket", "no/such/folder"]),
], ids=["option", "file", "folder"])
def test_what_else_can_go_wrong(
    start: Callable[..., Any], net: Any, tmp_path: Path, run: str, in_: str, words: list[str]
) -> None:
    (tmp_path / "key").write_text("too long, secret" + "x" * 284)
    free, = free_addresses(net, 1)
    said = start("devices:" + streamer("c", "process", f"bind: {free}") + streamer("d", run, in_)).end(1)
    assert all(word in said for word in words), said
    assert "too long" not in said
    assert is_free(free)


def test_no_file_descriptors_left(start: Callable[..., Any], net: Any) -> None:
    """Whatever is the first to find none: there is a message, and nothing stays."""
    free, = free_addresses(net, 1)
    topology = "devices:" + streamer("c", "process", f"bind: {free}") + "".join(
        streamer(f"d{i}", RUNS[i % 3]) for i in range(24)
    )
    for limit in (24, 40):      # with more, libzmq is the first to find none, and aborts
        up = start(topology, preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        said = up.end(1)
        assert "open files" in said, said
        assert is_free(free)


# -- devices that fail later ----------------------------------------------------------------------------------------


def test_a_killed_worker_is_reported_and_comes_back_where_it_was(
    start: Callable[..., Any], net: Any, tmp_path: Path
) -> None:
    up = start("devices:" + streamer("a", "process", out=f"bind: ipc://{tmp_path}/a") + streamer("b", "thread")
               + streamer("c", "process", in_="connect: a.out")).ready()
    before = up.worker("device a")
    addresses = up.addresses
    flows(net, up.address("a.in"), up.address("c.out"))
    os.kill(before, signal.SIGKILL)
    up.wait_for(f"zmqtopo: a: ended: process {before} ended by SIGKILL; restarting in 0.")
    up.wait_for("a: running")
    assert up.worker("device a") != before
    assert up.addresses == addresses
    flows(net, up.address("a.in"), up.address("c.out"))
    flows(net, up.address("b.in"), up.address("b.out"))
    assert "a: stopped; 200 messages" in up.stop()     # its counters went on
    assert not (tmp_path / "a").exists()


def test_a_killed_group_comes_back_whole(start: Callable[..., Any], net: Any) -> None:
    up = start("devices:" + streamer("a", "process/g", out="bind: inproc://x")
               + streamer("b", "process/g", in_="connect: a.out")).ready()
    os.kill(up.worker("group g"), signal.SIGKILL)
    back: set[str] = set()
    while len(back) < 2:
        back.add(up.wait_for(": running"))
    assert len(up.workers()) == 1
    flows(net, up.address("a.in"), up.address("b.out"))
    up.stop()


def test_never_means_never_and_the_others_go_on(start: Callable[..., Any], net: Any, tmp_path: Path) -> None:
    up = start("defaults: {restart: never}\ndevices:" + streamer("a", "process", out=f"bind: ipc://{tmp_path}/a")
               + streamer("b", "process")).ready()
    pid = up.worker("device a")
    os.kill(pid, signal.SIGKILL)
    up.wait_for(f"zmqtopo: a: failed: process {pid} ended by SIGKILL")
    assert not (tmp_path / "a").exists()
    flows(net, up.address("b.in"), up.address("b.out"))
    os.kill(up.worker("device b"), signal.SIGKILL)
    up.end(1)       # nothing runs any more


def test_one_that_has_failed_makes_the_exit_code_1_in_the_end(start: Callable[..., Any]) -> None:
    up = start("defaults: {restart: never}\ndevices:" + streamer("a", "process") + streamer("b")).ready()
    os.kill(up.worker("device a"), signal.SIGKILL)
    up.wait_for("a: failed")
    up.stop(code=1)


def test_abort_on_failure(start: Callable[..., Any]) -> None:
    topology = "devices:" + streamer("a", "process") + streamer("b") + streamer("c", "process")
    up = start("defaults: {restart: never}\n" + topology, "--abort-on-failure").ready()
    os.kill(up.worker("device a"), signal.SIGKILL)
    up.wait_for("a: failed")
    said = up.end(1)
    assert "b: stopped" in said
    assert "c: stopped" in said


@pytest.mark.parametrize(("retries", "words"), [(1, "(after 1 retry)"), (2, "(after 2 retries)")])
def test_max_retries(start: Callable[..., Any], retries: int, words: str) -> None:
    restart = f"{{max_retries: {retries}, backoff: [10ms, 20ms]}}"
    up = start(f"defaults: {{restart: {restart}}}\ndevices:" + streamer("a", "process")).ready()
    for _ in range(retries):
        os.kill(up.worker("device a"), signal.SIGKILL)
        up.wait_for("a: ended")
        up.wait_for("a: running")
    os.kill(up.worker("device a"), signal.SIGKILL)
    assert up.wait_for("a: failed").endswith(f"{words}; gave up; zmqtopo start revives it")
    up.end(1)


def test_a_port_that_was_taken_meanwhile_is_tried_again(start: Callable[..., Any], net: Any) -> None:
    up = start("defaults: {restart: {backoff: [200ms, 200ms]}}\ndevices:" + streamer("a", "process")).ready()
    address = up.address("a.in")
    os.kill(up.worker("device a"), signal.SIGKILL)
    up.wait_for("a: ended")
    thief = net.socket(zmq.PULL)
    thief.bind(address)
    line = up.wait_for(f"a: ended: a.in: cannot bind {address}: Address already in use")
    assert "; restarting in" in line
    if sys.platform == "linux":
        assert f" (process {os.getpid()})" in line
    thief.close()
    up.wait_for("a: running")
    flows(net, address, up.address("a.out"))
    up.stop()


def test_thread_devices_share_a_process_that_may_die(start: Callable[..., Any], net: Any) -> None:
    up = start("devices:" + streamer("a", out="bind: inproc://x") + streamer("b", in_="connect: a.out")
               + streamer("c", "process")).ready()
    assert {up.worker("threads"), up.worker("device c")} == up.workers()
    c = up.worker("device c")
    os.kill(up.worker("threads"), signal.SIGSEGV)
    for words in 2 * ["ended by SIGSEGV; restarting in"] + 2 * [": running"]:
        up.wait_for(words)
    flows(net, up.address("a.in"), up.address("b.out"))
    flows(net, up.address("c.in"), up.address("c.out"))
    assert up.worker("device c") == c
    up.stop()
