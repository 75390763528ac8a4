"""Who may connect to the ipc paths of a topology: their mode and their group, from the first moment."""

from __future__ import annotations

import errno
import grp
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.acceptance.conftest import Up
from zmqtopo.broker.ipc import Access, listen

QUEUE = """
name: it
devices:
  q:
    type: streamer
    run: {run}
    in: {{bind: ["ipc://{folder}/in", "tcp://127.0.0.1:*"], {in_}}}
    out: {{bind: "ipc://*", {out}}}
"""
OWN = grp.getgrgid(os.getegid()).gr_name


def permissions(address: str | Path) -> str:
    path = Path(str(address).removeprefix("ipc://"))
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


@pytest.mark.parametrize("run", ["thread", "process"])
def test_the_mode_holds_through_restart_and_reload(start: Callable[..., Up], control: Any, tmp_path: Path, net: Any,
                                                   run: str) -> None:
    """In spite of the umask, which would leave more to some and less to others."""
    def text(mode: str) -> str:
        return QUEUE.format(run=run, folder=tmp_path, in_=f'mode: "{mode}"', out=f"group: {OWN}")

    up = start(text("0606"), preexec_fn=lambda: os.umask(0o077)).ready()
    chosen = up.address("q.out")
    assert permissions(tmp_path / "in") == "0606"
    assert permissions(chosen) == "0660"
    assert permissions(Path(chosen.removeprefix("ipc://")).parent) == "0710"
    control("restart")
    assert (permissions(tmp_path / "in"), permissions(chosen)) == ("0606", "0660")
    assert permissions(Path(chosen.removeprefix("ipc://")).parent) == "0710"
    (tmp_path / "it.yaml").write_text(text("0640"))
    assert "q.in.mode 0606 -> 0640" in control("reload")
    assert permissions(tmp_path / "in") == "0640"
    push = net.socket(zmq.PUSH, connect=f"ipc://{tmp_path}/in")
    push.send(b"x")
    assert net.receive(net.socket(zmq.PULL, connect=chosen)) == [b"x"]
    up.stop()
    assert not (tmp_path / "in").exists()


def test_without_a_mode_the_umask_decides(start: Callable[..., Up], tmp_path: Path) -> None:
    up = start(QUEUE.format(run="thread", folder=tmp_path, in_="options: {}", out="options: {}"),
               preexec_fn=lambda: os.umask(0o027)).ready()
    assert permissions(tmp_path / "in") == "0750"
    up.stop()


def test_a_group_that_is_not_there(zmqtopo: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_text(QUEUE.format(run="thread", folder=tmp_path, in_="group: no-such-group", out=""))
    done = zmqtopo("up", "it.yaml")
    assert done.returncode != 0
    assert "q.in has the group 'no-such-group', which is not on this machine" in done.stderr
    assert "[unknown-group]" in done.stderr
    assert not (tmp_path / "in").exists()
    assert zmqtopo("validate", "it.yaml").returncode == 0
    assert zmqtopo("validate", "--probe", "it.yaml").returncode == 1


@pytest.mark.parametrize(("access", "words"), [
    (Access(0o660, "no-such-group"), "there is no group no-such-group on this machine"),
    (Access(0o660, 2**32), "cannot give it to the group 4294967296"),
])
def test_what_cannot_be_set_leaves_nothing(tmp_path: Path, access: Access, words: str) -> None:
    with pytest.raises(OSError, match=words):
        listen(f"ipc://{tmp_path}/x", 1, access)
    assert not (tmp_path / "x").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_no_permission_to_give_it_to_a_group(tmp_path: Path) -> None:
    program = """
import grp, os
from zmqtopo.broker.ipc import Access, listen
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    listen("ipc://x", 1, Access(0o660, 0))
except OSError as error:
    print(error.strerror)
"""
    tmp_path.chmod(0o777)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "cannot give it to the group 0: Operation not permitted\n"
    assert not (tmp_path / "x").exists()


def test_nobody_connects_before_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the moment at which the permissions are set nobody listens, so it does not matter what they were."""
    path, answers = tmp_path / "x", []

    def apply(self: Access, path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as visitor:
            answers.append(visitor.connect_ex(str(path)))
        original(self, path)

    original = Access.apply
    monkeypatch.setattr(Access, "apply", apply)
    listen(f"ipc://{path}", 1, Access(0o600)).close()
    assert answers == [errno.ECONNREFUSED]
    assert permissions(path) == "0600"
