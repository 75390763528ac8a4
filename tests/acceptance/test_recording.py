"""``zmqtopo recording``: what is in a recording, parts of it, and files that are none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .recordings import record

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.mcap"
    record(path, [[b"%d" % number, b"\xff"] for number in range(1000)])
    return path


def test_info(zmqtopo: Run, file: Path) -> None:
    done = zmqtopo("recording", "info", "a.mcap")
    assert (done.returncode, done.stderr) == (0, "")
    assert "a.mcap: " in done.stdout
    assert "bytes, whole" in done.stdout
    assert done.stdout.splitlines()[-2:] == [
        "DEVICE  FLOW       SOCKETS    MESSAGES  BYTES  MISSING", "jobs    in_to_out  PULL PUSH  1,000     3,890  0"]
    told = json.loads(zmqtopo("recording", "info", "a.mcap", "--format", "json").stdout)
    assert (told["cut"], told["flows"][0]["messages"], told["bytes"]) == (None, 1000, file.stat().st_size)


def test_a_cut_file_is_read_up_to_the_cut_and_made_whole(zmqtopo: Run, file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    (tmp_path / "killed.mcap").write_bytes(data[:-500])
    done = zmqtopo("recording", "info", "killed.mcap")
    assert done.returncode == 0
    told = json.loads(zmqtopo("recording", "info", "killed.mcap", "--format", "json").stdout)
    size, cut_at = len(data) - 500, told["cut_at"]
    assert told["bytes"] == size > cut_at
    piped = json.loads(zmqtopo("recording", "info", "-", "--format", "json", data=data[:-500]).stdout)
    assert (piped["bytes"], piped["cut_at"]) == (size, cut_at)
    cut = f"cut at byte {cut_at:,}: the file ends in the middle of a record"
    assert f"killed.mcap: {size:,} bytes, {cut}\n" in done.stdout
    assert "  1,000  " in done.stdout
    done = zmqtopo("recording", "cut", "killed.mcap", "-o", "whole.mcap")
    assert done.returncode == 0
    assert "zmqtopo: 1,000 messages in whole.mcap\n" in done.stderr
    assert f"killed.mcap is cut at byte {cut_at:,}" in done.stderr
    assert "everything before that was kept" in done.stderr
    assert "bytes, whole" in zmqtopo("recording", "info", "whole.mcap").stdout


def test_parts(zmqtopo: Run, file: Path) -> None:
    part = ("--from", "100ms", "--until", "103ms")
    lines = zmqtopo("recording", "export", "a.mcap", *part).stdout.splitlines()
    found = [[frame.get("text", frame.get("hex")) for frame in json.loads(line)["frames"]] for line in lines]
    assert found == [["100", "ff"], ["101", "ff"], ["102", "ff"]]
    decoded = zmqtopo("recording", "export", "a.mcap", *part, "--decode", "hex").stdout.splitlines()
    assert json.loads(decoded[0])["frames"][0] == {"size": 3, "hex": "313030"}
    done = zmqtopo("recording", "cut", "a.mcap", *part, "-o", "part.mcap")
    assert done.stderr == "zmqtopo: 3 messages in part.mcap\n"
    assert zmqtopo("recording", "export", "part.mcap").stdout.splitlines() == lines
    assert zmqtopo("recording", "export", "-", *part, data=file.read_bytes()).stdout.splitlines() == lines
    assert len(zmqtopo("recording", "export", "a.mcap", "--match", r"\x39").stdout.splitlines()) == 111


def test_nothing_is_overwritten(zmqtopo: Run, file: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for action in ("cut", "export"):
        done = zmqtopo("recording", action, "a.mcap", "-o", "mine")
        assert (done.returncode, done.stderr) == (1, "zmqtopo: error: mine already exists; --force replaces it\n")
        assert (tmp_path / "mine").read_text() == "mine"
        before = file.read_bytes()
        done = zmqtopo("recording", action, "a.mcap", "-o", "a.mcap", "--force")
        assert done.returncode == 2
        assert "cannot replace the recording that it is read from" in done.stderr
        assert file.read_bytes() == before
        assert zmqtopo("recording", action, "a.mcap", "-o", "mine", "--force").returncode == 0
        (tmp_path / "mine").write_text("mine")
        assert "No space left" in zmqtopo("recording", action, "a.mcap", "-o", "/dev/full", "--force").stderr


def test_what_is_no_recording(zmqtopo: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("devices: {}\n")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, words in {
        "empty": "'empty' is empty", "text": "'text' is not a recording: it is not an MCAP file",
        "folder": "'folder' is a folder and not a file", "pipe": "'pipe' is not a file",
        "missing": "'missing' cannot be read: No such file or directory",
    }.items():
        for command in (("recording", "info", name), ("recording", "export", name),
                        ("replay", name, "--connect", "tcp://127.0.0.1:9", "--type", "PUSH")):
            done = zmqtopo(*command)
            assert (done.returncode, done.stdout) == (78, "")
            assert done.stderr.startswith(f"zmqtopo: error: {words}")
            assert done.stderr.count("\n") == 1
    assert "standard input is not a recording" in zmqtopo("recording", "info", "-", data=b"x" * 100).stderr


def test_usage(zmqtopo: Run, file: Path) -> None:
    for arguments, words in {
        ("cut", "a.mcap"): "say where to with -o FILE",
        ("info", "a.mcap", "--from", "1s"): "info tells of the whole recording",
        ("export", "a.mcap", "--from", "soon"): "'soon' is not a time: write 10s",
        ("export", "a.mcap", "--from", "2s", "--until", "2s"): "--until is not after --from",
        ("cut", "a.mcap", "-o", "b", "--from", "2026-11-29", "--until", "2026-11-28"): "--until is not after --from",
        ("drop", "a.mcap"): "invalid choice",
        ("export", "a.mcap", "--match", r"a\xZ1"): "a byte is written \\xNN with two hexadecimal digits, such as \\x00",
    }.items():
        done = zmqtopo("recording", *arguments)
        assert done.returncode == 2
        assert words in done.stderr


def test_a_device_that_the_recording_lacks(zmqtopo: Run, file: Path, tmp_path: Path) -> None:
    record(tmp_path / "two.mcap", [[b"a"]], devices=["jobs", "events"])
    record(tmp_path / "none.mcap", [])
    to = ("--connect", "tcp://127.0.0.1:9", "--type", "PUSH", "--wait", "0")
    for name, device, hint in (("a.mcap", "job", "did you mean jobs?"), ("two.mcap", "x", "it has events and jobs"),
                               ("none.mcap", "x", "it has jobs")):
        for command in (("recording", "export", name), ("recording", "cut", name, "-o", "b.mcap"),
                        ("replay", name, *to)):
            done = zmqtopo(*command, "--device", "jobs", "--device", device)
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr == f"zmqtopo: error: '{name}' has no device '{device}'; {hint}\n"
    assert not (tmp_path / "b.mcap").exists()
    done = zmqtopo("recording", "export", "-", "--device", "job", data=file.read_bytes())
    assert (done.returncode, done.stderr) == (
        2, "zmqtopo: error: standard input has no device 'job'; did you mean jobs?\n")


def test_a_selection_of_nothing(zmqtopo: Run, file: Path, tmp_path: Path) -> None:
    for options, words in ((("--match", "x", "--device", "jobs"), "--device and --match"), (("--from", "1h"), "--from"),
                           (("--flow", "out_to_in"), "--flow")):
        done = zmqtopo("recording", "export", "a.mcap", *options)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == f"zmqtopo: no message of a.mcap fits {words}\n"
        done = zmqtopo("recording", "cut", "a.mcap", "-o", "b.mcap", "--force", *options)
        assert (done.returncode, done.stderr) == (
            0, f"zmqtopo: 0 messages in b.mcap: no message of a.mcap fits {words}\n")
    assert zmqtopo("recording", "export", "b.mcap").stderr == "zmqtopo: b.mcap has no messages\n"


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, file: Path) -> None:
    """As on a machine that has the base install alone."""
    program = ("import sys, importlib.util; find = importlib.util.find_spec\n"
               "importlib.util.find_spec = lambda name, *more: None if name == 'mcap' else find(name, *more)\n"
               "sys.modules['mcap'] = None\n"
               "from zmqtopo.cli import main; sys.exit(main())")
    for arguments in (["recording", "export", "a.mcap", "--from", "1s"], ["replay", "a.mcap", "--to", "a.in"],
                      ["record", "it", "-o", "b.mcap"]):
        done = subprocess.run([sys.executable, "-c", program, *arguments], cwd=tmp_path, capture_output=True, text=True,
                              check=False, timeout=60)
        assert done.returncode == 69
        assert done.stderr == (f"zmqtopo: error: zmqtopo {arguments[0]} needs the package mcap, which is not "
                               "installed; install it with: pip install 'zmqtopo[record]'\n")
