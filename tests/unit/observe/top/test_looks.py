"""Looks at topologies that are only a control socket."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from zmqtopo.control.folder import Folder
from zmqtopo.control.protocol import Request
from zmqtopo.control.server import Respond, Server
from zmqtopo.observe.top.looks import Watch

from .looks import device

DEADLINE = 10.0


class Topology:
    """Answers ``ps``, unless it is told to be silent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = threading.Event()
        self.silent = False
        self._unanswered: list[Respond] = []
        self._folder = Folder.claim(name, f"/{name}.yaml")
        greeting = {"zmqtopo": 1, "name": name, "pid": self._folder.pid, "release": "0"}
        self._server = Server(self._folder.socket_path(), greeting, self._handle)

    def _handle(self, request: Request, respond: Respond) -> None:
        self.asked.set()
        if self.silent:
            self._unanswered.append(respond)
        else:
            respond(json.loads(json.dumps({"ok": True, "devices": [device(self.name)]})))

    def speak(self) -> None:
        self.silent = False
        while self._unanswered:
            self._unanswered.pop()({"ok": True, "devices": [device("late")]})

    def end(self) -> None:
        self._server.close()
        self._folder.remove()


@pytest.fixture
def topology() -> Iterator[Callable[[str], Topology]]:
    there: list[Topology] = []

    def start(name: str) -> Topology:
        there.append(Topology(name))
        return there[-1]

    yield start
    for one in there:
        one.end()


@pytest.fixture
def watch() -> Iterator[Callable[[str | None], Watch]]:
    there: list[Watch] = []

    def start(target: str | None) -> Watch:
        there.append(Watch(target))
        return there[-1]

    yield start
    for one in there:
        one.close()


def names(watch: Watch, within: float = DEADLINE) -> list[tuple[str, list[str]]]:
    return [(seen.topology, [one["name"] for one in seen.devices]) for seen in watch.look(within)]


def test_all_that_run_by_name(topology: Any, watch: Any) -> None:
    looking = watch(None)
    assert looking.look(DEADLINE) == []
    topology("b"), topology("a")
    assert names(looking) == [("a", ["a"]), ("b", ["b"])]


def test_one_that_ends_and_one_that_comes(topology: Any, watch: Any) -> None:
    first, looking = topology("first"), watch(None)
    assert names(looking) == [("first", ["first"])]
    first.end()
    topology("second")
    assert names(looking) == [("second", ["second"])]


def test_one_by_name_that_ends_and_comes_again(topology: Any, watch: Any) -> None:
    first, looking = topology("it"), watch("it")
    before, = looking.look(DEADLINE)
    first.end()
    assert looking.look(DEADLINE) == []
    topology("it")
    now, = looking.look(DEADLINE)
    assert now.at > before.at


def test_a_silent_one_keeps_nobody_waiting(topology: Any, watch: Any) -> None:
    silent, looking = topology("silent"), watch(None)
    topology("other")
    before = {seen.topology: seen for seen in looking.look(DEADLINE)}
    silent.silent = True
    silent.asked.clear()
    began = time.monotonic()
    now = {seen.topology: seen for seen in looking.look(0.05)}
    assert time.monotonic() - began < DEADLINE / 2
    assert now["silent"] == before["silent"]
    assert silent.asked.wait(DEADLINE)
    again = {seen.topology: seen for seen in looking.look(0.05)}
    assert again["other"].at > before["other"].at
    silent.speak()
    last = {seen.topology: seen for seen in looking.look(DEADLINE)}
    assert last["silent"].at > before["silent"].at


def test_who_closes_waits_for_no_answer(topology: Any, watch: Any) -> None:
    silent, looking = topology("silent"), watch("silent")
    silent.silent = True
    looked = threading.Thread(target=looking.look, args=(100.0,))
    looked.start()
    assert silent.asked.wait(DEADLINE)
    looking.close()
    looked.join(DEADLINE)
    assert not looked.is_alive()
    silent.speak()
