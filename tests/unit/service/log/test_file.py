"""The log in the state folder: read while it is written, and cut where it grows too long."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from typing import Any

import pytest

from zmqtopo.control.folder import Folder
from zmqtopo.service.log import file
from zmqtopo.service.log.file import LogFile, entry, lines


@pytest.fixture
def folder() -> Iterator[Folder]:
    folder = Folder.claim("a", "-")
    yield folder
    folder.remove()


@pytest.fixture
def log(folder: Folder) -> Iterator[LogFile]:
    log = LogFile(folder)
    yield log
    log.close()


def test_what_is_there(folder: Folder, log: LogFile) -> None:
    os.write(log.fd, b"one\ntwo\nthr")
    assert list(lines(folder, lambda: True)) == ["one\n", "two\n", "thr\n"]


def test_no_log() -> None:
    folder = Folder.claim("b", "-")
    assert list(lines(folder, lambda: False)) == []
    folder.remove()


def test_what_comes(folder: Folder, log: LogFile) -> None:
    to_come = [b"on", b"e\n", b"two\nthree\n", b"four"]

    def ended() -> bool:
        os.write(log.fd, to_come.pop(0))
        return not to_come

    assert list(lines(folder, ended)) == ["one\n", "two\n", "three\n", "four\n"]


def test_a_new_file_is_begun_and_followed(folder: Folder, log: LogFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "LARGEST", 10)
    left = list(range(20))

    def ended() -> bool:
        os.write(log.fd, b"line %d\n" % left.pop(0))
        log.turn_over()
        return not left

    assert list(lines(folder, ended)) == [f"line {number}\n" for number in range(20)]
    assert sorted(path.name for path in folder.path.iterdir()) == ["log", "log.1", "pid", "source"]
    # Only one is kept.
    assert len(list(lines(folder, lambda: True))) < 5


@pytest.mark.parametrize("away", [
    lambda path: path.unlink(),
    lambda path: path.rename(path.with_name("log.2")),
    lambda path: (path.rename(path.with_name("log.2")), path.write_text("")),
])
def test_somebody_takes_it_away(folder: Folder, log: LogFile, away: Any) -> None:
    os.write(log.fd, b"one\n")
    assert not log.turn_over()
    away(folder.path / "log")
    assert log.turn_over()
    os.write(log.fd, b"two\n")
    assert not log.turn_over()
    assert list(lines(folder, lambda: True)) == ["two\n"]


def test_a_new_file_is_begun_as_soon_as_there_is_room(
    folder: Folder, log: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "LARGEST", 4)
    os.write(log.fd, b"one\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))       # no descriptor, as no inode
    try:
        assert not log.turn_over()
        os.write(log.fd, b"two\n")
        assert not log.turn_over()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert log.turn_over()
    os.write(log.fd, b"three\n")
    assert list(lines(folder, lambda: True)) == ["one\n", "two\n", "three\n"]


def test_the_last_words_when_the_folder_has_gone(folder: Folder, log: LogFile) -> None:
    def ended() -> bool:
        os.write(log.fd, b"farewell\n")
        os.unlink("log", dir_fd=folder.fd)
        return True

    assert list(lines(folder, ended)) == ["farewell\n"]


@pytest.mark.parametrize(("line", "told"), [
    ('{"message": "x", "device": "a"}\n', {"message": "x", "device": "a"}),
    ("Traceback (most recent call last):\n", None), ("[1]\n", None), ("{}\n", None), ("", None), ("[" * 9999, None),
])
def test_entries(line: str, told: dict[str, str] | None) -> None:
    assert entry(line) == told
