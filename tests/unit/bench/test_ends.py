"""The native ends, with real sockets: what they send is what they say, and they give up when nothing moves."""

from __future__ import annotations

import ast
import contextlib
import errno
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

import zmqtopo.bench
from zmqtopo.bench.actors import _ends, mark, time_of

STUB = ast.parse((Path(zmqtopo.bench.__file__).parent / "_ends.pyi").read_text())
FUNCTIONS = {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}
CONSTANTS = {node.target.id for node in STUB.body if isinstance(node, ast.AnnAssign)}
IDLE = 5000
NO_LIMIT = 1 << 62


def test_the_stub_names_what_the_module_has() -> None:
    assert FUNCTIONS.keys() | CONSTANTS == {name for name in vars(_ends) if not name.startswith("_")}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_functions_take_as_much_as_the_stub_says(name: str) -> None:
    with pytest.raises(TypeError):
        getattr(_ends, name)(*[None] * (len(FUNCTIONS[name].args.args) + 1))


def test_loading_something_else_than_libzmq(tmp_path: Path) -> None:
    with pytest.raises(ImportError, match=r"nothing\.so"):
        _ends.load(str(tmp_path / "nothing.so"))


def test_a_rate_is_kept_and_each_message_tells_its_time(net: Any, pipe: tuple[Any, Any]) -> None:
    push, pull = pipe
    sent, first, error = _ends.send_at(push.underlying, [b"one".ljust(16), b"two".ljust(40)], 5, 0, 1000)
    assert (sent, error) == (5, 0)
    assert time.monotonic_ns() - first >= 4_000_000
    came = [message[0] for message in net.receive_all(pull, 5)]
    assert [each[:3] for each in came] == [b"one", b"two", b"one", b"two", b"one"]
    assert [len(each) for each in came] == [16, 40, 16, 40, 16]
    due = [int.from_bytes(each[-8:], sys.byteorder) for each in came]
    assert due == [first + number * 1_000_000 for number in range(5)]


def test_a_time_ends_a_rate_too(pipe: tuple[Any, Any]) -> None:
    push, _ = pipe
    sent, _, error = _ends.send_at(push.underlying, [b"x" * 16], NO_LIMIT, 0.02, 1000)
    assert (sent, error) == (20, 0)


def test_times_on_the_way_are_counted(net: Any, pipe: tuple[Any, Any]) -> None:
    push, pull = pipe
    for late in (0, 5_000_000, 5_000_000_000):
        push.send(b"x" * 8 + (time.monotonic_ns() - late).to_bytes(8, sys.byteorder))
    push.send(mark(1))
    times = bytearray(8 * _ends.TIME_CLASSES)
    assert _ends.receive([pull.underlying], mark(1), IDLE, times)[0] == 3
    found = [time_of(number) for number, count in enumerate(array("q", bytes(times))) for _ in range(count)]
    assert len(found) == 3
    assert 4_800_000 < found[1] < 500_000_000
    assert 4_800_000_000 < found[2] < 10_000_000_000
    with pytest.raises(ValueError, match="no place for every class"):
        _ends.receive([pull.underlying], mark(1), IDLE, bytearray(8))


# -- one way ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def pipe(net: Any) -> tuple[Any, Any]:
    """A PUSH and a PULL with room for all that a test sends."""
    pull, address = net.end(zmq.PULL, rcvhwm=0)
    push = net.socket(zmq.PUSH, sndhwm=0)
    push.connect(address)
    return push, pull


@pytest.mark.parametrize("size", [16, 33, 34, 5000])     # libzmq keeps 33 bytes in the message itself
def test_messages_go_in_turn_and_whole(net: Any, pipe: tuple[Any, Any], size: int) -> None:
    push, pull = pipe
    texts = [name.ljust(size, b".") for name in (b"one", b"two", b"three")]
    before = time.monotonic_ns()
    sent, first, error = _ends.send(push.underlying, texts, 7, 0)
    assert (sent, error) == (7, 0)
    assert before < first < time.monotonic_ns()
    assert net.receive_all(pull, 7) == [[texts[n % 3]] for n in range(7)]


def test_a_time_ends_sending(pipe: tuple[Any, Any]) -> None:
    push, _ = pipe
    sent, _, error = _ends.send(push.underlying, [b"x" * 16], NO_LIMIT, 0.02)
    assert sent > 0
    assert error == 0


def test_however_short_the_time_one_is_sent(pipe: tuple[Any, Any]) -> None:
    push, _ = pipe
    assert _ends.send(push.underlying, [b"x" * (16 << 20)], NO_LIMIT, 1e-9)[::2] == (1, 0)


def test_sending_to_nobody_ends_as_the_socket_says(net: Any) -> None:
    push = net.socket(zmq.PUSH, sndtimeo=10)
    assert _ends.send(push.underlying, [b"x" * 16], 5, 0)[::2] == (0, zmq.EAGAIN)


def test_messages_are_counted_up_to_the_mark(pipe: tuple[Any, Any]) -> None:
    push, pull = pipe
    for text in [mark(0), *[b"x" * 16] * 3, mark(1), *[b"y" * 16] * 4]:
        push.send(text)
    push.send_multipart([b"prefix", b"z" * 16])      # the load is the last frame
    push.send_multipart([b"prefix", mark(2)])
    before = time.monotonic_ns()
    messages, last, error = _ends.receive([pull.underlying], mark(2), IDLE)
    assert (messages, error) == (8, 0)
    assert before < last < time.monotonic_ns()


def test_every_socket_has_its_mark(net: Any) -> None:
    publisher, address = net.end(zmq.XPUB, sndhwm=0)       # or marks might leave no room for what follows
    sinks = [net.socket(zmq.SUB, connect=address, rcvhwm=0) for _ in range(3)]
    for sink in sinks:
        sink.subscribe(b"")
    net.receive(publisher)      # those that follow are the same and not told
    while any(sink.poll(0) == 0 for sink in sinks):
        publisher.send(mark(0))
    for text in (b"x" * 16, mark(1)):
        publisher.send(text)
    messages, _, error = _ends.receive([sink.underlying for sink in sinks], mark(1), IDLE)
    assert (messages, error) == (3, 0)


def test_a_socket_that_has_had_its_mark_is_left_alone(net: Any) -> None:
    """Also when that came last in a burst of 1,000 and others are behind it."""
    ways = [net.end(zmq.PULL, "inproc", rcvhwm=0) for _ in range(2)]
    pushes = [net.socket(zmq.PUSH, sndhwm=0, connect=address) for _, address in ways]
    for push, texts in zip(pushes, ([b"x" * 16] * 999 + [mark(1)] * 3, [b"x" * 16] * 3500 + [mark(1)]), strict=True):
        for text in texts:
            push.send(text)
    first, second = (pull for pull, _ in ways)
    assert _ends.receive([first.underlying, second.underlying], mark(1), IDLE)[0] == 999 + 3500
    assert net.receive_all(first, 2) == [[mark(1)], [mark(1)]]


def test_receiving_gives_up(pipe: tuple[Any, Any]) -> None:
    push, pull = pipe
    push.send(b"x" * 16)
    messages, _, error = _ends.receive([pull.underlying], mark(1), 50)
    assert (messages, error) == (1, errno.ETIMEDOUT)


def test_a_mark_has_eight_bytes(pipe: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        _ends.receive([pipe[1].underlying], b"short", IDLE)


# -- there and back --------------------------------------------------------------------------------------------------


@pytest.fixture
def echo() -> Iterator[tuple[zmq.Context[Any], str]]:
    """A context in which two REPs answer, and their address; they end with it."""
    context: zmq.Context[Any] = zmq.Context()
    front, back = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    front.bind("inproc://front")
    back.bind("inproc://back")
    workers = [context.socket(zmq.REP) for _ in range(2)]
    for worker in workers:
        worker.connect("inproc://back")
    ended: list[int] = []

    def run(what: Any, sockets: list[Any]) -> None:
        with contextlib.suppress(zmq.ContextTerminated):
            ended.append(what())
        for socket in sockets:
            socket.close(0)

    threads = [
        threading.Thread(target=run, args=(lambda: _ends.answer([w.underlying for w in workers]), workers)),
        threading.Thread(target=run, args=(lambda: zmq.proxy(front, back), [front, back])),
    ]
    for thread in threads:
        thread.start()
    yield context, "inproc://front"
    context.term()
    for thread in threads:
        thread.join()
    assert ended == [zmq.ETERM]


@pytest.mark.parametrize(("clients", "window", "most"), [(1, 1, 50), (3, 4, 200), (3, 4, 5), (2, 8, 1)])
def test_every_request_is_answered(
    echo: tuple[zmq.Context[Any], str], clients: int, window: int, most: int
) -> None:
    context, address = echo
    sockets = [context.socket(zmq.DEALER) for _ in range(clients)]
    for socket in sockets:
        socket.connect(address)
    handles = [socket.underlying for socket in sockets]
    raw, first, last, error = _ends.ask(handles, [b""] * clients, b"x" * 16, window, most, 0, IDLE)
    for socket in sockets:
        socket.close(0)
    times = array("q", raw)
    assert (len(times), error) == (most, 0)
    assert all(0 < time <= last - first for time in times)


def test_a_time_ends_asking_and_no_reply_is_left(echo: tuple[zmq.Context[Any], str]) -> None:
    context, address = echo
    with context.socket(zmq.DEALER) as socket:
        socket.connect(address)
        raw, first, last, error = _ends.ask([socket.underlying], [b""], b"x" * 16, 4, NO_LIMIT, 0.02, IDLE)
        assert (len(raw) > 8, error) == (True, 0)
        assert last - first > 15_000_000
        assert socket.poll(0) == 0


def test_asking_gives_up(net: Any) -> None:
    silent, address = net.end(zmq.ROUTER)
    socket = net.socket(zmq.DEALER, connect=address)
    assert _ends.ask([socket.underlying], [b""], b"x" * 16, 1, 1, 0, 50)[3] == errno.ETIMEDOUT
    assert net.receive(silent)[1] == b""


def test_asking_waits_for_room(net: Any) -> None:
    """As behind marks that have not gone yet, or with more on the way than the high-water mark lets through."""
    server = net.socket(zmq.REP, rcvhwm=1)
    socket = net.socket(zmq.DEALER, sndhwm=1)
    address = net.address("inproc")
    server.bind(address)
    socket.connect(address)
    found: list[tuple[bytes, int, int, int]] = []
    asking = threading.Thread(
        target=lambda: found.append(_ends.ask([socket.underlying], [b""], b"x" * 16, 8, 100, 0, IDLE))
    )
    asking.start()
    for _ in range(100):
        server.send(net.receive(server)[0])
    asking.join()
    assert (len(found[0][0]), found[0][3]) == (100 * 8, 0)


def test_answering_gives_up_when_nobody_takes_the_answers(net: Any) -> None:
    worker, address = net.end(zmq.DEALER, "inproc", sndtimeo=50, sndhwm=1)
    client = net.socket(zmq.DEALER, connect=address, rcvhwm=1)
    for _ in range(10):
        client.send(b"x" * 16)
    assert _ends.answer([worker.underlying]) == errno.ETIMEDOUT


@pytest.mark.parametrize(("heads", "load"), [([b"", b""], b"x" * 16), ([b""], b"12345678")])
def test_what_cannot_be_asked(net: Any, heads: list[bytes], load: bytes) -> None:
    socket = net.socket(zmq.DEALER)
    with pytest.raises(ValueError, match="head"):
        _ends.ask([socket.underlying], heads, load, 1, 1, 0, IDLE)
