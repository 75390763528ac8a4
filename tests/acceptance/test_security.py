"""Who may connect: profiles of the file, with real clients that have a key, the wrong one, or none."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.auth
from zmq.utils import z85

from .conftest import Control, Up

TOPOLOGY = """
security:
  lan: {curve: keys/broker.key_secret, allow: keys/clients/}
devices:
  jobs:
    type: streamer
    security: lan
    in: {bind: "tcp://127.0.0.1:*"}
    out: {bind: "tcp://127.0.0.1:*"}
"""


@pytest.fixture
def keys(tmp_path: Path, zmqtopo: Callable[..., Any]) -> Callable[[str], Path]:
    """Make a certificate in the folder of the topology; the path of its public key."""
    def new(name: str) -> Path:
        made = zmqtopo("keys", "new", f"keys/{name}")
        assert made.returncode == 0, made.stderr
        return tmp_path / "keys" / f"{name}.key"

    new("broker")
    (tmp_path / "keys" / "clients").mkdir()
    return new


def allow(public: Path) -> Path:
    """Let the owner of a key in."""
    return Path(shutil.copy(public, public.parent / "clients" / public.name))


class Client:
    """A program with pyzmq that sends to jobs.in, secured as it is told."""

    def __init__(self, net: Any, up: Up, **options: bytes) -> None:
        self.socket = net.socket(zmq.PUSH)
        for name, value in options.items():
            self.socket.set(getattr(zmq, name.upper()), value)
        self.socket.connect(up.address("jobs.in"))
        self.socket.send(b"from it")


def client(net: Any, up: Up, folder: Path, name: str, server: str = "broker") -> Client:
    public, secret = zmq.auth.load_certificate(folder / "keys" / f"{name}.key_secret")
    known, _ = zmq.auth.load_certificate(folder / "keys" / f"{server}.key")
    return Client(net, up, curve_publickey=public, curve_secretkey=secret, curve_serverkey=known)


@pytest.fixture
def reader(net: Any, tmp_path: Path) -> Callable[[Up], Any]:
    """Somebody allowed who reads what jobs.out sends; its key is in the folder by then."""
    def connect(up: Up) -> Any:
        public, secret = zmq.auth.load_certificate(tmp_path / "keys" / "reader.key_secret")
        known, _ = zmq.auth.load_certificate(tmp_path / "keys" / "broker.key")
        socket = net.socket(zmq.PULL)
        socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = public, secret, known
        socket.connect(up.address("jobs.out"))
        return socket

    return connect


@pytest.mark.parametrize("run", ["thread", "process"])
def test_who_may_and_who_may_not(
    keys: Callable[[str], Path], start: Callable[..., Up], reader: Callable[[Up], Any], net: Any, tmp_path: Path,
    control: Control, run: str,
) -> None:
    for name in ("alice", "reader"):
        allow(keys(name))
    keys("mallory")
    keys("elsewhere")
    up = start(TOPOLOGY.replace("type: streamer", f"type: streamer\n    run: {run}")).ready()
    sink = reader(up)
    client(net, up, tmp_path, "mallory")
    up.wait_for("jobs: in: 127.0.0.1 was refused: its key ")
    client(net, up, tmp_path, "alice", server="elsewhere")
    Client(net, up)
    client(net, up, tmp_path, "alice")
    assert sink.recv() == b"from it"
    assert not sink.poll(300)
    assert control.ps()["jobs"]["security"] == {"in": "curve", "out": "curve", "mon": None}
    assert "in tcp://127.0.0.1" in control("ps", "-o", "wide")
    assert "(curve)" in control("ps", "-o", "wide")
    up.stop()


def spellings(path: Path) -> set[bytes]:
    """The secret key of a certificate as it might be seen: Z85, bytes, hexadecimal and base64."""
    _, secret = zmq.auth.load_certificate(path)
    assert secret is not None
    raw = z85.decode(secret)
    return {secret, raw, raw.hex().encode(), raw.hex().upper().encode(), base64.b64encode(raw)[:40]}


def test_secrets_are_nowhere_but_in_their_files(
    keys: Callable[[str], Path], start: Callable[..., Up], zmqtopo: Callable[..., Any], net: Any, tmp_path: Path
) -> None:
    (tmp_path / "users").write_text("alice = open sesame 4711\n")
    text = TOPOLOGY.replace("security: lan\n", "run: process\n").replace(
        'in: {bind: "tcp://127.0.0.1:*"}', 'in: {bind: "tcp://127.0.0.1:*", security: lan}').replace(
        'out: {bind: "tcp://127.0.0.1:*"}', 'out: {bind: "tcp://127.0.0.1:*", security: users}').replace(
        "security:\n", "security:\n  users: {plain: users}\n", 1)
    allow(keys("alice"))
    up = start(text, name="it").ready()
    client(net, up, tmp_path, "alice")
    secrets = {b"open sesame 4711", *spellings(tmp_path / "keys" / "broker.key_secret")}
    (tmp_path / "it.yaml").write_text(text)
    for words in (["config", "it.yaml"], ["graph", "it.yaml"], ["graph", "--format", "json", "it.yaml"],
                  ["validate", "--probe", "it.yaml"], ["ps", "it", "--format", "json"], ["ps", "it", "-o", "wide"],
                  ["logs", "it", "--format", "json"], ["keys", "list", "keys"], ["keys", "verify", "it.yaml"],
                  ["reload", "it", "it.yaml", "--dry-run", "--format", "json"]):
        done = zmqtopo(*words)
        seen = (done.stdout + done.stderr).encode()
        assert seen, words
        assert not any(secret in seen for secret in secrets), words
    for pid in (up.process.pid, *up.workers()):
        for name in ("cmdline", "environ", "comm"):
            seen = Path(f"/proc/{pid}/{name}").read_bytes()
            assert not any(secret in seen for secret in secrets), name
    for path in tmp_path.rglob("*"):
        if path.is_file() and "keys" not in path.parts and path.name != "users":
            seen = path.read_bytes()
            assert not any(secret in seen for secret in secrets), path
    up.stop()
    assert not any(secret in up.said.encode() for secret in secrets)


def test_a_key_that_is_added_is_let_in_and_one_that_is_removed_is_not(
    keys: Callable[[str], Path], start: Callable[..., Up], reader: Callable[[Up], Any], control: Control, net: Any,
    tmp_path: Path,
) -> None:
    allow(keys("reader"))
    keys("alice")
    up = start(TOPOLOGY).ready()
    sink = reader(up)
    first = client(net, up, tmp_path, "alice")
    up.wait_for("jobs: in: 127.0.0.1 was refused: its key ")
    allowed = allow(tmp_path / "keys" / "alice.key")
    assert sink.recv() == b"from it"
    allowed.unlink()

    def refused() -> int:
        return int(control.ps()["jobs"]["handshake_failures"]["in"]["auth"])

    before = refused()
    later = [first]

    def comes_in_vain() -> bool:
        later.append(client(net, up, tmp_path, "alice"))
        return refused() > before

    net.until(comes_in_vain)
    while sink.poll(0):     # of those who came before the file was looked at again
        sink.recv()
    client(net, up, tmp_path, "alice")
    net.until(lambda: refused() > before + 1)
    assert not sink.poll(0)
    up.stop()


def test_a_broken_key_keeps_what_was(
    keys: Callable[[str], Path], start: Callable[..., Up], reader: Callable[[Up], Any], net: Any, tmp_path: Path
) -> None:
    for name in ("alice", "reader"):
        allow(keys(name))
    up = start(TOPOLOGY).ready()
    sink = reader(up)
    (tmp_path / "keys" / "clients" / "alice.key").write_text("curve\n    public-key = \"too short\"\n")
    up.wait_for("is not used: its public-key is not a key: 40 characters of Z85; what it had before still holds")
    (tmp_path / "keys" / "clients" / "new.key").mkdir()
    up.wait_for("new.key is not used: it is a folder")
    client(net, up, tmp_path, "alice")
    assert sink.recv() == b"from it"
    up.stop()


def test_references_know_each_other(
    keys: Callable[[str], Path], start: Callable[..., Up], control: Control, net: Any, tmp_path: Path
) -> None:
    """Devices of one file need no entry in a folder, in whatever process they are."""
    allow(keys("alice"))
    keys("second")
    up = start("""
security:
  lan: {curve: keys/broker.key_secret, allow: keys/clients/}
  inner: {curve: keys/second.key_secret}
devices:
  jobs: {type: streamer, security: lan, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}
  beside: {type: streamer, in: {connect: jobs.out, security: inner}, out: {bind: "inproc://x", security: lan}}
  third: {type: streamer, in: {connect: beside.out}, out: {bind: "tcp://127.0.0.1:*"}}
""").ready()
    sink = net.socket(zmq.PULL, connect=up.address("third.out"))
    client(net, up, tmp_path, "alice")
    assert sink.recv() == b"from it"
    up.stop()


def test_plain_and_addresses_and_users(start: Callable[..., Up], net: Any, tmp_path: Path) -> None:
    (tmp_path / "users").write_text("# those who may\nalice = open sesame\n")
    up = start("""
security:
  users: {plain: users}
  near: {allow_ips: [127.0.0.0/8, "::1"]}
  far: {allow_ips: 10.0.0.0/8}
  me: {allow_uids: UID}
  others: {allow_uids: 4294967294}
devices:
  jobs:
    type: streamer
    in: {bind: "tcp://127.0.0.1:*", security: users}
    out: {bind: "tcp://127.0.0.1:*", security: near}
  away: {type: streamer, in: {bind: "tcp://127.0.0.1:*", security: far}, out: {bind: "tcp://127.0.0.1:*"}}
  mine: {type: streamer, in: {bind: "ipc://mine", security: me}, out: {bind: "ipc://not-mine", security: others}}
""".replace("UID", str(os.getuid()))).ready()
    sink = net.socket(zmq.PULL, connect=up.address("jobs.out"))
    Client(net, up, plain_username=b"alice", plain_password=b"open barley")
    up.wait_for("jobs: in: 127.0.0.1 was refused: the password of user 'alice' is wrong")
    Client(net, up, plain_username=b"bob", plain_password=b"open sesame")
    up.wait_for("jobs: in: 127.0.0.1 was refused: user 'bob' is not known")
    Client(net, up, plain_username=b"alice", plain_password=b"open sesame")
    assert sink.recv() == b"from it"
    net.socket(zmq.PUSH, connect=up.address("away.in"))
    up.wait_for("away: in: 127.0.0.1 was refused: its address is not in allow_ips")
    net.socket(zmq.PULL, connect=f"ipc://{tmp_path}/not-mine")
    up.wait_for(f"mine: out: localhost:{os.getuid()}:")
    push = net.socket(zmq.PUSH, connect=f"ipc://{tmp_path}/mine")
    push.send(b"through ipc")
    up.stop()
    assert "open sesame" not in up.said
    assert "mine: in:" not in up.said


def test_files_of_keys(zmqtopo: Callable[..., Any], tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        made = zmqtopo("keys", "new", "keys/alice")
    finally:
        os.umask(umask)
    assert made.returncode == 0
    secret = tmp_path / "keys" / "alice.key_secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    public, hidden = zmq.auth.load_certificate(secret)
    assert zmq.curve_public(hidden) == public
    assert hidden.decode() not in made.stdout + made.stderr
    again = zmqtopo("keys", "new", "keys/alice")
    assert (again.returncode, zmq.auth.load_certificate(secret)) == (1, (public, hidden))
    assert "already exists" in again.stderr
    shown = zmqtopo("keys", "show", "keys/alice.key_secret")
    assert shown.stdout == f"{public.decode()}\n"
    # Those of pyzmq are read, and that others can read the secret one is told.
    zmq.auth.create_certificates(tmp_path / "keys", "theirs")
    (tmp_path / "keys" / "theirs.key_secret").chmod(0o644)
    listed = zmqtopo("keys", "list", "keys").stdout
    assert "others can read its secret key: chmod 600" in listed
    assert listed.count(public.decode()) == 1
    assert zmqtopo("keys", "show", "keys/alice").stdout == shown.stdout
    assert hidden.decode() not in listed
    assert zmqtopo("keys", "new", "keys/a b").returncode == 2
    assert zmqtopo("keys", "show", "keys").returncode == 1
    gone = zmqtopo("keys", "show", "nope")
    assert (gone.returncode, gone.stderr) == (1, "zmqtopo: error: cannot read nope: No such file or directory\n")
    gone = zmqtopo("keys", "list", "nope")
    assert (gone.returncode, gone.stderr) == (1, "zmqtopo: error: cannot list nope: No such file or directory\n")


def test_verify(keys: Callable[[str], Path], zmqtopo: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(TOPOLOGY)
    empty = zmqtopo("keys", "verify", "t.yaml")
    assert empty.returncode == 1
    assert "there is no key in " in empty.stdout
    allow(keys("alice"))
    assert zmqtopo("keys", "verify", "t.yaml").stdout == "all keys are there and fit\n"
    (tmp_path / "keys" / "broker.key_secret").chmod(0o640)
    assert "whose mode is 0640" in zmqtopo("keys", "verify", "t.yaml").stdout
    (tmp_path / "keys" / "broker.key_secret").unlink()
    gone = zmqtopo("keys", "verify", "t.yaml")
    assert gone.returncode == 1
    assert "No such file" in gone.stdout


def test_who_was_refused_is_let_in_when_the_key_comes(
    keys: Callable[[str], Path], start: Callable[..., Up], reader: Callable[[Up], Any], net: Any, tmp_path: Path
) -> None:
    """libzmq holds a refused connection for its handshake time; it is cut when the keys change."""
    allow(keys("reader"))
    keys("alice")
    up = start(TOPOLOGY).ready()
    sink = reader(up)
    client(net, up, tmp_path, "alice")
    up.wait_for("jobs: in: 127.0.0.1 was refused: its key ")
    allow(tmp_path / "keys" / "alice.key")
    assert sink.poll(3000)
    assert sink.recv() == b"from it"
    up.stop()


def test_who_is_let_in_is_told_from_who_is_not(
    keys: Callable[[str], Path], start: Callable[..., Up], control: Control, net: Any, tmp_path: Path
) -> None:
    """They come at once, and libzmq holds both; what monitors tell has neither's address."""
    allow(keys("alice"))
    keys("mallory")
    up = start(TOPOLOGY, name="it").ready()
    alice, mallory = (client(net, up, tmp_path, name) for name in ("alice", "mallory"))
    up.wait_for("jobs: in: 127.0.0.1 was refused: its key ")

    def states() -> list[str]:
        return sorted(peer["state"] for peer in json.loads(control("peers", "--format", "json")))

    net.until(lambda: states() == ["connected", "handshake"])
    allow(tmp_path / "keys" / "mallory.key")        # who was let in stays, and who was refused is cut and comes again
    net.until(lambda: states() == ["connected", "connected"])
    assert control.ps()["jobs"]["peers"]["in"] == 2
    assert "peer-disconnected" not in up.said
    assert alice.socket is not mallory.socket
    up.stop()


def test_a_revoked_key_is_cut_off(
    keys: Callable[[str], Path], start: Callable[..., Up], control: Control, zmqtopo: Callable[..., Any], net: Any,
    tmp_path: Path,
) -> None:
    for name in ("alice", "bob"):
        allow(keys(name))
    up = start(TOPOLOGY, name="it").ready()
    clients = [client(net, up, tmp_path, name) for name in ("alice", "bob")]

    def users() -> list[str | None]:
        return sorted(str(peer["user"]) for peer in json.loads(control("peers", "--format", "json"))
                      if peer["state"] == "connected")

    net.until(lambda: users() == ["alice", "bob"])
    assert "alice" in control("peers")
    wrong = zmqtopo("keys", "revoke", "it", "alise")
    assert (wrong.returncode, "did you mean alice?" in wrong.stderr) == (2, True)
    done = zmqtopo("keys", "revoke", "it", "alice")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("alice gets in no more; 1 connection cut\n")
    assert (tmp_path / "keys" / "clients" / "alice.key.revoked").exists()
    up.wait_for("jobs: in: 127.0.0.1 was refused: its key ")
    assert users() == ["bob"]
    assert len(clients) == 2
    assert zmqtopo("keys", "revoke", "elsewhere", "alice").returncode == 69
    up.stop()
