"""What .ci/release and the workflow that calls it rest on; they themselves build for minutes."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path.name for path in (ROOT / ".ci").iterdir())


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_scripts_are_bash(name: str) -> None:
    done = subprocess.run(["bash", "-n", str(ROOT / ".ci" / name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_sdist_has_all_that_the_compiler_needs() -> None:
    """What a module depends on goes into the sdist, and nothing else of that kind does."""
    modules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["ext-modules"]
    named = {file for module in modules for file in (*module["sources"], *module["depends"])}
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "zmqtopo").rglob("*")
             if path.suffix in (".pyx", ".pxi", ".pxd")}
    assert named == there


def test_a_wheel_has_every_package() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "zmqtopo").rglob("__init__.py")}
    assert set(listed) == there | {"zmqtopo.schemas"}
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("module", ["loop/_loop.pyx", "bench/_ends.pyx"])
def test_a_module_is_made_anew_when_what_it_includes_has_changed(module: str) -> None:
    modules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["ext-modules"]
    (depends,) = [each["depends"] for each in modules if each["sources"] == [f"zmqtopo/{module}"]]
    folder = (ROOT / "zmqtopo" / module).parent
    found, texts = set(), [ROOT / "zmqtopo" / module]
    while texts:
        path = texts.pop()
        for name in re.findall(r'^include "(.*)"', path.read_text("utf-8"), re.MULTILINE):
            included = next(p.resolve() for p in (folder / name, path.parent / name, ROOT / name) if p.exists())
            found.add(str(included.relative_to(ROOT)))
            texts.append(included)
    assert found <= set(depends)


def test_the_workflow_makes_a_release_of_a_tag() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))
    assert workflow[True]["push"] == {"tags": ["v*"]}       # `on` is true for YAML 1.1
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/release dist"]
    assert job["steps"][-1]["with"]["path"] == "dist/"
