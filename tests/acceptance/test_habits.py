"""What hands know from docker compose, systemctl and kubectl works here, or is answered with what does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

import zmqtopo as package

from .brokers import ANY
from .conftest import COMMAND, DEADLINE, Control, InTerminal, Up

Run = Callable[..., subprocess.CompletedProcess[str]]

A = f"devices:\n  a: {{type: streamer, in: {ANY}, out: {ANY}}}\n  b: {{type: queue, in: {ANY}, out: {ANY}}}\n"
BAD = "devices:\n  a: {type: streamer, in: {bind: tcp://*:5001}, out: {bind: tcp://*:5001}}\n"


@pytest.fixture
def several(tmp_path: Path, zmqtopo: Run) -> Iterator[Path]:
    """A folder for topologies that run in the background; they are ended after the test."""
    yield tmp_path
    zmqtopo("down", "--all", "--force")


# -- which file is meant ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["validate", "graph", "config"])
def test_topology_yaml_is_the_default_of_what_reads_a_file(zmqtopo: Run, tmp_path: Path, verb: str) -> None:
    done = zmqtopo(verb)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no topology.yaml in this folder; name a FILE" in done.stderr
    (tmp_path / "shop.yaml").write_text(A)
    (tmp_path / "other.yml").write_text(A)
    assert "did you mean other.yml or shop.yaml?" in zmqtopo(verb).stderr
    (tmp_path / "topology.yaml").write_text(A)
    named = zmqtopo(verb, "topology.yaml")
    assert (named.returncode, named.stderr) == (0, "")
    assert named.stdout
    for arguments in ((verb,), (verb, "topology"), (verb, "-f", "topology.yaml"), ("-f", "topology", verb),
                      (verb, "--file=topology.yaml"), ("--file", "topology.yaml", verb)):
        done = zmqtopo(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, named.stdout, ""), arguments


@pytest.mark.parametrize("verb", ["validate", "graph", "config", "up"])
def test_an_ending_may_be_left_out_where_that_is_clear(zmqtopo: Run, tmp_path: Path, verb: str) -> None:
    (tmp_path / "first.yml").write_text(BAD)
    assert "first.yml:2" in (done := zmqtopo(verb, "first")).stdout + done.stderr
    (tmp_path / "first.yaml").write_text(BAD)
    done = zmqtopo(verb, "first")
    assert (done.returncode, done.stdout) == (2, "")
    assert "first may be first.yaml or first.yml: name one" in done.stderr
    (tmp_path / "first").write_text(BAD)      # what is there is what is meant
    assert "first:2" in (done := zmqtopo(verb, "first")).stdout + done.stderr
    done = zmqtopo(verb, "none")
    assert "none:1:1: error: there is no such file" in done.stdout + done.stderr


def test_a_folder_is_validated_and_a_file_beside_it_runs(zmqtopo: Run, several: Path) -> None:
    (several / "first").mkdir()
    (several / "first" / "bad.yaml").write_text(BAD)
    (several / "first.yaml").write_text(A)
    assert zmqtopo("validate", "first").returncode == 1
    assert zmqtopo("up", "-d", "first").returncode == 0
    assert zmqtopo("down", "first").returncode == 0


def test_up_takes_the_file_of_the_folder_or_several_in_the_background(zmqtopo: Run, several: Path) -> None:
    (several / "topology.yaml").write_text(f"name: shop\n{A}")
    for name in ("one", "two", "bad"):
        (several / f"{name}.yaml").write_text(BAD if name == "bad" else A)
    done = zmqtopo("up", "-d")
    assert (done.returncode, done.stderr.splitlines()[0]) == (0, "zmqtopo: using ./topology.yaml")
    assert zmqtopo("up", "one.yaml", "two.yaml").stderr.endswith(
        "several topologies run in the background only: add -d\n")
    assert zmqtopo("up", "-d", "one", "two", "--name", "x").stderr.endswith("--name is for one file\n")
    done = zmqtopo("up", "-d", "one", "bad", "two.yaml", "-q")
    assert (done.returncode, ": ready" in done.stderr, "bad.yaml:2" in done.stderr) == (78, False, True)
    assert zmqtopo("ps", "-q").stdout == "one\nshop\ntwo\n"
    assert zmqtopo("-f", "one", "up", "-d").stderr.startswith("zmqtopo: error: a topology one is running already as")


def test_a_second_copy_under_another_name(zmqtopo: Run, several: Path) -> None:
    (several / "it.yaml").write_text(A)
    for name in ("it", "copy"):
        assert zmqtopo("up", "-d", "it.yaml", "--name", name).returncode == 0
    done = zmqtopo("up", "-d", "it.yaml", "--name", "copy")
    assert (done.returncode, "with --name and another name" in done.stderr) == (1, True)
    for bad in ("no name", "", "a/b", "x" * 300):
        assert zmqtopo("up", "it.yaml", "--name", bad).returncode == 2
    done = zmqtopo("down", "it.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "zmqtopo: error: 'it.yaml' runs as copy and it; name the one that is meant\n"
    (several / "it.yaml").write_text(A.replace("type: queue", "type: forwarder"))
    for name in ("it", "copy"):
        assert zmqtopo("reload", name).returncode == 0
        (topology,) = json.loads(zmqtopo("ps", name, "-o", "json").stdout)
        assert (topology["topology"], topology["devices"][1]["type"]) == (name, "forwarder")
    assert zmqtopo("down", "copy").returncode == 0
    assert zmqtopo("down", "it.yaml").returncode == 0


# -- which topology is meant -----------------------------------------------------------------------------------------


def test_without_a_name_the_only_one_that_runs_is_meant_and_that_is_said(
    start: Callable[..., Up], zmqtopo: Run, several: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for verb in ("stop", "down", "ps", "logs", "reload"):
        done = zmqtopo(verb)
        assert (done.returncode, done.stdout) == (69, "")
        assert done.stderr.startswith("zmqtopo: error: no topology is running; looked in ")
    up = start(A).ready()
    said = "zmqtopo: it (the one of this folder that runs)\n"
    for verb, state in (("pause", "paused"), ("resume", "running"), ("restart", "running"), ("stop", "stopped"),
                        ("start", "running")):
        done = zmqtopo(verb)
        assert (done.returncode, done.stderr) == (0, said)
        assert done.stdout.startswith(f"a: {state}")
    assert zmqtopo("reload").stdout .endswith("it: nothing has changed\n")
    assert "ready, 2 devices" in zmqtopo("logs").stdout
    assert zmqtopo("ps").stderr == said
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    done = subprocess.run([*COMMAND, "ps"], cwd=elsewhere, capture_output=True, text=True, check=True)
    assert done.stderr == "zmqtopo: it (the only one that runs)\n"
    done = subprocess.run([*COMMAND, "-q", "pause"], cwd=elsewhere, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert zmqtopo("down").returncode == 0
    up.end(0)


def test_the_file_of_the_folder_comes_first_and_nothing_else_is_taken_for_it(zmqtopo: Run, several: Path) -> None:
    (several / "topology.yaml").write_text(f"name: shop\n{A}")
    (several / "other.yaml").write_text(A)
    assert zmqtopo("up", "-d", "-q", "other").returncode == 0
    # The only one that runs is not that of the file in this folder: to end it would be a guess.
    for verb in ("down", "stop", "restart", "ps", "reload", "pause"):
        done = zmqtopo(verb)
        assert (done.returncode, done.stdout) == (69, "")
        assert done.stderr == "zmqtopo: error: 'topology.yaml' is not running; running: other\n"
    assert zmqtopo("up", "-d", "-q").returncode == 0
    done = zmqtopo("restart")
    assert (done.returncode, done.stderr) == (0, "zmqtopo: shop (that of ./topology.yaml)\n")
    assert zmqtopo("down").stderr == "zmqtopo: shop (that of ./topology.yaml)\n"
    assert zmqtopo("ps", "-q").stdout == "other\n"


def test_what_is_not_clear_is_told_with_the_candidates(zmqtopo: Run, several: Path) -> None:
    for name in ("one", "two"):
        (several / f"{name}.yaml").write_text(A)
    assert zmqtopo("up", "-d", "-q", "one", "two").returncode == 0
    for verb in ("down", "stop", "restart", "pause", "reload", "logs"):
        done = zmqtopo(verb)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == ("zmqtopo: error: several topologies of this folder run: one and two; name the one that "
                               "is meant\n")
    done = zmqtopo("ps")        # which only looks
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["TOPOLOGY", "one", "two"]
    assert zmqtopo("restart", "-f", "two.yaml", "a").stdout.startswith("a: running")
    assert zmqtopo("-f", "two", "stop", "b").stdout.startswith("b: stopped")
    assert zmqtopo("ps", "one").returncode == 0
    done = zmqtopo("down", "one", "two.yaml")
    assert done.returncode == 0
    assert [line[:7] for line in done.stdout.splitlines()] == ["one: a:", "one: b:", "two: a:", "two: b:"]


def test_down_all(zmqtopo: Run, several: Path) -> None:
    assert zmqtopo("down", "--all").returncode == 0
    for name in ("one", "two"):
        (several / f"{name}.yaml").write_text(A)
    assert zmqtopo("up", "-d", "-q", "one", "two").returncode == 0
    assert zmqtopo("down", "--all", "one").returncode == 2
    done = zmqtopo("down", "one", "none", "two", "--format", "json")
    assert (done.returncode, "'none' is not running" in done.stderr) == (69, True)
    assert [(one["topology"], one["name"], one["state"]) for one in json.loads(done.stdout)] == [
        (topology, device, "stopped") for topology in ("one", "two") for device in ("a", "b")]
    assert zmqtopo("up", "-d", "-q", "one", "two").returncode == 0
    assert zmqtopo("down", "--all", "-q").stdout == ""
    assert zmqtopo("ps").returncode == 69


def test_a_device_in_the_place_of_its_topology(start: Callable[..., Up], zmqtopo: Run, control: Control) -> None:
    up = start(A).ready()
    done = zmqtopo("stop", "a")
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr == "zmqtopo: error: 'a' is not running; it has a device of that name: did you mean it a?\n"
    assert set(control.states().values()) == {"running"}
    up.stop()


# -- verbs and options of others -------------------------------------------------------------------------------------


def test_verbs_of_others_are_answered(zmqtopo: Run) -> None:
    for word, answer in (("status", "use: zmqtopo ps"), ("kill", "use: zmqtopo down --force"),
                         ("stauts", "did you mean 'ps'?"), ("valdate", "did you mean 'validate'?")):
        done = zmqtopo(word)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith(f"zmqtopo: error: there is no verb {word!r}; {answer}\n")


def test_help_and_version(zmqtopo: Run) -> None:
    for arguments in (("version",), ("-V",), ("--version",)):
        done = zmqtopo(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"zmqtopo {package.__version__}, ")
    helps = [zmqtopo(*arguments) for arguments in (("help",), ("--help",), ("-h",))]
    assert len({(done.returncode, done.stdout, done.stderr) for done in helps}) == 1
    assert (helps[0].returncode, "verbs:" in helps[0].stdout) == (0, True)
    verbs = [zmqtopo(*arguments) for arguments in (("help", "up"), ("up", "--help"), ("up", "-h"))]
    assert len({(done.returncode, done.stdout, done.stderr) for done in verbs}) == 1
    done = zmqtopo("help", "status")
    assert (done.returncode, "use: zmqtopo ps" in done.stderr) == (2, True)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_help_fits_the_terminal(in_terminal: Callable[..., InTerminal], columns: int) -> None:
    code, shown, _ = in_terminal("up", "--help", columns=columns).end()
    assert code == 0
    lines = shown.partition("\n\n")[2].splitlines()        # Python breaks no option of the usage
    codes = lines.index("exit codes:")
    assert all(len(line) <= columns for line in lines)
    assert lines[codes + 1].split()[0] == "0"


@pytest.mark.parametrize("wait", [("--wait", "5"), ("--wait=5",), ("--wait", "5s"), ("--wait", "5000ms"), ("--wait",)])
def test_a_wait_with_its_value_behind_it(zmqtopo: Run, several: Path, wait: tuple[str, ...]) -> None:
    (several / "it.yaml").write_text(A)
    assert zmqtopo("up", "it.yaml", *wait).returncode == 0
    assert zmqtopo("down").returncode == 0


def test_quiet(zmqtopo: Run, several: Path) -> None:
    (several / "topology.yaml").write_text(A)
    for arguments in (("up", "-d"), ("stop",), ("start", "topology", "a"), ("reload",), ("down",)):
        done = zmqtopo(*arguments, "--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), arguments
    assert zmqtopo("-q", "init", "new.yaml").stderr == ""
    done = zmqtopo("-q", "validate", "none.yaml")
    assert (done.returncode, "none.yaml:1:1: error" in done.stdout) == (1, True)
    assert zmqtopo("-q", "down").stderr == "zmqtopo: error: 'topology.yaml' is not running\n"


def test_quiet_in_the_foreground_says_what_goes_wrong(start: Callable[..., Up], control: Control, net: Any) -> None:
    up = start(A.replace("type: streamer", "type: streamer, run: process"), "--quiet")
    net.until(lambda: "running" in control("ps", "--format", "json", code=None))
    os.kill(control.ps()["a"]["pid"], signal.SIGKILL)
    assert "ended by SIGKILL; restarting" in up.wait_for("a: ended")
    control("down")
    assert up.end(0).count("\n") == 0


def test_the_colours_of_a_report(tmp_path: Path, in_terminal: Callable[..., InTerminal]) -> None:
    (tmp_path / "bad.yaml").write_text(BAD)

    def coloured(*arguments: str, **env: str) -> bool:
        done = subprocess.run([*COMMAND, *arguments], cwd=tmp_path, env=os.environ | env, capture_output=True,
                              check=False, timeout=DEADLINE)
        return b"\x1b[" in done.stdout + done.stderr

    for arguments in (("validate", "bad.yaml"), ("up", "bad.yaml"), ("graph", "bad.yaml")):
        assert not coloured(*arguments)
        assert coloured(*arguments, FORCE_COLOR="1")
        assert not coloured(*arguments, "--no-color", FORCE_COLOR="1")
        assert not coloured("--no-color", *arguments, FORCE_COLOR="1")
        assert not coloured(*arguments, FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b[" in in_terminal("validate", "bad.yaml").end()[1]
    assert "\x1b[" not in in_terminal("validate", "bad.yaml", "--no-color").end()[1]


# -- how long a stop may take ----------------------------------------------------------------------------------------

PATIENT = f"devices:\n  a: {{type: streamer, stop_timeout: 1h, in: {ANY}, out: {ANY}}}\n"


@pytest.mark.parametrize("arguments", [("stop", "-t", "300ms"), ("restart", "--timeout=0.3"), ("down", "-t0"),
                                       ("down", "--timeout", "300ms")])
def test_a_stop_may_be_given_less_time(
    start: Callable[..., Up], zmqtopo: Run, net: Any, control: Control, arguments: tuple[str, ...]
) -> None:
    up = start(PATIENT).ready()
    push = net.socket(zmq.PUSH, connect=up.address("a.in"))
    push.send(b"nobody takes it")
    net.until(lambda: control.ps()["a"]["counters"]["in_to_out"]["in_hand"])
    verb, *options = arguments
    done = zmqtopo(verb, "it", *options)        # else it would take the hour
    assert (done.returncode, "a: " in done.stdout) == (0, True)
    assert "1 dropped" in done.stdout
    if verb != "down":
        control("down", "--force")
    up.end(0)


def test_a_stop_may_be_given_more_time(start: Callable[..., Up], net: Any, control: Control, tmp_path: Path) -> None:
    up = start(PATIENT.replace("1h", "1ms")).ready()
    push = net.socket(zmq.PUSH, connect=up.address("a.in"))
    push.send(b"somebody takes it later")
    net.until(lambda: control.ps()["a"]["counters"]["in_to_out"]["in_hand"])
    with subprocess.Popen([*COMMAND, "stop", "it", "-t", "1m"], cwd=tmp_path, stdout=subprocess.PIPE) as stop:
        net.until(lambda: control.states(code=None)["a"] == "stopping")
        left = control.ps(code=None)["a"]["stops_within"]
        assert 1 < left <= 60
        pull = net.socket(zmq.PULL, connect=up.address("a.out"))
        assert net.receive(pull) == [b"somebody takes it later"]
        assert stop.wait(DEADLINE) == 0
        assert stop.stdout is not None
        assert stop.stdout.read().startswith(b"a: stopped")
    control("down")
    up.end(0)


@pytest.mark.parametrize("time", ["", "soon", "-1", "nan", "1e9", "5 s", "99999999999"])
def test_a_time_that_is_none(zmqtopo: Run, time: str) -> None:
    done = zmqtopo("stop", "it", f"--timeout={time}")
    assert (done.returncode, f"{time!r} is not a time such as 5s, 500ms or 2m" in done.stderr) == (2, True)


# -- what a running topology runs with -------------------------------------------------------------------------------


def test_config_of_a_file_and_of_what_runs(zmqtopo: Run, several: Path) -> None:
    (several / "it.yaml").write_text(
        "devices:\n  a: {type: streamer, in: {bind: 'tcp://127.0.0.1:*', options: {routing_id: !!binary /w==}}, "
        "out: {bind: 'tcp://127.0.0.1:*'}}\n")
    of_file = {form: zmqtopo("config", "it.yaml", "--format", form).stdout for form in ("yaml", "json")}
    told = json.loads(of_file["json"])
    assert (told["name"], told["devices"]["a"]["type"]) == ("it", "streamer")
    assert told["devices"]["a"]["in"]["options"]["routing_id"] == {"base64": "/w=="}
    assert zmqtopo("config", "it").stdout == of_file["yaml"]        # as nothing of that name runs
    assert zmqtopo("up", "-d", "-q", "it.yaml").returncode == 0
    (several / "it.yaml").write_text("devices: {}\n")
    for form in ("yaml", "json"):
        done = zmqtopo("config", "it", "--format", form)
        assert (done.returncode, done.stdout) == (0, of_file[form])
        assert done.stderr.startswith("zmqtopo: it as it runs, process ")
    assert "streamer" not in zmqtopo("config", "it.yaml").stdout
    assert zmqtopo("config", "other", "--format", "json").returncode == 78


# -- words that are explained ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "said"), [
    ("linger", "linger (socket option)"), ("stop_timeout", "stop_timeout (key of device)"),
    ("monitored_queue", "monitored_queue (device type)"), ("backoff", "backoff (state)"),
])
def test_words_are_explained(zmqtopo: Run, word: str, said: str) -> None:
    done = zmqtopo("explain", word)
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout.splitlines()


def test_the_reference_page(zmqtopo: Run) -> None:
    done = zmqtopo("explain", "--all", "--format", "markdown")
    assert done.returncode == 0
    heads = [line for line in done.stdout.splitlines() if line.startswith(("# ", "## "))]
    assert heads[:5] == ["# The words of zmqtopo", "## Device types", "## Keys", "## Socket options",
                         "## States of a device"]
    assert "# The rules of zmqtopo" in heads
    assert "| `linger` |" in done.stdout
    assert zmqtopo("explain", "--all", "linger").returncode == 2
    assert zmqtopo("explain", "lingr").stderr.endswith("no topic and no rule 'lingr'; did you mean 'linger'?\n")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_an_explanation_fits_the_terminal(in_terminal: Callable[..., InTerminal], columns: int) -> None:
    code, shown, _ = in_terminal("explain", "sndhwm", columns=columns).end()
    assert (code, max(map(len, shown.splitlines())) <= min(columns, 88)) == (0, True)
