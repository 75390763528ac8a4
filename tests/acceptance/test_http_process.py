"""What becomes of the process that serves HTTP, and of the devices beside it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from .conftest import DEADLINE, Up, children
from .test_http import TOPOLOGY, Run, Site

Start = Callable[..., Up]

MODULE = b"zmqtopo.observe.web"


def web(up: Up) -> int | None:
    """The process that serves HTTP."""
    for pid in children(up.process.pid):
        try:
            if MODULE in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        except OSError:
            continue
    return None


def other(up: Up, before: int | None) -> int:
    """Wait for another process to serve HTTP."""
    deadline = time.monotonic() + 2 * DEADLINE
    while (pid := web(up)) in (None, before):
        assert time.monotonic() < deadline
    assert pid is not None
    return pid


def relays(net: Any, up: Up, messages: int = 100) -> None:
    push = net.socket(zmq.PUSH, connect=up.address("jobs.in"))
    pull = net.socket(zmq.PULL, connect=up.address("jobs.out"))
    for number in range(messages):
        push.send(b"%d" % number)
        assert pull.poll(DEADLINE * 1000)
        assert pull.recv() == b"%d" % number
    push.close()
    pull.close()


def test_it_is_killed_and_comes_back_and_devices_do_not_notice(start: Start, net: Any) -> None:
    up = start(TOPOLOGY).ready()
    site = Site(up)
    before = json.loads(site.get("/api/status"))[0]["devices"][0]
    pid = web(up)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    # A client of the meantime waits, and is served by the next one.
    assert site.get("/livez") == "ok\n"
    up.wait_for(f"http: its process {pid} was ended by signal 9; started again in")
    assert other(up, pid) != pid
    after = json.loads(site.get("/api/status"))[0]["devices"][0]
    assert (after["pid"], after["started"], after["restarts"]) == (before["pid"], before["started"], 0)
    relays(net, up)
    up.stop()


@pytest.mark.slow
def test_it_hangs_and_is_replaced_and_devices_do_not_notice(start: Start, net: Any) -> None:
    up = start(TOPOLOGY).ready()
    site = Site(up)
    site.get("/livez")
    pid = web(up)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    relays(net, up)
    up.wait_for(f"http: its process {pid} gave no sign of life for", within=3 * DEADLINE)
    assert other(up, pid) != pid
    assert site.get("/livez") == "ok\n"
    up.stop()


@pytest.mark.parametrize("stopped", [False, True])
def test_it_ends_with_its_supervisor(start: Start, stopped: bool) -> None:
    up = start(TOPOLOGY).ready()
    Site(up).get("/livez")
    pid = web(up)
    assert pid is not None
    if stopped:
        os.kill(pid, signal.SIGSTOP)
    up.send(signal.SIGKILL)
    up.process.wait(DEADLINE)
    deadline = time.monotonic() + DEADLINE
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, Path(f"/proc/{pid}/status").read_text()


def test_signals_for_everybody_are_for_the_supervisor(start: Start) -> None:
    up = start(TOPOLOGY).ready()
    site = Site(up)
    site.get("/livez")
    pid = web(up)
    assert pid is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    assert site.get("/livez") == "ok\n"
    assert web(up) == pid
    assert str(pid) not in up.stop()


def test_it_has_no_descriptors_but_its_own_and_comes_behind_the_devices(start: Start) -> None:
    up = start(TOPOLOGY).ready()
    Site(up).get("/metrics")
    pid = web(up)
    kinds = [str(fd.readlink()).split(":")[0].split("/")[-1] for fd in Path(f"/proc/{pid}/fd").iterdir()]
    # Standard ones; the line to the supervisor, the listener, a pair that wakes the loop, the control socket, and for
    # a moment longer the connection of the question.
    assert kinds.count("socket") <= 6
    assert {kind for kind in kinds if kind not in ("socket", "null", "pipe")} <= {"anon_inode"}
    assert int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[16]) > 0
    up.stop()


def test_secrets_of_the_file_do_not_reach_it(start: Start) -> None:
    secret = zmq.curve_keypair()[1].decode()
    options = f"{{curve_server: true, curve_secretkey: '{secret.replace('$', '$$')}'}}"
    up = start(TOPOLOGY.replace('in: {bind: "tcp://127.0.0.1:*"}',
                                f'in: {{bind: "tcp://127.0.0.1:*", options: {options}}}')).ready()
    site = Site(up)
    assert "jobs" in site.get("/api/graph")
    pid = web(up)
    found = subprocess.run(["grep", "-c", secret, f"/proc/{pid}/environ", f"/proc/{pid}/cmdline"],
                           capture_output=True, text=True, check=False)
    assert found.returncode == 1, found
    for path in ("/", "/api/status", "/api/graph", "/api/log", "/metrics"):
        assert secret not in site.get(path)
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb") as memory:
        for line in maps:
            where, mode, *_ = line.split()
            if mode.startswith("rw") and "[v" not in line:
                begin, end = (int(part, 16) for part in where.split("-"))
                memory.seek(begin)
                assert secret.encode() not in memory.read(end - begin)
    up.stop()


# -- what stands in its way ------------------------------------------------------------------------------------------


def test_a_port_in_use_ends_the_start_and_names_who_has_it(zmqtopo: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        (tmp_path / "it.yaml").write_text(TOPOLOGY.replace('"127.0.0.1:*"}\n', f'"127.0.0.1:{port}"}}\n', 1))
        done = zmqtopo("up", "it.yaml")
        assert done.returncode == 1
        assert f"it.yaml:2:16: error: http listens at 127.0.0.1:{port}, and the port is in use by" in done.stderr
        done = zmqtopo("up", "-d", "it.yaml", "--http", f"localhost:{port}")
        assert done.returncode == 1
        assert "the port is in use" in done.stderr
        assert zmqtopo("validate", "it.yaml").returncode == 0
        assert zmqtopo("validate", "--probe", "it.yaml").returncode == 1


@pytest.mark.parametrize(("address", "reason"), [
    ("nothing", "is not a valid address to listen at; write it as 127.0.0.1:9464"),
    ("9464", "has no host; write 127.0.0.1:9464"),
    (":9464", "has no host; write *:9464"),
    ("127.0.0.1:99999", "is over 65535"),
    ("127.0.0.1:http", "is not a valid port"),
    ("http://127.0.0.1:9464", "write 127.0.0.1:9464"),
    ("unix://relative", "needs an absolute path"),
    ("unix:///" + "a" * 200, "is longer than 103 bytes"),
    ("0.0.0.0:9464", "needs a token"),
    ("*:9464", "needs a token"),
    ("broker.lan:9464", "needs a token"),
    ("[::1", "is not a valid"),
    ("", "is not a valid address"),
])
def test_an_address_that_cannot_be_used(zmqtopo: Run, tmp_path: Path, address: str, reason: str) -> None:
    (tmp_path / "it.yaml").write_text(TOPOLOGY)
    for detach in ((), ("-d",)):
        done = zmqtopo("up", "it.yaml", f"--http={address}", *detach)
        assert done.returncode == 2, done
        assert reason in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "prometheus_client"])
def test_without_its_packages_it_says_what_installs_them(tmp_path: Path, package: str) -> None:
    """A folder before all others hides the package: find_spec of None says that there is none."""
    (tmp_path / "it.yaml").write_text(TOPOLOGY)
    hide = f"import sys; sys.modules[{package!r}] = None; from zmqtopo.cli import main; sys.exit(main())"
    for arguments in (["up", "it.yaml"], ["up", "it.yaml", "--http=127.0.0.1:*"]):
        done = subprocess.run([sys.executable, "-c", hide, *arguments], cwd=tmp_path, capture_output=True, text=True,
                              check=False, timeout=DEADLINE)
        assert done.returncode == 69, done
        assert "pip install 'zmqtopo[web]'" in done.stderr
        assert len(done.stderr.splitlines()) == 1


# -- reload ----------------------------------------------------------------------------------------------------------


def write(folder: Path, http_: str, more: str = "") -> None:
    (folder / "it.yaml").write_text(f"http: {http_}\n" + TOPOLOGY.partition("}\n")[2] + more)


def serves(url: str, path: str = "/livez") -> bool:
    connection = http.client.HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=DEADLINE)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_a_reload_changes_http_alone(start: Start, zmqtopo: Run, tmp_path: Path) -> None:
    up = start(TOPOLOGY).ready()
    first = Site(up)
    device = json.loads(first.get("/api/status"))[0]["devices"][0]
    pid = web(up)
    own = {"X-Zmqtopo": "1", "Origin": f"http://{first.host}"}
    assert first.ask("/api/devices/jobs/pause", "POST", own)[0] == 403

    write(tmp_path, "{listen: '127.0.0.1:*', control: true}")
    done = zmqtopo("reload", "it")
    assert done.returncode == 0, done
    assert "http.control" in done.stdout
    pid = other(up, pid)
    assert first.ask("/api/devices/jobs/resume", "POST", own)[0] == 200

    write(tmp_path, "'[::1]:*'" if socket.has_ipv6 else "'127.0.0.2:*'")
    assert zmqtopo("reload", "it").returncode == 0
    second = up.wait_for(" http at ").partition(" http at ")[2]
    assert second != first.url
    other(up, pid)
    assert not serves(first.url)

    (tmp_path / "it.yaml").write_text(TOPOLOGY.replace("http:", "x-http:"))
    assert zmqtopo("reload", "it").returncode == 0
    up.wait_for("http has ended")
    assert web(up) is None

    write(tmp_path, "'127.0.0.1:*'")
    assert zmqtopo("reload", "it").returncode == 0
    again = Site.__new__(Site)
    again.url = up.wait_for(" http at ").partition(" http at ")[2]
    again.host = again.url.removeprefix("http://").rstrip("/")
    now = json.loads(again.get("/api/status"))[0]["devices"][0]
    assert (now["pid"], now["started"]) == (device["pid"], device["started"])
    up.stop()


def test_a_reload_to_every_interface_of_the_same_port(start: Start, zmqtopo: Run, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x" * 20)
    up = start(TOPOLOGY).ready()
    site = Site(up)
    port = site.host.rpartition(":")[2]
    write(tmp_path, f"{{listen: '*:{port}', token: {{file: token}}}}")
    done = zmqtopo("reload", "it")
    assert done.returncode == 0, done
    up.wait_for(" http at ")
    assert site.get("/livez") == "ok\n"
    assert site.ask("/")[0] == 401
    up.stop()


def test_a_reload_that_cannot_have_its_address_changes_nothing(start: Start, zmqtopo: Run, tmp_path: Path) -> None:
    up = start(TOPOLOGY).ready()
    site = Site(up)
    with socket.create_server(("127.0.0.1", 0)) as holder:
        write(tmp_path, f"'127.0.0.1:{holder.getsockname()[1]}'",
              "  more: {type: streamer, in: {bind: 'tcp://127.0.0.1:*'}, out: {bind: 'tcp://127.0.0.1:*'}}\n")
        done = zmqtopo("reload", "it")
    assert done.returncode == 1, done
    assert "the port is in use" in done.stderr
    assert [device["name"] for device in json.loads(site.get("/api/status"))[0]["devices"]] == ["jobs"]
    up.stop()


def test_up_http_stays_when_the_file_is_reloaded(start: Start, zmqtopo: Run, tmp_path: Path) -> None:
    up = start(TOPOLOGY.replace("http:", "x-http:"), "--http", "127.0.0.1:*").ready()
    site = Site(up)
    write(tmp_path, "'127.0.0.1:1'",
          "  more: {type: streamer, in: {bind: 'tcp://127.0.0.1:*'}, out: {bind: 'tcp://127.0.0.1:*'}}\n")
    assert zmqtopo("reload", "it").returncode == 0
    deadline = time.monotonic() + DEADLINE
    while '"device:more"' not in site.get("/api/graph"):
        assert time.monotonic() < deadline
    assert len(json.loads(site.get("/api/status"))[0]["devices"]) == 2
    up.stop()


def test_it_finds_a_topology_whose_state_folder_was_made_again(
    start: Start, state_folders: Path, zmqtopo: Run
) -> None:
    up = start(TOPOLOGY).ready()
    site = Site(up)
    site.get("/api/status")
    subprocess.run(["rm", "-rf", str(state_folders / "zmqtopo")], check=True)
    assert site.get("/livez") == "ok\n"     # on the connection that it has
    os.kill(web(up) or 0, signal.SIGKILL)
    up.wait_for("its state folder was removed")
    site.until("/livez", 200)
    assert [device["name"] for device in json.loads(site.get("/api/status"))[0]["devices"]] == ["jobs"]
    up.stop()


def test_a_failed_device_is_not_ready_and_its_line_says_why(start: Start) -> None:
    up = start(TOPOLOGY + """
  other:
    type: streamer
    run: process
    restart: never
    in: {bind: "tcp://127.0.0.1:*"}
    out: {bind: "tcp://127.0.0.1:*"}
""").ready()
    site = Site(up)
    assert site.get("/readyz") == "ok\n"
    os.kill(up.worker("other"), signal.SIGKILL)
    text = site.until("/readyz", 503)
    assert re.fullmatch(r"other: failed: process \d+ ended by SIGKILL.*\n", text)
    assert site.get("/livez") == "ok\n"
    up.stop(code=1)
