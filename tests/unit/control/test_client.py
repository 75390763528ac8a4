"""A client's end: how a topology is found, and one that does not behave."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from zmqtopo.control import client as module
from zmqtopo.control.client import Client, connect, find, running
from zmqtopo.control.errors import ControlError, NotRunningError
from zmqtopo.control.folder import Folder
from zmqtopo.control.protocol import encode

GREETING = encode({"zmqtopo": 1, "name": "it", "pid": 1, "release": "0.1.0"})


class Fake:
    """A state folder with a listener that says what it is told to, once, and then parts."""

    def __init__(self, name: str, source: str, *said: bytes, parts: bool = True) -> None:
        self.folder = Folder.claim(name, source)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.folder.socket_path())
        self.listener.listen()
        self._said = said
        self._parts = parts
        self._kept: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            while True:
                connection, _ = self.listener.accept()
                self._kept.append(connection)
                with contextlib.suppress(OSError):      # a visitor who only knocks
                    for words in self._said:
                        connection.sendall(words)
                    if self._parts:
                        connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self._thread.join()
        for connection in self._kept:
            connection.close()
        self.folder.remove()


@pytest.fixture
def fakes() -> Iterator[list[Fake]]:
    fakes: list[Fake] = []
    yield fakes
    for fake in fakes:
        fake.close()


def test_by_name_and_by_every_way_to_its_file(
    fakes: list[Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "some.yaml"
    file.write_text("this is no topology any more")
    (tmp_path / "link").symlink_to(file)
    monkeypatch.chdir(tmp_path)
    fakes.append(Fake("it", str(file), GREETING))
    for target in ("it", str(file), "some.yaml", "./some.yaml", f"../{tmp_path.name}/some.yaml", "link"):
        with connect(target) as client:
            assert client.name == "it"
    assert running() == ["it"]
    file.unlink()
    connect("some.yaml").close()


def test_a_file_of_the_same_name_is_another_topology(fakes: list[Fake], tmp_path: Path) -> None:
    fakes.append(Fake("it", str(tmp_path / "it.yaml"), GREETING))
    (tmp_path / "other").mkdir()
    other = tmp_path / "other/it.yaml"
    other.write_text("devices: {}")
    with pytest.raises(NotRunningError, match=r"it.yaml' is not running; did you mean it\?$"):
        find(str(other))


def test_what_is_near_is_named(fakes: list[Fake]) -> None:
    fakes.append(Fake("pipeline", "-", GREETING))
    with pytest.raises(NotRunningError, match=r"^'piepline' is not running; did you mean pipeline\?$"):
        find("piepline")
    with pytest.raises(NotRunningError, match=r"^'some/pipelin.yml' is not running; did you mean pipeline\?$"):
        find("some/pipelin.yml")
    for nothing in ("", ".", "..", "a/b", "\0", "x" * 255, "x" * 256, "é" * 128):
        with pytest.raises(NotRunningError):
            find(nothing)


def test_a_folder_that_was_left_behind_is_not_running() -> None:
    folder = Folder.claim("it", "-")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(folder.socket_path())
    with pytest.raises(NotRunningError, match=r"^it is not running$"):
        connect("it")
    assert running() == []
    folder.remove()


@pytest.mark.parametrize(("said", "error"), [
    ((encode({"zmqtopo": 7, "release": "3.0"}),),
     "it runs zmqtopo 3.0, whose control protocol has version 7; this one speaks version 1"),
    ((encode({"zmqtopo": 0, "release": "0.0\x1b"}),), r"it runs zmqtopo 0\.0\\x1b, whose .* version 0; this one"),
    ((encode({"name": "it"}),), "does not speak as zmqtopo does"),
    ((encode({"zmqtopo": "one", "release": "3.0"}),), "does not speak as zmqtopo does"),
    ((encode({"zmqtopo": True, "release": "3.0"}),), "does not speak as zmqtopo does"),
    ((b"220 mail.example.org ESMTP\r\n",), "does not speak as zmqtopo does"),
    ((GREETING[:10],), "it runs, and has closed the connection: too many ask it at once; try again"),
    ((), "it runs, and has closed the connection"),
])
def test_one_that_does_not_speak_as_it_should(fakes: list[Fake], said: tuple[bytes, ...], error: str) -> None:
    fakes.append(Fake("it", "-", *said))
    with pytest.raises(ControlError, match=error):
        connect("it")


@pytest.mark.parametrize("said", [(), (GREETING,)])
def test_one_that_does_not_answer(
    fakes: list[Fake], said: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_TIMEOUT", 0.1)
    fakes.append(Fake("it", "-", *said, parts=False))
    with pytest.raises(ControlError, match=rf"^it, process {os.getpid()}, does not answer$"), connect("it") as client:
        client.ask("ps", timeout=0.1)
    assert running() == ["it"]


def test_one_that_ends_before_it_answers(fakes: list[Fake]) -> None:
    fakes.append(Fake("it", "-", GREETING))
    with find("it") as folder, Client(folder) as client:
        fakes.pop().close()
        with pytest.raises(NotRunningError, match=r"^it has ended$"):
            client.ask("ps")


def test_one_that_turns_clients_away_has_not_ended(fakes: list[Fake]) -> None:
    fakes.append(Fake("it", "-", GREETING, encode({"ok": False, "reason": "busy", "errors": ["others came"]})))
    with connect("it") as client:
        assert client.ask("down")["reason"] == "busy"
        with pytest.raises(ControlError, match=r"^it runs, and has closed the connection"):
            client.ask("ps")
        assert not client.has_ended(0.01)       # it has connected again
    with connect("it") as client, pytest.raises(ControlError, match=r"^it does not tell: others came$"):
        client.devices()
    with connect("it") as client:
        fakes.pop().close()
        while not client.has_ended(0.01):
            continue
