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

from zmqtopo.devices import ProcessDevice, ThreadDevice
from zmqtopo.devices.ipc import IpcFile, is_taken, make_folder, remove_stale


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
        assert is_taken(f"ipc://{name}")
    assert not is_taken(f"ipc://{name}")
    remove_stale([f"ipc://{name}"])
    assert list(deep.iterdir()) == []


def test_a_folder_that_is_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    remove_stale(["ipc://a"])
    assert not is_taken("ipc://a")


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
