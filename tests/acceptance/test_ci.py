"""What the page on CI says about CI and pre-commit runs as it is written there, in a clean copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "zmqtopo" / "pages" / "ci.md"
INSTALL = 'pip install "$ZMQTOPO"'


def block(file: str) -> Any:
    """The YAML block of the page whose first line names a file."""
    match = re.search(rf"^```yaml\n# {re.escape(file)}\n(.*?)^```$", PAGE.read_text("utf-8"),
                      re.MULTILINE | re.DOTALL)
    assert match, file
    return yaml.safe_load(match[1])


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a clone has of the files that the steps name."""
    folder = tmp_path / "clone"
    shutil.copytree(ROOT / "topologies", folder / "topologies")
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a step, in which ``zmqtopo`` is the one that is tested."""
    programs = tmp_path / "bin"
    programs.mkdir()
    command = programs / "zmqtopo"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m zmqtopo "$@"\n')
    command.chmod(0o755)
    return {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "GITHUB_ACTIONS": "true"}


def run(step: str, clone: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does: https://docs.github.com/actions/reference, ``jobs.<job_id>.steps[*].shell``."""
    return subprocess.run(["bash", "-e", "-c", step], cwd=clone, env=environ, capture_output=True, text=True,
                          timeout=60, check=False)


def test_the_workflow(clone: Path, environ: dict[str, str]) -> None:
    workflow = block("topologies.yml")
    assert set(workflow) == {"name", True, "jobs"}      # `on` is true for YAML 1.1, which this reader is, not GitHub
    (job,) = workflow["jobs"].values()
    assert [step["uses"].split("@")[0] for step in job["steps"] if "uses" in step] == [
        "actions/checkout", "actions/setup-python"]
    # .ci/run installs the same with pip; here what it installs is what is tested.
    install, *steps = [step["run"] for step in job["steps"] if "run" in step]
    assert (install, job["env"]) == (INSTALL, {"ZMQTOPO": "."})
    assert steps
    for step in steps:
        done = run(step, clone, environ)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
    broken = clone / "topologies" / "rpc.yaml"
    broken.write_text(broken.read_text().replace("bind:", "bnid:", 1))
    done = run(steps[0], clone, environ)
    assert done.returncode == 1
    assert done.stdout.startswith("::error file=topologies/rpc.yaml,line=")


def test_the_configuration_of_pre_commit_names_a_hook_that_is_there() -> None:
    (repository,) = block(".pre-commit-config.yaml")["repos"]
    assert repository.keys() == {"repo", "rev", "hooks"}
    hooks = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert {hook["id"] for hook in repository["hooks"]} <= hooks


def test_the_tests_that_the_script_of_ci_names_are_there() -> None:
    """In the pieces in which it runs them with other dependencies or another Python."""
    patterns = re.findall(r"\bacceptance/test_[^\s\"]+\.py", (ROOT / ".ci" / "run").read_text())
    assert patterns
    for pattern in patterns:
        listed = subprocess.run(["bash", "-O", "failglob", "-c", f"printf '%s\\n' {pattern}"], cwd=ROOT / "tests",
                                capture_output=True, text=True, check=True)
        assert [name for name in listed.stdout.split() if not (ROOT / "tests" / name).exists()] == []
