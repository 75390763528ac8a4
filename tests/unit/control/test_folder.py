"""The state folder: whose it is, who has it, and what is left of it."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from zmqtopo.control.errors import AlreadyRunningError, ControlError
from zmqtopo.control.folder import Folder, names, open_named, unusable
from zmqtopo.control.places import home


def test_a_life() -> None:
    folder = Folder.claim("pipeline", "/some/file.yaml")
    assert folder.path == home() / "pipeline"
    assert [path.stat().st_mode & 0o777 for path in (folder.path, folder.path.parent)] == [0o700, 0o700]
    assert folder.pid == os.getpid()
    assert names() == ["pipeline"]
    with Folder(folder.path) as seen:
        assert (seen.read("source"), seen.pid) == ("/some/file.yaml", os.getpid())
        assert seen.read("nothing") == ""
    folder.remove()
    folder.remove()
    assert names() == []
    assert not home().exists()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the path of a socket has at most 103 bytes there")
@pytest.mark.parametrize("name", ["a" * 255, "é" * 127])
def test_the_longest_names(name: str) -> None:
    folder = Folder.claim(name, "-")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(folder.socket_path())
    assert (folder.path / "control").is_socket()
    folder.remove()


def test_what_is_kept_is_there_until_the_next_one_comes() -> None:
    folder = Folder.claim("a", "-")
    folder.write("log", "last words")
    folder.write("control", "")
    folder.remove(keep=("log",))
    assert [path.name for path in (home() / "a").iterdir()] == ["log"]
    folder = Folder.claim("a", "-")
    assert sorted(path.name for path in folder.path.iterdir()) == ["pid", "source"]
    folder.remove()


def test_a_name_that_runs_is_refused_with_its_process() -> None:
    folder = Folder.claim("a", "-")
    with pytest.raises(AlreadyRunningError, match=f"a topology a is running already as process {os.getpid()}") as error:
        Folder.claim("a", "other.yaml")
    assert error.value.pid == os.getpid()
    assert folder.read("source") == "-"
    Folder.claim("b", "-").remove()     # another name is another matter
    folder.remove()
    Folder.claim("a", "-").remove()


HOLDER = """
import os, signal, sys
from zmqtopo.control.folder import Folder
folder = Folder.claim("a", "-")
folder.write("rubbish", "")
print(os.getpid(), flush=True)
sys.stdin.read()
"""


def test_what_a_killed_process_has_left_is_taken_over() -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    with pytest.raises(AlreadyRunningError, match=f"process {pid}"):
        Folder.claim("a", "-")
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    folder = Folder.claim("a", "-")
    assert folder.pid == os.getpid()
    assert not (folder.path / "rubbish").exists()
    folder.remove()


def test_many_come_and_go() -> None:
    """Nobody trips over what somebody else removes."""
    failures: list[BaseException] = []

    def come_and_go(name: str) -> None:
        try:
            for _ in range(200):
                Folder.claim(name, "-").remove()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=come_and_go, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert not home().exists()


def test_one_that_is_removed_while_it_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Folder.claim("a", "-")
    take = Folder._take
    first_removed = []

    def late(self: Folder, name: str) -> bool:
        if not first_removed:
            first_removed.append(first.remove())
        return take(self, name)

    monkeypatch.setattr(Folder, "_take", late)
    folder = Folder.claim("a", "-")
    assert folder.path.exists()
    folder.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("which", ["zmqtopo", "zmqtopo/a"])
def test_a_folder_of_somebody_else_is_refused(state_folders: Path, which: str) -> None:
    (state_folders / "zmqtopo/a").mkdir(parents=True)
    os.chown(state_folders / which, 12345, -1)
    expected = r"belongs to another user \(uid 12345\); be that user, or set ZMQTOPO_STATE_DIR to a folder of your own$"
    for use in (lambda: Folder.claim("a", "-"), lambda: Folder(home() / "a")):
        with pytest.raises(ControlError, match=expected):
            use()
    if which == "zmqtopo":      # somebody else was there first, in a folder that everybody may write to
        with pytest.raises(ControlError, match=expected):
            names()
    os.chown(state_folders / which, os.geteuid(), -1)


def test_a_link_or_a_file_in_place_of_all_of_them_is_refused(state_folders: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    home().symlink_to(tmp_path)
    for use in (lambda: Folder.claim("a", "-"), lambda: Folder(home() / "a"), names):
        with pytest.raises(ControlError, match=r"/zmqtopo is not a folder; remove it$"):
            use()
    home().unlink()
    home().write_text("")
    with pytest.raises(ControlError, match=r"/zmqtopo is not a folder; remove it$"):
        names()


def test_a_link_or_a_file_in_its_place_is_refused(state_folders: Path, tmp_path: Path) -> None:
    home().mkdir()
    (home() / "link").symlink_to(tmp_path)
    (home() / "file").write_text("")
    for name in ("link", "file"):
        with pytest.raises(ControlError, match="is not a folder; remove it"):
            Folder.claim(name, "-")
    assert list(tmp_path.iterdir()) == []


def test_a_loose_mode_is_tightened() -> None:
    path = home() / "a"
    path.mkdir(parents=True)
    for loose in (path, path.parent):
        loose.chmod(0o777)
    folder = Folder.claim("a", "-")
    assert [tight.stat().st_mode & 0o777 for tight in (path, path.parent)] == [0o700, 0o700]
    folder.remove()


def test_a_place_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZMQTOPO_STATE_DIR", str(tmp_path / "nowhere"))
    said = r"use the state folder .*nowhere.*: No such file or directory; ZMQTOPO_STATE_DIR "
    with pytest.raises(ControlError, match=said):
        Folder.claim("a", "-")
    monkeypatch.setenv("ZMQTOPO_STATE_DIR", str(tmp_path))
    with pytest.raises(ControlError, match="File name too long"):
        Folder.claim("a" * 300, "-")


def test_a_path_of_any_bytes() -> None:
    source = os.fsdecode(b"/some/\xff.yaml")
    with Folder.claim("a", source) as folder:
        assert folder.read("source") == source
        folder.remove()


def test_what_removes_old_files_leaves_it_alone() -> None:
    folder = Folder.claim("a", "-")
    with Folder(folder.path) as cleaner, pytest.raises(BlockingIOError):
        fcntl.flock(cleaner.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    folder.remove()
    folder.path.mkdir(parents=True)
    with Folder(folder.path) as cleaner:
        fcntl.flock(cleaner.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        Folder.claim("a", "-").remove()     # one that is at it just now keeps nobody from it


@pytest.mark.parametrize(("number", "remedy"), [
    (errno.EACCES, "Permission denied; set ZMQTOPO_STATE_DIR to a folder of your own"),
    (errno.ENOSPC, "No space left on device; set ZMQTOPO_STATE_DIR to one with room"),
])
def test_each_cause_has_its_remedy(number: int, remedy: str) -> None:
    error = unusable("write to", Path("/run/a/log"), OSError(number, os.strerror(number)))
    assert str(error) == f"cannot write to /run/a/log: {remedy}"


def test_a_full_disk_leaves_nothing() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(ControlError, match=r"^cannot use the state folder .*/a: File too large; set"):
            Folder.claim("a", "-")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not home().exists()


def test_a_place_that_cannot_be_looked_into_is_not_an_empty_one(state_folders: Path) -> None:
    assert names() == []
    # For root too, who has every permission.
    (state_folders / "zmqtopo").symlink_to(state_folders / "zmqtopo")
    with pytest.raises(ControlError, match=r"/zmqtopo is not a folder; remove it$"):
        names()


def test_a_path_too_long_for_a_socket_has_a_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setenv("ZMQTOPO_STATE_DIR", str(deep))
    folder = Folder.claim("a", "-")
    if sys.platform == "linux":
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
            server.bind(folder.socket_path())
            server.listen()
            with Folder(folder.path) as seen:
                client.connect(seen.socket_path())
        assert (folder.path / "control").is_socket()
    else:
        with pytest.raises(ControlError, match="too long for a socket"):
            folder.socket_path()
    folder.remove()


# -- in several places --------------------------------------------------------------------------------------------


def listen(folder: Folder) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(folder.socket_path())
    listener.listen()
    return listener


@pytest.fixture
def two_places(state_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Of somebody who is logged in, and of cron."""
    monkeypatch.delenv("ZMQTOPO_STATE_DIR")
    monkeypatch.setattr("zmqtopo.control.places.RUN_USER", tmp_path / "none")
    monkeypatch.setattr("zmqtopo.control.places.SYSTEM_TEMPORARY", ())
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return state_folders / "zmqtopo", tmp_path / f"zmqtopo-{os.geteuid()}"


def test_what_cron_has_started_is_found_and_keeps_its_name(
    two_places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    folder = Folder.claim("a", "-")
    assert folder.path == two_places[1] / "a"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(two_places[0].parent))
    with listen(folder):
        assert names() == ["a"]
        with open_named("a") as found:
            assert found.path == folder.path
        with pytest.raises(AlreadyRunningError, match=f"as process {os.getpid()}"):
            Folder.claim("a", "-")
    second = Folder.claim("a", "-")     # the first one does not listen any more
    assert second.path == two_places[0] / "a"
    with listen(second), open_named("a") as found:
        assert found.path == second.path
    second.remove()
    folder.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_what_somebody_else_has_made_elsewhere_hides_nothing(two_places: tuple[Path, Path]) -> None:
    two_places[1].mkdir()
    os.chown(two_places[1], 12345, -1)
    assert names() == []
    folder = Folder.claim("a", "-")
    assert names() == ["a"]
    folder.remove()


# -- what is removed comes back -----------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["zmqtopo", "zmqtopo/a", "zmqtopo/a/pid", "zmqtopo/a/source", "zmqtopo/a/control"])
def test_what_is_removed_is_made_again(state_folders: Path, what: str) -> None:
    folder = Folder.claim("a", "/x.yaml")
    listen(folder).close()
    assert not folder.restore("/x.yaml")
    number = folder.fd
    path = state_folders / what
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    assert folder.restore("/x.yaml")
    assert (folder.fd, folder.path) == (number, state_folders / "zmqtopo/a")
    assert [path.stat().st_mode & 0o777 for path in (folder.path, folder.path.parent)] == [0o700, 0o700]
    with listen(folder):
        assert not folder.restore("/x.yaml")
        with open_named("a") as seen:
            assert (seen.pid, seen.read("source"), seen.is_listened_in()) == (os.getpid(), "/x.yaml", True)
        with pytest.raises(AlreadyRunningError):
            Folder.claim("a", "-")
    folder.remove()
    assert names() == []


def test_what_cannot_be_made_again_there_is_made_elsewhere(two_places: tuple[Path, Path]) -> None:
    folder = Folder.claim("a", "-")
    listen(folder).close()
    shutil.rmtree(two_places[0].parent)
    assert folder.restore("-")
    assert folder.path == two_places[1] / "a"
    with listen(folder):
        assert names() == ["a"]
    two_places[0].parent.mkdir()
    folder.remove()


def test_who_has_come_meanwhile_has_it(state_folders: Path) -> None:
    folder = Folder.claim("a", "-")
    shutil.rmtree(folder.path)
    second = Folder.claim("a", "-")
    for _ in range(2):
        with pytest.raises(AlreadyRunningError):
            folder.restore("-")
    second.remove()
    assert folder.restore("-")
    folder.remove()
    assert names() == []
