"""The state folder: found from every environment of its user, and back when somebody has removed it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from zmqtopo.control.ended import RECORD

from .brokers import ANY
from .conftest import COMMAND, DEADLINE, Up

A = f"devices:\n  a: {{type: streamer, in: {ANY}, out: {ANY}}}\n"
VARIABLES = ("ZMQTOPO_STATE_DIR", "XDG_RUNTIME_DIR", "TMPDIR", "TEMP", "TMP")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command with no other variables that say where something is."""
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES} | environment
    return subprocess.run([*COMMAND, *arguments], env=env, capture_output=True, text=True, check=False,
                          timeout=6 * DEADLINE)


@pytest.mark.parametrize("what", ["", "zmqtopo", "zmqtopo/it", "zmqtopo/it/control", "zmqtopo/it/pid"])
def test_what_is_removed_comes_back(
    start: Callable[..., Up], zmqtopo: Any, control: Any, state_folders: Path, what: str
) -> None:
    up = start(A).ready()
    path = state_folders / what
    if path.is_dir():
        for inner in [path] if what else path.iterdir():
            shutil.rmtree(inner)
    else:
        path.unlink()
    up.wait_for(f"its state folder was removed, and is {state_folders}/zmqtopo/it now")
    assert control.states() == {"a": "running"}
    logged = control("logs")
    assert ["ready, 1 device in" in logged, "its state folder was removed" in logged] == [True, True]
    assert "running already" in zmqtopo("up", "it.yaml").stderr
    control("down")
    up.end(0)
    assert [path.name for path in (state_folders / "zmqtopo").iterdir()] == [RECORD]


def test_it_moves_where_it_can_be_when_its_place_is_gone(start: Callable[..., Up], tmp_path: Path) -> None:
    """As when systemd removes /run/user/UID at the last logout."""
    login, temporary = tmp_path / "login", tmp_path / "tmp"
    login.mkdir()
    temporary.mkdir()
    where = {"XDG_RUNTIME_DIR": str(login), "TMPDIR": str(temporary), "ZMQTOPO_STATE_DIR": ""}
    up = start(A, env=where).ready()
    shutil.rmtree(login)
    moved = temporary / f"zmqtopo-{os.geteuid()}"
    up.wait_for(f"its state folder was removed, and is {moved}/it now")
    assert moved.stat().st_mode & 0o777 == 0o700
    login.mkdir()       # the next login
    assert "1 of 1" in run("ps", "-a", **where).stdout
    assert run("down", "it", **where).returncode == 0
    up.end(0)
    assert [path.name for path in moved.iterdir()] == [RECORD]


def test_cron_and_a_login_see_the_same(tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_text(A)
    (tmp_path / "login").mkdir()
    cron = {"TMPDIR": str(tmp_path)}
    login = {"XDG_RUNTIME_DIR": str(tmp_path / "login"), **cron}
    for one, other in ((login, login), (cron, login)):
        started = run("up", "-d", str(tmp_path / "it.yaml"), **one)
        try:
            assert started.returncode == 0, started.stderr
            assert "1 of 1" in run("ps", "-a", **other).stdout
            assert run("logs", "it", **other).returncode == 0
            again = run("up", str(tmp_path / "it.yaml"), **other)
            assert (again.returncode, "running already" in again.stderr) == (1, True)
        finally:
            assert run("down", "it", **other).returncode == 0
    chosen = run("ps", ZMQTOPO_STATE_DIR=str(tmp_path / "login"), **cron)
    assert (chosen.returncode, chosen.stderr) == (
        69, f"zmqtopo: error: no topology is running; looked in {tmp_path}/login/zmqtopo\n")


VERBS = [["ps"], ["ps", "it"], ["down", "it"], ["logs", "it"], ["stop", "it"], ["start", "it"], ["restart", "it"],
         ["pause", "it"], ["resume", "it"], ["reload", "it"]]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_without_any_folder_nothing_is_running(verb: list[str], tmp_path: Path) -> None:
    done = run(*verb, ZMQTOPO_STATE_DIR=str(tmp_path / "nowhere"))
    assert (done.returncode, done.stdout) == (69, "")
    assert "not running" in done.stderr or "no topology is running" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    relative = run(*verb, ZMQTOPO_STATE_DIR="state")
    assert (relative.returncode, relative.stderr) == (
        1, "zmqtopo: error: ZMQTOPO_STATE_DIR is not an absolute path; set it to one, or unset it\n")


@pytest.mark.parametrize("variable", ["ZMQTOPO_STATE_DIR", "XDG_RUNTIME_DIR"])
@pytest.mark.parametrize(("is_file", "remedy"), [
    (False, "which does not exist: make that folder, or set it to another one"),
    (True, "which is not a folder: set it to one"),
])
def test_a_variable_that_names_no_folder_is_the_cause(
    tmp_path: Path, variable: str, is_file: bool, remedy: str
) -> None:
    (tmp_path / "it.yaml").write_text(A)
    named = tmp_path / "state"
    if is_file:
        named.touch()
    for verb in (["up"], ["up", "-d"]):
        done = run(*verb, str(tmp_path / "it.yaml"), **{variable: str(named)})
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.endswith(f"; {variable} is {named}, {remedy}\n")
        assert done.stderr.startswith(f"zmqtopo: error: cannot use the state folder {named}/zmqtopo/it: ")


NO_PLACE = """
import sys
from pathlib import Path
from zmqtopo.control import places
places.RUN_USER, places.SYSTEM_TEMPORARY = Path("/none"), ()
from zmqtopo.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize("verb", [["up", "it.yaml"], ["up", "-d", "it.yaml"], *VERBS, ["completion", "bash", "ps", ""]],
                         ids=" ".join)
def test_without_a_folder_that_can_be_written_to(verb: list[str], tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_text(A)
    program = tmp_path / "program.py"
    program.write_text(NO_PLACE)
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    if verb[:2] == ["up", "-d"]:
        env["ZMQTOPO_STATE_DIR"] = str(tmp_path / "nowhere")    # the process in the background is not patched
    done = subprocess.run([*COMMAND[:1], str(program), *verb], cwd=tmp_path, env=env, capture_output=True, text=True,
                          check=False, timeout=6 * DEADLINE)
    assert "Traceback" not in done.stderr
    assert done.returncode == {"up": 1, "completion": 0}.get(verb[0], 69)
    assert len(done.stderr.splitlines()) == (0 if verb[0] == "completion" else 1)
    if verb[0] == "up":
        assert done.stderr.startswith("zmqtopo: error: ")
        assert done.stderr.endswith("; set ZMQTOPO_STATE_DIR to a folder of your own\n" if verb[1:2] != ["-d"] else
                                    "which does not exist: make that folder, or set it to another one\n")


# -- what is left of a run that did not end as it was told to ----------------------------------------------------------


def test_what_was_killed_is_told_and_its_log_kept(start: Callable[..., Up], zmqtopo: Any, control: Any) -> None:
    up = start(A).ready()
    pid = up.process.pid
    up.process.kill()
    up.process.wait(DEADLINE)
    done = zmqtopo("ps", "-a")
    assert (done.returncode, f" {pid} " in done.stdout, "killed, or crashed" in done.stdout) == (69, True, True)
    one, = json.loads(zmqtopo("ps", "--all", "--format", "json").stdout)
    assert (one["topology"], one["pid"], one["ended"]["how"]) == ("it", pid, "killed, or crashed")
    assert "ready, 1 device in" in zmqtopo("logs", "it", "--previous").stdout
    with socket.create_server(("127.0.0.1", 0)) as server:      # an attempt that fails takes nothing away
        port = server.getsockname()[1]
        assert start(A.replace("127.0.0.1:*", f"127.0.0.1:{port}", 1)).end(1)
        assert "ready, 1 device in" in zmqtopo("logs", "it", "--previous").stdout
    again = start(A).ready()
    logged = control("logs", "--previous")
    assert ("ready, 1 device in" in logged, "stopped;" in logged) == (True, False)
    states = [(one["pid"], one["ended"] and one["ended"]["how"])
              for one in json.loads(zmqtopo("ps", "-a", "--format", "json").stdout)]
    assert states == [(again.process.pid, None), (pid, "killed, or crashed")]
    assert control("logs", "--previous", "a", code=0).count("zmqtopo") == 0
    control("down")
    again.end(0)
    one, = json.loads(zmqtopo("ps", "-a", "--format", "json").stdout)
    assert (one["pid"], one["ended"]["how"]) == (again.process.pid, "cleanly")
    assert zmqtopo("logs", "it", "--previous").returncode == 69


def test_a_clean_end_is_told_too(start: Callable[..., Up], zmqtopo: Any, control: Any, tmp_path: Path) -> None:
    first = start(A).ready()
    control("down")
    first.end(0)
    second = start(A).ready()
    second.process.send_signal(signal.SIGINT)
    second.end(0)
    started = datetime.fromtimestamp(time.time(), UTC)
    other = start(A, name="other").ready()
    done = zmqtopo("ps", "-a", "--format", "json")
    running, ended = json.loads(done.stdout)
    assert (done.returncode, running["topology"], running["ended"]) == (0, "other", None)
    assert (ended["topology"], ended["pid"], ended["ended"]["how"]) == ("it", second.process.pid, "cleanly")
    assert ended["file"] == str(tmp_path / "it.yaml")
    assert abs(datetime.fromisoformat(ended["ended"]["time"]) - started) < timedelta(seconds=DEADLINE)
    assert f"ended {ended['ended']['time']}: cleanly" in zmqtopo("ps", "-a").stdout
    other.stop()


def test_what_failed_in_the_background_is_told(in_background: Any, zmqtopo: Any, control: Any, net: Any) -> None:
    in_background(A.replace("type: streamer", "type: streamer, run: process, restart: never"))
    pid = control.ps()["a"]["pid"]
    assert zmqtopo("logs", "it", "--previous").returncode == 1
    os.kill(pid, signal.SIGKILL)
    ended = net.until(lambda: [one for one in json.loads(zmqtopo("ps", "-a", "--format", "json").stdout or "[]")
                               if one["ended"]])
    assert ended[0]["ended"]["how"] == "a device failed for good"
    assert "failed" in zmqtopo("logs", "it", "--previous").stdout
    done = zmqtopo("ps", "it", "-a")
    assert (done.returncode, "a device failed for good" in done.stdout) == (69, True)
    assert zmqtopo("ps", "other", "-a").stdout == ""
