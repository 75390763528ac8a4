"""Every file in tests/invalid gives exactly the report beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from zmqtopo.checks import check_file

FOLDER = Path(__file__).parents[1] / "invalid"


def report(path: Path) -> str:
    """The problems of a file, one a line, each hint below its problem."""
    lines = []
    for p in check_file(path):
        assert p.file == str(path)
        lines.append(f"{p.place.line}:{p.place.column}: {p.severity}: {p.message} [{p.rule}]")
        if p.hint:
            lines.append(f"  hint: {p.hint}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_report(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZMQTOPO_STATE_DIR")     # near to a variable that is not there
    assert report(path) == path.with_suffix(".txt").read_text("utf-8")


def test_every_report_has_a_file() -> None:
    assert {p.stem for p in FOLDER.glob("*.txt")} == {p.stem for p in FOLDER.glob("*.yaml")}
