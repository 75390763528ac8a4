"""Files of ipc sockets are removed, and never those of somebody else."""

from __future__ import annotations

import os
import resource
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import zmq

from zmqtopo.broker.ipc import IN_USE, IpcFile, listen, make_folder, obstacle, remove_stale
from zmqtopo.devices import ProcessDevice, ThreadDevice


def listener(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.listen()
    return made


def test_a_file_is_removed_while_its_socket_is_bound(tmp_path: Path) -> None:
    with listener(tmp_path / "a"):
        file = IpcFile.of(f"ipc://{tmp_path}/a")
        assert file is not None
        file.remove()
    assert not (tmp_path / "a").exists()


def test_a_file_that_another_socket_has_taken_stays(tmp_path: Path) -> None:
    with listener(tmp_path / "a"):
        file = IpcFile.of(f"ipc://{tmp_path}/a")
        assert file is not None
        (tmp_path / "a").rename(tmp_path / "b")     # keeps the inode from being used again at once
        with listener(tmp_path / "a"):
            file.remove()
            assert (tmp_path / "a").exists()


def test_a_relative_path_is_found_after_the_working_directory_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with listener(Path("a")):
        file = IpcFile.of("ipc://a")
        assert file is not None
        monkeypatch.chdir("/")
        file.remove()
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "ipc://@name", "ipc://*", "inproc://a", "ipc:///none/there"])
def test_nothing_to_remove(address: str) -> None:
    assert IpcFile.of(address) is None


def test_a_stale_file_is_removed_and_one_in_use_is_not(tmp_path: Path) -> None:
    listener(tmp_path / "stale").close()
    with listener(tmp_path / "used"):
        remove_stale([f"ipc://{tmp_path}/stale", f"ipc://{tmp_path}/used", f"ipc://{tmp_path}/none", "tcp://*:1"])
        assert sorted(p.name for p in tmp_path.iterdir()) == ["used"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody can knock there, and the file stays")
@pytest.mark.parametrize("name", ["a", "n" * 100])
def test_a_short_path_from_a_deep_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What libzmq binds has at most 107 bytes; made absolute it has more."""
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.chdir(deep)
    with listener(Path(name)):
        remove_stale([f"ipc://{name}"])
        assert obstacle(Path(name)) == IN_USE
    assert obstacle(Path(name)) == ""
    remove_stale([f"ipc://{name}"])
    assert list(deep.iterdir()) == []


def test_a_folder_that_is_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    remove_stale(["ipc://a"])
    assert obstacle(Path("a")) == ""


def test_no_descriptor_is_left_to_knock_with(tmp_path: Path) -> None:
    listener(tmp_path / "stale").close()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        remove_stale([f"ipc://{tmp_path}/stale"])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert (tmp_path / "stale").exists()


@pytest.mark.parametrize("kind", [ThreadDevice, ProcessDevice])
def test_a_path_of_the_systems_choice_leads_there_from_everywhere(
    kind: type, net: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libzmq's own is relative to the working directory when no variable names a folder for temporary files."""
    for name in ("TMPDIR", "TEMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    device = kind(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.bind_in("ipc://*")
    device.bind_out("ipc://*")
    with device:
        monkeypatch.chdir("/")
        (in_,), (out,) = device.endpoints["in"], device.endpoints["out"]
        net.socket(zmq.PUSH, connect=in_).send(b"x")
        assert net.receive(net.socket(zmq.PULL, connect=out)) == [b"x"]
        folders = [Path(address.removeprefix("ipc://")).parent for address in (in_, out)]
        assert all(folder.is_absolute() and folder.stat().st_mode & 0o777 == 0o700 for folder in folders)
    assert not any(folder.exists() for folder in folders)
    assert list((tmp_path / "cwd").iterdir()) == []


@pytest.mark.parametrize(("folder", "words"), [
    ("nowhere/below", r"in: cannot bind ipc://\*: No such file or directory"),
    ("x" * 100, r"in: cannot bind ipc:///.*/[\w.-]+/socket: File name too long"),
])
def test_a_path_of_the_systems_choice_for_which_there_is_no_room(
    folder: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ("x" * 100)).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / folder))
    device = ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.bind_in("ipc://*")
    device.start()
    with pytest.raises(zmq.ZMQError, match=words):
        device.wait_ready(10)
    device.stop()
    assert list((tmp_path / ("x" * 100)).iterdir()) == []


def test_the_folder_of_a_killed_process_goes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = make_folder()
    listener(folder / "socket").close()
    remove_stale([f"ipc://{folder}/socket"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["tmp", "tmpAbC123", "zmqtopo-requests", "zmqtopo-.ipc", "zmqtopo-feed.ipc"])
def test_a_folder_of_the_user_stays(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with listener(tmp_path / name / "socket"):
        file = IpcFile.of(f"ipc://{tmp_path}/{name}/socket")
        assert file is not None
        file.remove()
    assert list((tmp_path / name).iterdir()) == []
    listener(tmp_path / name / "socket").close()
    remove_stale([f"ipc://{tmp_path}/{name}/socket"])
    assert list((tmp_path / name).iterdir()) == []


@pytest.mark.parametrize("device", [ThreadDevice, ProcessDevice])
def test_an_ipc_address_in_use_is_refused_and_stays_with_its_owner(net: Any, tmp_path: Path, device: Any) -> None:
    address = f"ipc://{tmp_path}/jobs"
    push = net.socket(zmq.PUSH)
    push.bind(address)
    second = device(zmq.QUEUE, zmq.PULL, zmq.PUSH)
    second.bind_out(address)
    second.start()
    with pytest.raises(zmq.ZMQError, match=f"out: cannot bind {address}: Address already in use") as refusal:
        second.wait_ready(10)
    second.stop()
    assert refusal.value.errno == zmq.EADDRINUSE
    pull = net.socket(zmq.PULL, connect=address)
    push.send(b"still here")
    assert net.receive(pull) == [b"still here"]


def test_an_ipc_file_that_a_killed_process_has_left_is_no_hindrance(tmp_path: Path) -> None:
    listener(tmp_path / "jobs").close()
    device = ThreadDevice(zmq.QUEUE, zmq.PULL, zmq.PUSH)
    device.bind_out(f"ipc://{tmp_path}/jobs")
    with device:
        assert device.endpoints["out"] == (f"ipc://{tmp_path}/jobs",)
    assert not (tmp_path / "jobs").exists()


# -- what is at the path belongs to somebody ---------------------------------------------------------------------------


THINGS = {"a file": Path.touch, "a folder": Path.mkdir, "a pipe": os.mkfifo,
          "a symbolic link": lambda path: path.symlink_to("elsewhere")}


@pytest.mark.parametrize("kind", THINGS)
@pytest.mark.parametrize("device", [ThreadDevice, ProcessDevice])
def test_what_is_no_socket_is_refused_and_untouched(tmp_path: Path, kind: str, device: Any) -> None:
    path = tmp_path / "jobs"
    THINGS[kind](path)
    before = path.lstat()
    made = device(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    made.bind_in(f"ipc://{path}")
    made.start()
    with pytest.raises(zmq.ZMQError, match=f"in: cannot bind ipc://{path}: .*in use: there is {kind} at") as refusal:
        made.wait_ready(10)
    made.stop()
    assert refusal.value.errno == zmq.EADDRINUSE
    assert (path.lstat().st_ino, path.lstat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list(tmp_path.iterdir()) == [path]


def test_a_symbolic_link_to_a_file_keeps_both(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("precious")
    (tmp_path / "jobs").symlink_to("data")
    with pytest.raises(OSError, match="a symbolic link"):
        listen(f"ipc://{tmp_path}/jobs", 1)
    assert (tmp_path / "jobs").read_text() == "precious"


@pytest.mark.parametrize("type_", [socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_STREAM])
def test_a_socket_that_a_process_has_bound_is_in_use(tmp_path: Path, type_: int) -> None:
    """The first two take no such connection, and the last none before it listens."""
    if sys.platform != "linux":
        pytest.skip("Linux alone tells of them")
    with socket.socket(socket.AF_UNIX, type_) as owner:
        owner.bind(str(tmp_path / "log"))
        with pytest.raises(OSError, match="in use") as refusal:
            listen(f"ipc://{tmp_path}/log", 1)
        assert refusal.value.errno == zmq.EADDRINUSE
        assert (tmp_path / "log").is_socket()


def test_who_is_as_quick_keeps_what_he_has_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program replaces the stale file after it was looked at, and before it is taken away."""
    path = tmp_path / "jobs"
    listener(path).close()
    others: list[socket.socket] = []

    def rename(stale: Path, aside: Path) -> None:
        if not others:
            stale.unlink()
            others.append(listener(stale))
        os.rename(stale, aside)     # noqa: PTH104 - Path's is this one

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="in use"):
        listen(f"ipc://{path}", 1)
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.connect(str(path))
    others[0].close()
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_named_as_an_abstract_address_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libzmq would unlink it too."""
    if sys.platform != "linux":
        pytest.skip("abstract addresses are those of Linux")
    monkeypatch.chdir(tmp_path)
    name = f"@zmqtopo-test-{os.getpid()}"
    Path(name).touch()
    device = ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.bind_in(f"ipc://{name}")
    with device:
        assert device.endpoints["in"] == (f"ipc://{name}",)
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.connect("\0" + name[1:])
    assert Path(name).exists()


def test_a_stale_path_at_which_there_is_a_file_by_now(tmp_path: Path) -> None:
    """A worker has been killed, and what it had bound is cleaned up."""
    (tmp_path / "jobs").touch()
    remove_stale([f"ipc://{tmp_path}/jobs"])
    assert (tmp_path / "jobs").exists()


def test_a_listening_socket_of_the_program_is_used(net: Any, tmp_path: Path) -> None:
    with listener(tmp_path / "jobs") as own:
        device = ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
        device.setsockopt_in(zmq.USE_FD, os.dup(own.fileno()))
        device.bind_in(f"ipc://{tmp_path}/jobs")
        device.bind_out("tcp://127.0.0.1:*")
        device.context_factory = lambda: net.context
        with device:
            pull = net.socket(zmq.PULL, connect=device.endpoints["out"][0])
            net.socket(zmq.PUSH, connect=f"ipc://{tmp_path}/jobs").send(b"x")
            assert net.receive(pull) == [b"x"]


@pytest.mark.parametrize("second", ["ipc://{folder}/second", "tcp://127.0.0.1:*"])
def test_several_addresses_of_one_socket(net: Any, tmp_path: Path, second: str) -> None:
    device = ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.context_factory = lambda: net.context
    device.bind_in(f"ipc://{tmp_path}/first")
    device.bind_in(second.format(folder=tmp_path))
    device.bind_out("tcp://127.0.0.1:*")
    with device:
        pull = net.socket(zmq.PULL, connect=device.endpoints["out"][0])
        for address in device.endpoints["in"]:
            net.socket(zmq.PUSH, connect=address).send(b"x")
            assert net.receive(pull) == [b"x"]
    assert list(tmp_path.iterdir()) == []
