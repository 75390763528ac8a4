"""``zmqtopo validate`` as its users run it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zmqtopo.cli import main

INSTALLED = shutil.which("zmqtopo", path=str(Path(sys.executable).parent))
COMMAND = [INSTALLED] if INSTALLED else [sys.executable, "-m", "zmqtopo"]

GOOD = """\
devices:
  jobs:
    type: streamer
    in: {bind: tcp://*:5563}
    out: {bind: tcp://*:5564}
"""
WARNING = GOOD.replace("5564}", "5564, options: {hwm: 0}}")
INFO = GOOD.replace("bind: tcp://*:5563", "connect: tcp://localhost:5563")
ERROR = """\
devices:
  jobs:
    type: streamer
    in: {bind: tcp://*:5563}
    out: {bind: tcp://127.0.0.1:5563}
  events:
    type: forwarder
    in: {bind: tcp://*:5561}
    out: {type: PUB, bind: tcp://*:5562}
"""
REPORT = """\
error.yaml:5:17: error: jobs.out binds tcp://127.0.0.1:5563, but jobs.in already binds it as tcp://*:5563 \
[bind-conflict]
5 |     out: {bind: tcp://127.0.0.1:5563}
  |                 ^^^^^^^^^^^^^^^^^^^^
4 |     in: {bind: tcp://*:5563}
  |                ^^^^^^^^^^^^ the other place
  = hint: give one of them another port, or let one connect

error.yaml:9:17: error: events is a forwarder with XSUB as in and PUB as out: PUB keeps the subscriptions to itself, \
so XSUB never asks a publisher for anything [socket-pair]
9 |     out: {type: PUB, bind: tcp://*:5562}
  |                 ^^^
8 |     in: {bind: tcp://*:5561}
  |     ^^ the other place
  = hint: use XSUB with XPUB, which passes subscriptions on, or SUB with PUB

2 errors in 1 file
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"good": GOOD, "warning": WARNING, "info": INFO, "error": ERROR}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def run(folder: Path, *arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name != "GITHUB_ACTIONS"}
    options = {"capture_output": True, "text": True, "encoding": "utf-8", "timeout": 60, "cwd": folder, "env": environ}
    options |= more
    return subprocess.run([*COMMAND, *arguments], **options)  # type: ignore[call-overload,no-any-return]


def test_a_good_file_is_one_quiet_line(folder: Path) -> None:
    done = run(folder, "validate", "good.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "no problems in 1 file\n", "")


def test_the_whole_report_of_a_bad_file(folder: Path) -> None:
    done = run(folder, "validate", "error.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (1, REPORT, "")


@pytest.mark.parametrize(("files", "strict", "code", "summary"), [
    (["good"], True, 0, "no problems in 1 file"),
    (["warning"], False, 0, "1 warning in 1 file"),
    (["warning"], True, 1, "1 warning in 1 file"),
    (["info"], False, 0, "1 info in 1 file"),
    (["info"], True, 0, "1 info in 1 file"),
    (["good", "warning", "info"], False, 0, "1 warning, 1 info in 3 files"),
    (["good", "error", "info"], False, 1, "2 errors, 1 info in 3 files"),
    (["error", "error"], False, 1, "2 errors in 1 file"),
    (["missing"], False, 1, "1 error in 1 file"),
])
def test_the_exit_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], files: list[str], strict: bool,
    code: int, summary: str,
) -> None:
    arguments = ["validate", *[f"{file}.yaml" for file in files], *["--strict"] * strict]
    done = run(folder, *arguments, "--format", "full")
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.splitlines()[-1] == summary
    monkeypatch.chdir(folder)
    for form in ("concise", "json"):
        assert main([*arguments, "--format", form]) == code
    assert capsys.readouterr().err == ""


def test_concise_is_a_line_for_each_problem(folder: Path) -> None:
    done = run(folder, "validate", "--format", "concise", "error.yaml", "good.yaml", "warning.yaml")
    assert re.findall(r"^([\w.]+):(\d+):(\d+): (\w+): .+ \[([\w-]+)\]$", done.stdout, re.MULTILINE) == [
        ("error.yaml", "5", "17", "error", "bind-conflict"), ("error.yaml", "9", "17", "error", "socket-pair"),
        ("warning.yaml", "5", "41", "warning", "unlimited-hwm")]
    assert done.stdout.count("\n") == 3


def test_json_for_programs(folder: Path) -> None:
    done = run(folder, "validate", "--format", "json", "error.yaml", "good.yaml")
    document = json.loads(done.stdout)
    assert document["summary"] == {"files": 2, "error": 2, "warning": 0, "info": 0}
    assert [(p["rule"], p["file"], p["line"]) for p in document["problems"]] == [
        ("bind-conflict", "error.yaml", 5), ("socket-pair", "error.yaml", 9)]


def test_standard_input(folder: Path) -> None:
    done = run(folder, "validate", "--format", "concise", "-", input=ERROR)
    assert done.returncode == 1
    assert [line.partition(" ")[0] for line in done.stdout.splitlines()] == ["<stdin>:5:17:", "<stdin>:9:17:"]


def test_an_undefined_variable_is_a_warning_here(folder: Path) -> None:
    (folder / "v.yaml").write_text(GOOD.replace("5563", "${ZMQTOPO_TEST_PORT}"))
    unset = {k: v for k, v in os.environ.items() if k != "ZMQTOPO_TEST_PORT"}
    done = run(folder, "validate", "--format", "concise", "v.yaml", env=unset)
    assert done.returncode == 0
    assert re.fullmatch(r"v\.yaml:4:\d+: warning: .*ZMQTOPO_TEST_PORT.* \[undefined-variable\]\n", done.stdout)
    done = run(folder, "validate", "v.yaml", env=unset | {"ZMQTOPO_TEST_PORT": "5563"})
    assert done.stdout == "no problems in 1 file\n"


@pytest.mark.parametrize(("name", "content"), [
    ("empty", b""), ("binary", bytes(range(256)) * 40), ("latin", b"description: caf\xe9\n"), ("brace", b"{" * 5000),
    ("scalar", b"hello"), ("list", b"- 1\n- 2\n"), ("tab", b"devices:\n\tx: 1\n"), ("nul", b"devices: {}\n\0"),
    ("bomb", b"a: &a [1,1,1,1,1,1,1,1,1]\n" + b"".join(
        b"x%d: &%c [%s]\n" % (n, n + 98, b",".join([b"*%c" % (n + 97)] * 9)) for n in range(12))),
    ("huge", b"devices: " + b"x" * (40 * 1024 * 1024)),
], ids=lambda value: value if isinstance(value, str) else "bytes")
def test_nonsense_is_a_problem_and_no_traceback(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    done = run(folder, "validate", "--format", "concise", name)
    assert done.returncode == 1
    assert done.stderr == ""
    assert re.match(rf"{name}:\d+:\d+: error: .+ \[[a-z-]+\]\n", done.stdout)


def test_a_missing_file_and_a_forbidden_one(folder: Path) -> None:
    forbidden = folder / "forbidden.yaml"
    forbidden.write_text(GOOD)
    forbidden.chmod(0)
    readable = os.access(forbidden, os.R_OK)  # by root
    done = run(folder, "validate", "--format", "concise", "missing.yaml", "forbidden.yaml")
    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.count("[unreadable-file]") == (1 if readable else 2)


def test_terminal_escapes_of_a_file_stay_in_the_file(folder: Path) -> None:
    (folder / "escape.yaml").write_bytes("devices: {a: {type: \"\\e]0;x\\a\", in: {}, out: {}}} # \u202e\n".encode())
    done = run(folder, "validate", "escape.yaml")
    assert done.returncode == 1
    assert all(c.isprintable() or c == "\n" for c in done.stdout)


def test_an_ascii_terminal_shows_what_it_can(folder: Path) -> None:
    (folder / "größe.yaml").write_text(GOOD.replace("jobs", "größe").replace("tcp://*:5563", "tcp://*"), "utf-8")
    done = run(folder, "validate", "größe.yaml", env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 1
    assert "gr\\xf6\\xdfe" in done.stdout


@pytest.mark.parametrize("arguments", [["validate", "error.yaml"], ["schema"], ["graph", "good.yaml"], ["--version"]])
def test_a_reader_who_has_gone_is_no_error(folder: Path, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run(folder, *arguments, capture_output=False, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_said_once(folder: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = run(folder, "schema", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (
        1, "zmqtopo: error: cannot write to standard output: No space left on device\n")


def test_the_version_names_all_four(folder: Path) -> None:
    done = run(folder, "--version")
    assert done.returncode == 0
    assert re.fullmatch(r"zmqtopo \S+, pyzmq \d\S+, libzmq \d\S+, \w+ 3\.\S+\n", done.stdout)


def test_the_schema_is_json_schema(folder: Path) -> None:
    done = run(folder, "schema")
    assert done.returncode == 0
    assert {"devices", "peers"} <= json.loads(done.stdout)["properties"].keys()


def test_the_effective_file_means_the_same(folder: Path) -> None:
    once = run(folder, "config", "good.yaml")
    assert (once.returncode, once.stderr) == (0, "")
    assert "type: PULL" in once.stdout
    twice = run(folder, "config", "-", input=once.stdout)
    assert twice.stdout == once.stdout
    bad = run(folder, "config", "error.yaml")
    assert (bad.returncode, bad.stdout) == (78, "")
    assert bad.stderr == REPORT


# -- what it leaves alone ---------------------------------------------------------------------------------------------

TOUCHING = """\
devices:
  jobs:
    type: streamer
    in: {bind: "tcp://127.0.0.1:*", options: {curve_server: true, curve_secretkey: {file: server.key}}}
    out: {connect: tcp://localhost:5564}
peers:
  worker: {type: PULL, bind: tcp://localhost:5564}
"""
WATCHED = """\
import sys
seen = []
sys.addaudithook(lambda event, args: seen.append((event, str(args[0]) if args else "")))
from zmqtopo.cli import main
code = main(["validate", *sys.argv[1:]])
print(*sorted({event for event, _ in seen if event.startswith("socket.")} - {"socket.gethostname"}),
      *("key" for event, path in seen if event == "open" and path.endswith("server.key")),
      *("zmq" for event, name in seen if event == "import" and name == "zmq"), sep=",")
sys.exit(code)
"""


@pytest.mark.parametrize(("options", "touches"), [([], False), (["--strict", "--format", "sarif"], False),
                                                  (["--probe"], True)])
def test_it_opens_no_socket_and_reads_no_key_unless_it_is_to_probe(
    tmp_path: Path, options: list[str], touches: bool
) -> None:
    (tmp_path / "t.yaml").write_text(TOUCHING)
    (tmp_path / "server.key").write_text("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")  # from libzmq's documentation
    done = subprocess.run([sys.executable, "-c", WATCHED, "t.yaml", *options], cwd=tmp_path, capture_output=True,
                          text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    touched = set(done.stdout.splitlines()[-1].split(",")) - {""}
    assert ("key" in touched) is touches
    assert bool(touched) is touches, touched
