"""Giving file descriptors to another process."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from zmqtopo.worker import fd_passing

Ends: TypeAlias = "tuple[Connection[Any, Any], Connection[Any, Any]]"


@pytest.fixture
def ends() -> Iterator[Ends]:
    one, other = Pipe()
    yield one, other
    one.close()
    other.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "file").write_text("content")
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    yield fd
    os.close(fd)


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            os.dup(0)
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_it_comes_between_messages(ends: Ends, file: int) -> None:
    ends[0].send("before")
    fd_passing.send(ends[0], file)
    ends[0].send("after")
    assert ends[1].recv() == "before"
    received = fd_passing.receive(ends[1])
    assert ends[1].recv() == "after"
    assert received != file
    assert os.read(received, 100) == b"content"
    os.close(received)


def test_none_more_is_needed_to_send_it(ends: Ends, file: int) -> None:
    with no_more_descriptors():
        fd_passing.send(ends[0], file)
    os.close(fd_passing.receive(ends[1]))


def test_one_that_has_no_room_for_it_can_go_on(ends: Ends, file: int) -> None:
    fd_passing.send(ends[0], file)
    ends[0].send("after")
    with no_more_descriptors(), pytest.raises(OSError, match="Too many open files") as error:
        fd_passing.receive(ends[1])
    assert error.value.errno == errno.EMFILE
    assert ends[1].recv() == "after"


def test_an_end_that_is_gone(ends: Ends, file: int) -> None:
    ends[0].close()
    with pytest.raises(EOFError):
        fd_passing.receive(ends[1])
    with pytest.raises(BrokenPipeError):
        fd_passing.send(ends[1], file)


def test_something_else_is_an_error_of_ours(ends: Ends) -> None:
    ends[0].send("a message")
    with pytest.raises(RuntimeError):
        fd_passing.receive(ends[1])
