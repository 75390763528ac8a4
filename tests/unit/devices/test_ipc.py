"""Files of ipc sockets are removed, and never those of somebody else."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import zmq

from zmqtopo.devices import ProcessDevice, ThreadDevice
from zmqtopo.devices.ipc import IpcFile, remove_stale


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


def test_the_folder_that_libzmq_has_made_goes_too(tmp_path: Path) -> None:
    (tmp_path / "tmpAbC123").mkdir()
    listener(tmp_path / "tmpAbC123" / "socket").close()
    remove_stale([f"ipc://{tmp_path}/tmpAbC123/socket"])
    assert list(tmp_path.iterdir()) == []


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
