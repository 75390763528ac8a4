"""Every file in tests/conversions becomes exactly the file beside it, with exactly these notes, or this error."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.convert import ConvertError, convert, guess

FOLDER = Path(__file__).parents[2] / "conversions"
FORMS = {".json": "zdcf", ".zpl": "zpl", ".xml": "xml"}
GOOD = sorted(path for path in (FOLDER / "good").iterdir() if path.suffix in FORMS)
BAD = sorted(path for path in (FOLDER / "bad").iterdir() if path.suffix in FORMS)


def form_of(path: Path) -> str:
    return "fairmq" if path.name.startswith("fairmq") else FORMS[path.suffix]


def beside(path: Path, suffix: str) -> str:
    return path.with_name(path.name + suffix).read_text("utf-8")


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_a_good_file(path: Path) -> None:
    text = path.read_text("utf-8")
    assert guess(text) == form_of(path)
    converted = convert(text, form_of(path))
    assert converted.text == beside(path, ".yaml")
    assert "".join(f"{note.line}: {note.text}\n" for note in converted.notes) == beside(path, ".txt")
    assert [p for p in examine_text(converted.text, environ={}).problems if p.severity != "info"] == []


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_every_note_is_a_comment_too(path: Path) -> None:
    converted = convert(path.read_text("utf-8"), form_of(path))
    lines = (line.strip() for line in converted.text.splitlines())
    comments = " ".join(line.removeprefix("# ") for line in lines if line.startswith("# "))
    # In the order of the file, for a note stands above what it is about.
    assert comments == " ".join(note.text for note in converted.notes)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_a_bad_file(path: Path) -> None:
    with pytest.raises(ConvertError) as caught:
        convert(path.read_text("utf-8"), form_of(path))
    error = caught.value
    hint = f"  hint: {error.hint}\n" if error.hint else ""
    assert f"{error.line}: {error.message}\n{hint}" == beside(path, ".txt")


def test_every_expectation_has_a_file() -> None:
    for path in FOLDER.glob("*/*.*.*"):
        assert path.with_suffix("").exists(), path


@pytest.mark.parametrize("form", [*FORMS.values(), "fairmq"])
def test_no_text_is_anything_but_converted_or_refused_with_a_line(form: str) -> None:
    chance = random.Random(form)
    # FairMQ's programs are checked once more for each that cannot run, so its files are mixed among themselves.
    pieces = [path.read_text("utf-8") for path in (*GOOD, *BAD) if form != "fairmq" or form_of(path) == form]
    outcomes = set()
    for _ in range(1500):
        text = chance.choice(pieces)
        for _ in range(chance.randint(1, 4)):
            a, b = sorted(chance.choices(range(len(text) + 1), k=2))
            other = chance.choice(pieces)
            cut = chance.randrange(len(other) + 1)
            text = chance.choice([
                text[:a] + text[b:], text[:b] + text[a:], text[:a] + chance.choice('{}[]<>"\'=#&;:,\n\t\0é ') +
                text[a:], text[:a] + other[cut : cut + 20] + text[a:],
            ])
        try:
            converted = convert(text, form)
        except ConvertError as error:
            outcomes.add("refused" if 1 <= error.line <= text.count("\n") + 1 else f"{error.line} of {text!r}")
        else:
            outcomes.add("converted")
            assert not [p for p in examine_text(converted.text, environ={}).problems if p.severity == "error"]
    assert outcomes - {"converted"} == {"refused"}
