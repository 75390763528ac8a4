"""Who may connect, as files say it, and what happens when they change."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from zmqtopo.checks import examine_text
from zmqtopo.config.certificate import text_of
from zmqtopo.config.curve import key_bytes
from zmqtopo.supervisor.admission import Admission, Policies

TOPOLOGY = """
name: t
security:
  lan: {curve: FOLDER/broker.key_secret, allow: [FOLDER/clients, FOLDER/alone.key]}
  users: {plain: FOLDER/users}
devices:
  a: {type: streamer, in: {bind: "tcp://*:5001", security: lan}, out: {bind: "tcp://*:5002", security: users}}
"""


class Watched:
    """An admission whose news are collected."""

    def __init__(self, folder: Path) -> None:
        (folder / "clients").mkdir()
        self.folder = folder
        self.keys: dict[str, bytes] = {}
        self.changes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.problems: queue.SimpleQueue[str] = queue.SimpleQueue()
        topology = examine_text(TOPOLOGY.replace("FOLDER", str(folder))).topology
        assert topology is not None
        self.device = topology.devices["a"]
        self.admission = Admission(topology, lambda: self.changes.put(None), lambda name, text: self.problems.put(text))

    def key(self, name: str) -> None:
        """Make a public key at a path below the folder."""
        public, _ = zmq.curve_keypair()
        path = self.folder / f"{name}.key.new"
        path.write_text(text_of(public.decode(), None, {}))
        path.rename(self.folder / f"{name}.key")
        found = key_bytes(public)
        assert found is not None
        self.keys[name] = found

    def policies(self) -> Policies:
        return self.admission.policies(self.device)

    def names(self) -> set[str]:
        found = self.policies()["t/a.in"].keys
        assert found is not None
        return set(found.values())


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    found = Watched(tmp_path)
    yield found
    found.admission.close()


def test_keys_of_folders_and_files(watched: Watched) -> None:
    watched.key("clients/alice")
    watched.key("alone")
    (watched.folder / "clients" / "README").write_text("not a key")
    (watched.folder / "users").write_text("bob = p\n")
    policies = watched.policies()
    assert policies["t/a.in"].keys == {watched.keys["clients/alice"]: "alice", watched.keys["alone"]: "alone"}
    assert (policies["t/a.out"].keys, policies["t/a.out"].users) == (None, {"bob": "p"})


def test_two_keys_of_one_name(watched: Watched) -> None:
    watched.key("clients/alone")
    watched.key("alone")
    assert len(watched.policies()["t/a.in"].keys or {}) == 2


@pytest.mark.parametrize("change", [
    lambda watched: watched.key("clients/bob"), lambda watched: watched.key("clients/alice"),
    lambda watched: (watched.folder / "clients" / "alice.key").unlink(),
    lambda watched: (watched.folder / "users").write_text("bob = other\n"),
])
def test_a_change_is_noticed(watched: Watched, change: Callable[[Watched], object]) -> None:
    watched.key("clients/alice")
    watched.key("alone")
    (watched.folder / "users").write_text("bob = p\n")
    before = watched.policies()
    change(watched)
    watched.changes.get(timeout=5)
    assert watched.policies() != before


def test_what_cannot_be_used_any_more_holds_on_and_is_told_once(watched: Watched) -> None:
    watched.key("clients/alice")
    watched.key("alone")
    assert watched.names() == {"alice", "alone"}
    path = watched.folder / "clients" / "alice.key"
    path.write_text("curve\n    public-key = broken\n")
    assert watched.names() == watched.names() == {"alice", "alone"}
    told = [watched.problems.get(timeout=5) for _ in range(2)]
    assert sorted(told) == [
        f"{path} is not used: its public-key is not a key: 40 characters of Z85; what it had before still holds",
        f"{watched.folder}/users is not used: No such file or directory",
    ]
    path.unlink()
    assert watched.names() == {"alone"}
    assert watched.problems.empty()


@pytest.mark.parametrize(("make", "why"), [
    (lambda path: path.mkdir(), "it is a folder"), (os.mkfifo, "a pipe or a device and not a file"),
    (lambda path: path.write_bytes(b""), "it is not a certificate of CURVE"),
    (lambda path: path.symlink_to("nowhere"), "No such file or directory"),
    (lambda path: path.write_bytes(bytes((1 << 20) + 1)), "more than 1 MiB"),
])
def test_other_things_in_the_folder(watched: Watched, make: Callable[[Path], object], why: str) -> None:
    watched.key("alone")
    (watched.folder / "users").write_text("bob = p\n")
    make(watched.folder / "clients" / "odd.key")
    assert watched.names() == {"alone"}
    assert watched.problems.get(timeout=5).startswith(f"{watched.folder}/clients/odd.key is not used: {why}")


def test_a_folder_that_is_gone(watched: Watched) -> None:
    watched.key("alone")
    (watched.folder / "clients").rmdir()
    assert watched.names() == {"alone"}
    told = {watched.problems.get(timeout=5) for _ in range(2)}
    assert f"nobody of {watched.folder}/clients may connect: No such file or directory" in told
