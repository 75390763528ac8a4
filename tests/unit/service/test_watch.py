"""Files that change, in each way in which people and programs change them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from zmqtopo.service.watch import ATTEMPTS, INTERVAL, ChangingFileError, Watch, is_stream, read_at_rest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """As Kubernetes mounts a config map: the file is a link into a folder that is a link to a dated folder."""
    (tmp_path / "..1").mkdir()
    (tmp_path / "..1/t.yaml").write_text("old")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "t.yaml").symlink_to("..data/t.yaml")
    return tmp_path / "t.yaml"


def as_kubernetes(file: Path) -> None:
    folder = file.parent
    (folder / "..2").mkdir()
    (folder / "..2/t.yaml").write_text("new!")
    (folder / "..new").symlink_to("..2")
    (folder / "..new").replace(folder / "..data")
    assert file.read_text() == "new!"


def as_an_editor(file: Path) -> None:
    (file.parent / ".t.swp").write_text("new!")
    (file.parent / ".t.swp").replace(file)


def in_place(file: Path) -> None:
    file.write_text("new!")


def as_an_editor_that_moves_the_old_one_away(file: Path) -> None:
    file.rename(file.parent / "t.yaml~")
    file.write_text("new!")


WAYS = pytest.mark.parametrize("change", [as_kubernetes, as_an_editor, in_place,
                                          as_an_editor_that_moves_the_old_one_away])


@WAYS
def test_a_change_is_told_once_and_when_it_is_over(file: Path, change: Callable[[Path], None]) -> None:
    watch = Watch([str(file)])
    assert not watch.look()
    change(file)
    assert [watch.look() for _ in range(4)] == [(), (str(file),), (), ()]


def test_two_changes_and_one_of_two_files(file: Path) -> None:
    other = file.parent / "secret"
    other.write_text("1")
    watch = Watch([str(file), str(other)])
    in_place(file)
    assert [watch.look(), watch.look()] == [(), (str(file),)]
    other.write_text("22")
    assert [watch.look(), watch.look(), watch.look()] == [(), (str(other),), ()]
    in_place(other)
    as_an_editor(file)
    assert [watch.look(), watch.look(), watch.look()] == [(), (str(file), str(other)), ()]


def test_a_file_that_is_written_slowly_is_waited_for(file: Path) -> None:
    watch = Watch([str(file)])
    with file.open("w") as half:
        for _ in range(3):
            half.write("more")
            half.flush()
            assert not watch.look()
    assert [watch.look(), watch.look()] == [(str(file),), ()]


def test_a_file_that_goes_is_no_change_before_it_comes_back(file: Path) -> None:
    watch = Watch([str(file)])
    file.unlink()
    assert [watch.look() for _ in range(3)] == [(), (), ()]
    file.write_text("back")
    assert [watch.look(), watch.look(), watch.look()] == [(), (str(file),), ()]


def test_a_file_that_is_gone_hides_no_change_of_another(file: Path) -> None:
    secret = file.parent / "secret"
    secret.write_text("1")
    watch = Watch([str(file), str(secret)])
    in_place(file)      # so that it names no secret any more
    secret.unlink()
    assert [watch.look() for _ in range(3)] == [(), (str(file),), ()]
    secret.write_text("22")
    assert [watch.look() for _ in range(3)] == [(), (str(secret),), ()]


def test_when_to_look(file: Path) -> None:
    now = 100.0
    watch = Watch([str(file)], clock=lambda: now)
    assert watch.due == 100 + INTERVAL
    now = 105.0
    watch.look()
    assert watch.due == 105 + INTERVAL


# -- reading ---------------------------------------------------------------------------------------------------------


@WAYS
def test_a_file_that_is_replaced_while_it_is_read_is_read_again(file: Path, change: Callable[[Path], None]) -> None:
    seen = []

    def read(path: str) -> str:
        with Path(path).open("rb", buffering=0) as opened:      # in two parts, as anything larger is read
            start = opened.read(2)
            if not seen:
                change(file)
            seen.append((start + opened.read()).decode())
        return seen[-1]

    assert read_at_rest(str(file), read) == "new!"
    assert len(seen) == 2
    assert seen[0] in ("old", "olw!")     # the second is neither of the two


def test_a_file_that_never_rests(file: Path) -> None:
    def read(path: str) -> str:
        with Path(path).open("a") as opened:
            opened.write("x")
        return Path(path).read_text()

    with pytest.raises(ChangingFileError, match=r"t\.yaml changes while it is read: write another file"):
        read_at_rest(str(file), read)
    assert file.read_text() == "old" + ATTEMPTS * "x"


@pytest.mark.parametrize("path", ["/no/such/file", "zero\0byte", 5000 * "x", os.curdir])
def test_no_file(path: str) -> None:
    assert read_at_rest(path, lambda path: f"read {path}") == f"read {path}"
    watch = Watch([path])
    assert [watch.look(), watch.look()] == [(), ()]


def test_a_file_that_becomes_a_pipe_is_not_waited_for(file: Path) -> None:
    def read(path: str) -> str:
        content = Path(path).read_text()
        file.unlink()
        os.mkfifo(file)
        return content

    with pytest.raises(ChangingFileError):
        read_at_rest(str(file), read)


def test_a_stream_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert is_stream(str(path))
    writer = threading.Thread(target=path.write_text, args=("all there is",))
    writer.start()
    assert read_at_rest(str(path), lambda path: Path(path).read_text()) == "all there is"
    writer.join()
    assert not any(map(is_stream, [__file__, str(tmp_path), "/no/such/file", "zero\0byte", 5000 * "x"]))


def test_other_files_are_followed_and_no_change_of_the_first_is_missed(file: Path) -> None:
    other, third = file.parent / "secret", file.parent / "another"
    for path in (other, third):
        path.write_text("1")
    watch = Watch([str(file), str(other)])
    in_place(file)
    other.write_text("22")
    third.write_text("22")
    watch.follow([str(file), str(third)])
    assert [watch.look(), watch.look(), watch.look()] == [(), (str(file),), ()]
    third.write_text("333")
    assert [watch.look(), watch.look()] == [(), (str(third),)]
