"""Documents for readers, README.md and the pages of ``zmqtopo explain``, taken apart to be tried."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "zmqtopo" / "pages").glob("*.md"))
DEADLINE = 180
"""Seconds that a program of a document may take; far more than any does."""


def page(topic: str) -> str:
    """The text of a page."""
    return (ROOT / "zmqtopo" / "pages" / f"{topic}.md").read_text("utf-8")


@dataclass(frozen=True)
class Block:
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The name in a comment on the first line: the reader is to save it under that."""
        match = re.match(r"# ([\w.-]+\.\w+)\n", self.text)
        return match[1] if match else None

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Each command of a terminal with what it prints; Ctrl-C is the command ``^C``."""
        parts = re.split(r"^(?:\$ (.*)|(\^C))\n", self.text, flags=re.MULTILINE)[1:]
        return [(command or key, output) for command, key, output in zip(*[iter(parts)] * 3, strict=True)]


def blocks(text: str) -> list[Block]:
    return [Block(*found) for found in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def prose(text: str) -> str:
    """All but the fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def table(text: str, *columns: str) -> list[list[str]]:
    """The cells of the table with these heads."""
    head = re.escape(f"| {' | '.join(columns)} |\n")
    match = re.search(rf"^{head}\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert match, columns
    return [[cell.strip() for cell in row.strip("|").split(" |")] for row in match[1].splitlines()]


def assert_shows(shown: str, printed: str) -> None:
    """Compare; ``...`` stands for anything, and a time is not the same twice."""
    pattern = re.escape(shown.rstrip())
    pattern = re.sub(r"\d+\\\.\d+(\\ )?s\b", r"\\d+\\.\\d+\1s", pattern.replace(re.escape("..."), ".*"))
    assert re.fullmatch(pattern, printed.rstrip(), re.DOTALL), printed


class Terminals:
    """Commands that run side by side, as in several terminals."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.running: list[tuple[subprocess.Popen[str], str]] = []

    def start(self, command: str, shown: str) -> subprocess.Popen[str]:
        program, *arguments = shlex.split(command)
        here = {"python": [], "pytest": ["-m", "pytest", "-p", "no:cacheprovider"], "zmqtopo": ["-m", "zmqtopo"]}
        process = subprocess.Popen(
            [sys.executable, "-P", *here[program], *arguments], cwd=self._folder, encoding="utf-8",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        self.running.append((process, shown))
        return process

    def finish(self, code: int = 0) -> None:
        """Wait for the end of the last that was started and compare what it printed."""
        process, shown = self.running[-1]       # where `close` finds it if it takes too long
        printed, _ = process.communicate(timeout=DEADLINE)
        self.running.pop()
        assert process.returncode == code, printed
        assert_shows(shown, printed)

    def close(self) -> None:
        for process, _ in self.running:
            process.kill()
            process.communicate()
