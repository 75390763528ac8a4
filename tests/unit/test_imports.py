"""Which package may import which: data goes one way through the house, and imports point back along it."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest

import zmqtopo

ROOT = Path(zmqtopo.__file__).parent

ALLOWED = {
    "exit_codes": set(),
    "config": set(),
    "checks": {"config", "broker"},
    "report": {"config", "checks"},
    "draw": {"config", "checks"},
    "convert": {"config", "checks"},
    "loop": set(),
    "broker": {"config", "loop"},
    "devices": {"loop", "broker"},
    "worker": {"config", "loop", "broker"},
    "supervisor": {"config", "checks", "broker", "worker"},
    "api": {"config", "broker", "worker", "supervisor"},
    "control": {"config"},
    "service": {"config", "checks", "report", "broker", "worker", "supervisor", "control", "exit_codes"},
    "testing": {"config", "supervisor", "api"},
    "observe": {"config", "broker", "checks", "report", "draw", "control", "exit_codes"},
    "bench": {"config", "loop", "broker", "worker", "supervisor", "api"},
    "cli": {"config", "checks", "report", "draw", "convert", "control", "service", "supervisor", "bench", "observe",
            "exit_codes"},
}
"""What each package may import beside itself; `zmqtopo` itself hands on lazily and may be imported by all."""


def packages() -> set[str]:
    """The packages and modules at the top of the house."""
    return {path.name.removesuffix(".py") for path in ROOT.iterdir()
            if path.suffix == ".py" or (path / "__init__.py").exists()} - {"__init__", "__main__", "schemas"}


def imports(path: Path) -> set[str]:
    """The packages that a file imports anywhere, in functions and under TYPE_CHECKING too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {node.module} if node.module != "zmqtopo" else {f"zmqtopo.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in found if name.startswith("zmqtopo.")} & packages()


def test_the_table_has_every_package() -> None:
    assert packages() == set(ALLOWED)


def test_the_table_has_no_circle() -> None:
    left = {name: set(allowed) for name, allowed in ALLOWED.items()}
    while ground := [name for name, allowed in left.items() if not allowed]:
        left = {name: allowed - set(ground) for name, allowed in left.items() if name not in ground}
    assert not left


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_point_one_way(package: str) -> None:
    files = list((ROOT / package).rglob("*.py")) or [ROOT / f"{package}.py"]
    wrong = {f"{path.relative_to(ROOT)} imports {name}"
             for path in files for name in imports(path) - ALLOWED[package] - {package}}
    assert not wrong


def modules(path: Path, known: Iterable[str]) -> set[str]:
    """Of the modules that are known, those that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if names <= set(known) else {node.module, *names}
    return found & set(known)


def test_no_module_is_in_a_circle() -> None:
    files = {".".join(["zmqtopo", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__"): path
             for path in ROOT.rglob("*.py")}
    del files["zmqtopo"]        # it hands names on when they are asked for
    left = {name: modules(path, files) - {name} for name, path in files.items()}
    while ground := {name for name, needed in left.items() if not needed}:
        left = {name: needed - ground for name, needed in left.items() if name not in ground}
    assert not left
