"""The topology's end of the control socket, and what clients may do to it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zmqtopo.control.protocol import LONGEST_LINE, Request
from zmqtopo.control.server import MOST_CLIENTS, MOST_HOLDERS, MOST_OTHERS, MOST_WAITING, Respond, Server

GREETING = {"zmqtopo": 1, "name": "it"}


class Served:
    """A server that echoes what it is asked.

    But for ``wait``, whose answers come when the test wants it, and ``hold``, which holds the server until then.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.waiting: list[Respond] = []
        self.asked = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.slow = False
        self.clients: list[socket.socket] = []
        self.parted: list[int] = []
        self.has_parted = threading.Semaphore(0)
        self.server = Server(str(path), GREETING, self.handle, self.part)

    def handle(self, request: Request, respond: Respond) -> None:
        if request["verb"] in ("wait", "down"):
            self.waiting.append(respond)
            self.asked.release()
        elif request["verb"] == "hold":
            self.asked.release()
            assert self.go_on.wait(10)
            respond({"held": True})
        elif request["verb"] == "much":
            respond({"much": "x" * 1_000_000})
        elif self.slow:
            self.waiting.append(respond)
        else:
            respond({"verb": request["verb"], "devices": list(request["devices"])} | (
                {"client": request["client"]} if request["verb"] == "tap" else {}))

    def part(self, client: int) -> None:
        self.parted.append(client)
        self.has_parted.release()

    def client(self) -> Client:
        connection = socket.socket(socket.AF_UNIX)
        self.clients.append(connection)
        connection.settimeout(10)
        connection.connect(str(self.path))
        return Client(connection)

    def close(self) -> None:
        self.server.close()
        for client in self.clients:
            client.close()


class Client:
    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.rest = b""

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def line(self) -> dict[str, Any]:
        while b"\n" not in self.rest:
            data = self.connection.recv(65536)
            assert data, f"ended after {self.rest!r}"
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def has_ended(self) -> bool:
        try:
            return not self.connection.recv(65536)
        except ConnectionError:
            return True

    def ask(self, verb: str, *devices: str) -> dict[str, Any]:
        self.send(ask(verb, *devices))
        return self.line()


def ask(verb: str, *devices: str) -> bytes:
    return json.dumps({"zmqtopo": 1, "verb": verb, "devices": devices}).encode() + b"\n"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path / "s")
    yield served
    served.close()


def fine(served: Served) -> None:
    """Somebody who behaves is served."""
    client = served.client()
    assert client.line() == GREETING
    assert client.ask("ps", "a") == {"verb": "ps", "devices": ["a"]}
    client.connection.close()


def test_a_conversation(served: Served) -> None:
    client = served.client()
    assert client.line() == GREETING
    for number in range(100):
        assert client.ask("stop", str(number))["devices"] == [str(number)]


def test_questions_in_one_piece_and_in_many(served: Served) -> None:
    client = served.client()
    client.send(b"".join(ask("ps", str(number)) for number in range(500)))
    assert client.line() == GREETING
    assert [client.line()["devices"] for _ in range(500)] == [[str(number)] for number in range(500)]
    for byte in ask("ps", "b"):
        client.send(bytes([byte]))
    assert client.line()["devices"] == ["b"]


def test_an_answer_that_takes_its_time_holds_up_nobody_else(served: Served) -> None:
    slow = served.client()
    slow.line()
    slow.send(ask("wait") + ask("ps"))
    assert served.asked.acquire(timeout=10)
    fine(served)
    served.waiting.pop()({"at": "last"})
    assert slow.line() == {"at": "last"}
    assert slow.line()["verb"] == "ps"


@pytest.mark.parametrize("garbage", [
    b"\n", b"\n\n\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(range(256)) * 10 + b"\n", b"null\n", b"{}\n",
    b"[" * 5000 + b"\n", b'{"zmqtopo": 99, "verb": "ps"}\n',
])
def test_garbage_gets_an_answer_and_the_next_question_too(served: Served, garbage: bytes) -> None:
    client = served.client()
    client.line()
    client.send(garbage)
    respond = client.line()
    assert respond["ok"] is False
    assert respond["errors"]
    client.send(ask("ps"))
    while "ok" in (respond := client.line()):
        continue
    assert respond["verb"] == "ps"
    fine(served)


def test_a_line_without_an_end_is_cut_off(served: Served) -> None:
    client = served.client()
    client.line()
    with contextlib.suppress(OSError):
        for _ in range(100):
            client.send(b"x" * LONGEST_LINE)
        pytest.fail("it took it all")
    fine(served)


def test_too_long_a_line_is_told(served: Served) -> None:
    client = served.client()
    client.line()
    client.send(b"x" * LONGEST_LINE)
    assert client.line()["errors"] == [f"a line has at most {LONGEST_LINE} bytes"]
    assert client.has_ended()


def test_half_a_message_and_then_the_end(served: Served) -> None:
    client = served.client()
    client.send(ask("ps")[:10])
    client.connection.close()
    fine(served)


def test_who_sends_no_more_still_gets_the_answer(served: Served) -> None:
    client = served.client()
    client.send(ask("ps", "a") + ask("wait") + ask("ps", "b"))
    client.connection.shutdown(socket.SHUT_WR)
    assert served.asked.acquire(timeout=10)
    served.waiting.pop()({"late": True})
    assert client.line() == GREETING
    assert [client.line() for _ in range(3)] == [
        {"verb": "ps", "devices": ["a"]}, {"late": True}, {"verb": "ps", "devices": ["b"]},
    ]
    assert client.has_ended()


def test_who_dies_while_an_answer_is_due(served: Served) -> None:
    for _ in range(20):
        client = served.client()
        client.send(ask("wait"))
        assert served.asked.acquire(timeout=10)
        client.connection.close()
    while served.waiting:
        served.waiting.pop()({"much": "x" * 1_000_000})
    fine(served)


def test_who_does_not_read_is_not_waited_for(served: Served) -> None:
    client = served.client()
    client.send(ask("much") * 50)
    fine(served)
    client.line()
    assert [len(client.line()["much"]) for _ in range(50)] == [1_000_000] * 50


def test_a_hundred_clients_at_once(served: Served) -> None:
    clients = [served.client() for _ in range(100)]
    for client in clients:
        client.send(ask("ps"))
    for client in clients:
        assert client.line() == GREETING
        assert client.line()["verb"] == "ps"
    fine(served)


def test_one_more_than_can_be_takes_the_place_of_who_is_silent(served: Served) -> None:
    patient = served.client()
    patient.send(ask("wait"))
    assert served.asked.acquire(timeout=10)
    crowd = [served.client() for _ in range(MOST_CLIENTS - 1)]
    for client in crowd:
        client.line()
    crowd[0].ask("ps")
    fine(served)
    assert crowd[1].line()["reason"] == "busy"
    assert crowd[1].has_ended()
    assert crowd[0].ask("ps")["verb"] == "ps"
    served.waiting.pop()({"at": "last"})
    patient.line()
    assert patient.line() == {"at": "last"}


@pytest.mark.parametrize("verb", ["wait", "down"])
def test_clients_that_wait_lock_nobody_out(served: Served, net: Any, verb: str) -> None:
    crowd = [served.client() for _ in range(MOST_CLIENTS)]
    for client in crowd:
        assert client.line() == GREETING
        client.send(ask(verb))
    fine(served)
    last = served.client()
    last.line()
    last.send(ask("down"))
    net.until(lambda: len(served.waiting) == (MOST_OTHERS + 1 if verb == "wait" else MOST_CLIENTS + 1))
    served.waiting[-1]({"at": "last"})
    assert last.line() == {"at": "last"}
    told = crowd[MOST_OTHERS] if verb == "wait" else crowd[0]
    refused = told.line()
    assert (refused["reason"], "wait" in refused["errors"][0]) == ("busy", True)
    served.waiting[0]({"at": "last"})
    if verb == "wait":
        assert crowd[0].line() == {"at": "last"}


def test_more_that_wait_for_ps_than_can_wait(served: Served, net: Any) -> None:
    """The supervisor does not answer; who asks last is the one who still looks."""
    clients = [served.client() for _ in range(MOST_WAITING["ps"] + 1)]
    served.slow = True
    for client in clients:
        client.line()
        client.send(ask("ps"))
    assert clients[0].line()["reason"] == "busy"
    net.until(lambda: len(served.waiting) == len(clients))
    for respond in served.waiting:
        respond({"at": "last"})
    for client in clients[1:]:
        assert client.line() == {"at": "last"}


def test_what_is_sent_ahead_does_not_lose_an_answer(served: Served) -> None:
    client = served.client()
    client.line()
    client.send(ask("wait"))
    assert served.asked.acquire(timeout=10)
    client.send(ask("ps"))
    fine(served)
    served.waiting.pop()({"at": "last"})
    assert client.line() == {"at": "last"}
    assert client.line()["verb"] == "ps"


def test_who_makes_way_is_one_of_a_crowd_and_is_told(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    pids = iter([1, 2, *[3] * (MOST_CLIENTS - 2), 4])
    monkeypatch.setattr("zmqtopo.control.server._peer", lambda connection: (next(pids), 0))
    clients = [served.client() for _ in range(MOST_CLIENTS + 1)]
    for client in clients:
        assert client.line() == GREETING
    assert clients[2].line()["reason"] == "busy"
    assert clients[2].has_ended()
    for client in (clients[0], clients[1], clients[3], clients[-1]):
        assert client.ask("ps")["verb"] == "ps"


def test_descriptors_are_kept_for_clients(served: Served) -> None:
    """Everything else in the process has used them up."""
    fine(served)
    connections = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    served.clients += connections
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/dev/fd"))      # noqa: PTH208 - no descriptor of its own is left
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        for connection in connections:
            connection.settimeout(10)
            connection.connect(str(served.path))
            client = Client(connection)
            assert client.line() == GREETING
            assert client.ask("ps")["verb"] == "ps"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for descriptor in taken:
            os.close(descriptor)


def test_who_speaks_while_its_place_is_taken(served: Served) -> None:
    oldest, holder, *others = (served.client() for _ in range(MOST_CLIENTS))
    for client in (oldest, holder, *others):
        client.line()
    holder.send(ask("hold"))
    assert served.asked.acquire(timeout=10)
    newcomer = served.client()
    oldest.send(ask("ps"))
    # The server hears of both at once.
    served.go_on.set()
    assert holder.line() == {"held": True}
    assert oldest.line()["reason"] == "busy"
    assert oldest.has_ended()
    assert newcomer.line() == GREETING
    fine(served)


def test_no_descriptor_left_for_a_client(served: Served, net: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served.server, "_keep_spare", lambda: None)
    monkeypatch.setattr("zmqtopo.control.server.ACCEPT_BACKOFF", 0.1)
    while served.server._spare:
        os.close(served.server._spare.pop())
    first = served.client()
    first.line()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    connection = socket.socket(socket.AF_UNIX)
    served.clients.append(connection)
    connection.settimeout(10)
    # The lowest number that is free is the next one, and it is not allowed.
    resource.setrlimit(resource.RLIMIT_NOFILE, (connection.fileno() + 1, hard))
    try:
        connection.connect(str(served.path))
        assert first.line()["reason"] == "busy"
        assert first.has_ended()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert Client(connection).line() == GREETING
    fine(served)


def test_the_last_answers_are_delivered(tmp_path: Path) -> None:
    served = Served(tmp_path / "s")
    clients = [served.client() for _ in range(10)]
    for client in clients:
        client.send(ask("wait"))
        assert served.asked.acquire(timeout=10)
    for respond in served.waiting:
        respond({"much": "x" * 100_000})
    readers: list[threading.Thread] = []
    got: list[dict[str, Any]] = []

    def read(line: Callable[[], dict[str, Any]]) -> None:
        line()
        got.append(line())

    for client in clients:
        readers.append(threading.Thread(target=read, args=(client.line,)))
        readers[-1].start()
    served.server.close()
    for reader in readers:
        reader.join(10)
    assert len(got) == 10
    for connection in served.clients:
        connection.close()


def test_an_answer_just_before_the_end_is_delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served(tmp_path / "s")
    client = served.client()
    client.line()
    client.send(ask("wait"))
    assert served.asked.acquire(timeout=10)
    deliver = served.server._deliver

    def deliver_and_rest() -> None:
        deliver()
        if not served.go_on.is_set():   # as if the thread rested here
            served.asked.release()
            assert served.go_on.wait(10)

    monkeypatch.setattr(served.server, "_deliver", deliver_and_rest)
    served.server._wake()
    assert served.asked.acquire(timeout=10)
    served.waiting.pop()({"at": "last"})
    ending = threading.Thread(target=served.server.close)
    ending.start()
    while not served.server._closing:
        pass
    served.go_on.set()
    assert client.line() == {"at": "last"}
    ending.join()
    client.connection.close()


def test_who_does_not_take_the_last_answer_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zmqtopo.control.server.FAREWELL", 0.1)
    served = Served(tmp_path / "s")
    client = served.client()
    client.send(ask("much") * 3)
    client.line()
    served.close()


def test_a_place_that_is_taken(served: Served) -> None:
    with pytest.raises(OSError, match="in use"):
        Server(str(served.path), GREETING, served.handle)


def test_what_a_client_has_while_it_is_connected_ends_with_it(served: Served) -> None:
    idle, holds = served.client(), served.client()
    idle.line()
    holds.line()
    number = holds.ask("tap", "a")["client"]
    assert holds.ask("tap", "b")["client"] == number
    idle.ask("ps")
    idle.connection.close()
    holds.connection.close()
    assert served.has_parted.acquire(timeout=10)
    fine(served)
    assert served.parted == [number]


def test_one_that_has_something_makes_way_for_nobody_and_there_are_not_many(served: Served) -> None:
    holders = [served.client() for _ in range(MOST_HOLDERS)]
    for holder in holders:
        holder.line()
        holder.ask("tap")
    more = served.client()
    more.line()
    assert more.ask("tap")["reason"] == "busy"
    assert holders[0].ask("tap")["verb"] == "tap"
    for _ in range(MOST_CLIENTS + 1):
        served.client().line()
    assert [holder.ask("tap")["verb"] for holder in holders] == ["tap"] * MOST_HOLDERS
    assert not served.parted
