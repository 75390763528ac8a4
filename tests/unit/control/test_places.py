"""Where state folders are made, and where they are looked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zmqtopo.control import places as module
from zmqtopo.control.errors import ControlError
from zmqtopo.control.places import fallback, home, places

UID = os.geteuid()


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One without any of the folders, and with none of the variables."""
    for name in ("ZMQTOPO_STATE_DIR", "XDG_RUNTIME_DIR", "TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "RUN_USER", tmp_path / "run/user")
    monkeypatch.setattr(module, "SYSTEM_TEMPORARY", (str(tmp_path / "tmp"), str(tmp_path / "var/tmp")))
    return tmp_path


def make(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def test_the_likeliest_comes_first(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp = make(machine / "tmp") / f"zmqtopo-{UID}"
    assert (home(), places(), fallback()) == (tmp, [tmp], tmp)
    login = make(machine / f"run/user/{UID}") / "zmqtopo"
    assert (home(), places(), fallback()) == (login, [login, tmp], tmp)
    for useless in ("", "relative/path"):
        monkeypatch.setenv("XDG_RUNTIME_DIR", useless)
        assert home() == login
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/elsewhere")
    assert (home(), places()) == (Path("/elsewhere/zmqtopo"), [Path("/elsewhere/zmqtopo"), login, tmp])
    monkeypatch.setenv("TMPDIR", str(make(machine / "own")))
    assert places()[2:] == [machine / f"own/zmqtopo-{UID}", tmp]
    monkeypatch.setenv("ZMQTOPO_STATE_DIR", "/srv/state")
    assert (home(), places(), fallback()) == (Path("/srv/state/zmqtopo"), [Path("/srv/state/zmqtopo")], None)


def test_a_relative_path_is_not_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZMQTOPO_STATE_DIR", "state")
    for ask in (home, places):
        with pytest.raises(ControlError, match=r"^ZMQTOPO_STATE_DIR is not an absolute path"):
            ask()


def test_no_place_at_all() -> None:
    with pytest.raises(ControlError, match=r"^there is no folder for .*; set ZMQTOPO_STATE_DIR to a folder"):
        home()
    assert (places(), fallback()) == ([], None)


@pytest.mark.skipif(UID != 0, reason="only root can give a folder away")
def test_the_folder_of_another_user_is_not_ones_own(machine: Path) -> None:
    os.chown(make(machine / f"run/user/{UID}"), 12345, -1)
    tmp = make(machine / "tmp") / f"zmqtopo-{UID}"
    assert (home(), places()) == (tmp, [tmp])
