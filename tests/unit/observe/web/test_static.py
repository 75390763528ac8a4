"""The files of the page: all of them are in the package, and what others have written is what they have published."""

from __future__ import annotations

import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

STATIC = files("zmqtopo.observe.web") / "static"
SOURCE = Path(__file__).parents[4] / "zmqtopo" / "observe" / "web" / "static"
VENDORED = json.loads(STATIC.joinpath("vendored.json").read_text("utf-8"))
OWN = sorted(path.name for path in SOURCE.iterdir() if path.suffix in (".js", ".css") and path.name not in VENDORED)


def test_the_package_has_every_file() -> None:
    assert {path.name: path.read_bytes() for path in STATIC.iterdir()} == {
        path.name: path.read_bytes() for path in SOURCE.iterdir()}


@pytest.mark.parametrize("name", VENDORED)
def test_what_others_have_written_is_unchanged_and_has_its_licence(name: str) -> None:
    about = VENDORED[name]
    assert hashlib.sha256(STATIC.joinpath(name).read_bytes()).hexdigest() == about["sha256"]
    text = STATIC.joinpath(about["licence_text"]).read_text("utf-8")
    assert f"{about['package']} {about['version']}" in text
    for words in ("Copyright (c) 2023 Michael Daines", "Eclipse Public License - v 1.0", "Expat maintainers"):
        assert words in text


@pytest.mark.parametrize("name", OWN)
def test_nothing_is_loaded_from_elsewhere(name: str) -> None:
    text = STATIC.joinpath(name).read_text("utf-8")
    assert set(re.findall(r"\bhttps?://[^\s\"')]+", text)) <= {"http://www.w3.org/2000/svg"}   # a namespace
    for imported in re.findall(r"""(?:from|import|URL\()\s*"(?:\./)?([^"]+)\"""", text):
        assert STATIC.joinpath(imported).is_file(), imported


@pytest.mark.parametrize("name", OWN)
def test_no_text_becomes_markup(name: str) -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|createContextualFragment"
    assert re.findall(forbidden, STATIC.joinpath(name).read_text("utf-8")) == []
