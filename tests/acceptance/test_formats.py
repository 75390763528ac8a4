"""The formats of ``zmqtopo validate``, each against what its readers demand, and what can be named."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent
from urllib.parse import unquote
from xml.etree import ElementTree as Xml

import jsonschema
import pytest

from zmqtopo.checks.catalogue import CATALOGUE
from zmqtopo.cli import main

INSTALLED = shutil.which("zmqtopo", path=str(Path(sys.executable).parent))
COMMAND = [INSTALLED] if INSTALLED else [sys.executable, "-m", "zmqtopo"]
FORMATS = ["full", "concise", "json", "github", "sarif", "junit"]
INVALID = Path(__file__).parents[1] / "invalid"

GOOD = """\
devices:
  jobs:
    type: streamer
    in: {bind: tcp://*:5563}
    out: {bind: tcp://*:5564}
"""
WARNING = GOOD.replace("5564}", "5564, options: {hwm: 0}}")
INFO = GOOD.replace("bind: tcp://*:5563", "connect: tcp://localhost:5563")
ERROR = GOOD.replace("5564", "5563")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"good": GOOD, "warning": WARNING, "info": INFO, "error": ERROR}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def validate(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "GITHUB_ACTIONS"}
    return subprocess.run([*COMMAND, "validate", *arguments], capture_output=True, text=True, encoding="utf-8",
                          timeout=60, cwd=folder, check=False, env={**environment, **environ})


# -- github -----------------------------------------------------------------------------------------------------------

ANNOTATION = re.compile(r"::(error|warning|notice) file=([^,:]*),line=(\d+),endLine=(\d+),col=(\d+),endColumn=(\d+),"
                        r"title=([a-z-]+)::(\S.*)")


def test_annotations(folder: Path) -> None:
    done = validate(folder, "--format", "github", "error.yaml", "warning.yaml", "info.yaml", "good.yaml")
    assert (done.returncode, done.stderr) == (1, "")
    *annotations, summary = done.stdout.splitlines()
    assert summary == "1 error, 1 warning, 1 info in 4 files"
    found = [match.groups() for line in annotations if (match := ANNOTATION.fullmatch(line))]
    assert [groups[:7] for groups in found] == [
        ("error", "error.yaml", "5", "5", "17", "28", "bind-conflict"),
        ("warning", "warning.yaml", "5", "5", "41", "43", "unlimited-hwm"),
        ("notice", "info.yaml", "4", "4", "19", "38", "unbound-endpoint"),
    ]
    assert found[0][7] == ("jobs.out binds tcp://*:5563, but jobs.in already binds it (see line 4) [bind-conflict]"
                           "%0Ahint: give one of them another port, or let one connect")


def test_github_is_the_default_where_github_runs_it(folder: Path) -> None:
    assert validate(folder, "error.yaml", GITHUB_ACTIONS="true").stdout.startswith("::error file=error.yaml,")
    assert validate(folder, "good.yaml", GITHUB_ACTIONS="true").stdout == "no problems in 1 file\n"
    assert validate(folder, "--format", "concise", "good.yaml", GITHUB_ACTIONS="true").stdout == ""
    assert validate(folder, "error.yaml", GITHUB_ACTIONS="false").stdout.startswith("error.yaml:5:17: error: ")


# -- sarif ------------------------------------------------------------------------------------------------------------


def every_problem(folder: Path) -> list[str]:
    """Files that have, all together, every kind of problem, with names that need care."""
    names = ["a b.yaml", "50%.yaml", "größe.yaml", "::x.yaml", "c:d.yaml"]
    for name, text in zip(names, [ERROR, WARNING, INFO, "devices: [", ERROR], strict=True):
        (folder / name).write_text(text)
    return [*names, "missing.yaml", str(INVALID)]


def test_sarif_is_valid_by_its_schema(folder: Path, node_modules: Path) -> None:
    schema = json.loads((node_modules / "@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    for files in (["good.yaml"], every_problem(folder)):
        log = json.loads(validate(folder, "--format", "sarif", *files).stdout)
        assert [error.message for error in validator.iter_errors(log)] == []
    log["runs"][0]["results"][0]["nonsense"] = 1
    assert not validator.is_valid(log)


def test_what_sarif_says(folder: Path) -> None:
    names = every_problem(folder)
    done = validate(folder, "--format", "sarif", *names)
    assert (done.returncode, done.stderr) == (1, "")
    log = json.loads(done.stdout)
    plain = json.loads(validate(folder, "--format", "json", *names).stdout)["problems"]
    run, = log["runs"]
    assert log["version"] == "2.1.0"
    assert run["tool"]["driver"]["name"] == "zmqtopo"
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(CATALOGUE)
    for rule in rules:
        assert "**Bad**\n\n```" in rule["help"]["markdown"]
        assert rule["help"]["markdown"].count("```") == 4
    assert any("\nhint: " in result["message"]["text"] for result in run["results"])
    assert len(run["results"]) == len(plain) > 100
    for result, problem in zip(run["results"], plain, strict=True):
        assert result["ruleId"] == problem["rule"] == rules[result["ruleIndex"]]["id"]
        assert result["level"] == {"error": "error", "warning": "warning", "info": "note"}[problem["severity"]]
        assert result["message"]["text"]
        location = result["locations"][0]["physicalLocation"]
        uri = location["artifactLocation"]["uri"]
        assert location["artifactLocation"].get("uriBaseId") == (None if uri.startswith("file:") else "%SRCROOT%")
        assert unquote(uri).removeprefix("file://").removeprefix("./") == problem["file"]
        assert re.fullmatch(r"(file:///)?[\w./~%-][\w./~%:-]*", uri)
        assert ":" not in uri.removeprefix("file:").partition("/")[0]
        assert location["region"]["startLine"] == location["region"]["endLine"] == problem["line"]
        assert location["region"]["startColumn"] == problem["column"] <= location["region"]["endColumn"]
        assert ("relatedLocations" in result) is (problem["other"] is not None)


# -- junit ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [False, True])
def test_junit(folder: Path, strict: bool) -> None:
    files = ["good.yaml", "warning.yaml", "info.yaml", "error.yaml", "missing.yaml"]
    done = validate(folder, "--format", "junit", *files, *["--strict"] * strict)
    assert (done.returncode, done.stderr) == (1, "")
    root = Xml.fromstring(done.stdout.encode())
    assert root.tag == "testsuites"
    assert [suite.get("name") for suite in root] == files
    failed = [len(suite.findall("testcase/failure")) for suite in root]
    assert failed == [0, int(strict), 0, 1, 1]
    for element in (root, *root):
        cases = element.findall("testcase") or element.findall("testsuite/testcase")
        assert element.get("tests") == str(len(cases))
        assert element.get("failures") == str(sum(case.find("failure") is not None for case in cases))
    for case in root.iter("testcase"):
        assert case.get("name")
        assert case.get("classname")
    failure = root[3].find("testcase/failure")
    assert failure is not None
    assert failure.get("type") == "bind-conflict"
    assert failure.get("message") == "jobs.out binds tcp://*:5563, but jobs.in already binds it"
    assert failure.text is not None
    assert failure.text.startswith("error.yaml:5:17: error: ")


# -- strict -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_no_warning_slips_through_strict(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    monkeypatch.chdir(folder)
    by_severity = {"error": (1, 1), "warning": (0, 1), "info": (0, 0)}
    tried = set()
    for rule in CATALOGUE.values():
        if (rule.severity == "error" and rule.name != "bind-conflict") or rule.family == "machine":
            continue
        Path("rule.yaml").write_text(dedent(rule.bad))
        codes = tuple(main(["validate", "--format", form, "rule.yaml", *more]) for more in ([], ["--strict"]))
        assert (rule.name, codes) == (rule.name, by_severity[rule.severity])
        tried.add(rule.severity)
    assert tried == set(by_severity)
    assert capsys.readouterr().err == ""


def test_a_warning_that_a_comment_silences_is_none_for_strict(folder: Path) -> None:
    (folder / "silent.yaml").write_text(WARNING.rstrip() + "  # zmqtopo: ignore[unlimited-hwm]\n")
    done = validate(folder, "--strict", "silent.yaml")
    assert (done.returncode, done.stdout) == (0, "no problems in 1 file\n")


# -- files ------------------------------------------------------------------------------------------------------------


def test_a_folder_with_all_that_is_below_it(folder: Path) -> None:
    (folder / "sub" / ".hidden").mkdir(parents=True)
    (folder / "sub" / "more.yml").write_text(ERROR)
    (folder / "sub" / "notes.md").write_text(f"# Notes\n\n```yaml\n{WARNING}```\n")
    (folder / "sub" / "notes.txt").write_text(ERROR)
    (folder / "sub" / ".hidden" / "x.yaml").write_text(ERROR)
    (folder / "round").symlink_to(".")
    os.mkfifo(folder / "pipe.yaml")
    done = validate(folder, "--format", "concise", ".", "error.yaml", "./sub/more.yml")
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "error.yaml", "info.yaml", "warning.yaml", "sub/more.yml", "sub/notes.md"]
    assert "in 6 files" in validate(folder, ".").stdout


def test_a_folder_without_a_topology_is_a_problem(folder: Path) -> None:
    (folder / "empty").mkdir()
    done = validate(folder, "--format", "concise", "empty")
    assert (done.returncode, done.stdout) == (1, "empty:1:1: error: this folder has no topology [unreadable-file]\n")


FOREIGN = {
    "compose.yaml": "services:\n  web:\n    image: x\n    devices: [/dev/dri]\n",
    "k8s/deployment.yml": "apiVersion: apps/v1\nkind: Deployment\n",
    "train.yaml": "device: cuda\nepochs: 3\n",
    "list.yaml": "- devices: {}\n",
    "empty.yaml": "# nothing\n",
    ".hidden.yaml": ERROR,
    ".github/x.yaml": ERROR,
    "node_modules/pkg/x.yaml": ERROR,
    "env/pyvenv.cfg": "home = /usr/bin\n",
    "env/lib/x.yaml": ERROR,
    "lib/site-packages/x.yaml": ERROR,
    "docs/none.md": "# Nothing\n",
}
"""What a repository has beside topologies."""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name, text in {**FOREIGN, "ours.yaml": GOOD, "deploy/eu.yaml": GOOD, "deploy/old/us.yaml": GOOD}.items():
        path = tmp_path / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "repository"


def test_a_repository_has_files_that_are_no_topologies(repository: Path) -> None:
    done = validate(repository, ".")
    assert (done.returncode, done.stdout) == (0, "no problems in 3 files\n")


@pytest.mark.parametrize(("patterns", "files"), [
    (["old"], 2), (["deploy/old"], 2), (["./deploy/old/"], 2), (["deploy"], 1), (["deploy/*.yaml"], 1), (["us.*"], 2),
    (["eu.yaml", "us.yaml"], 1), (["none"], 3),
])
def test_what_is_left_out_of_a_folder(repository: Path, patterns: list[str], files: int) -> None:
    done = validate(repository, ".", *(f"--exclude={pattern}" for pattern in patterns))
    assert (done.returncode, done.stdout) == (0, f"no problems in {files} file{'s' if files > 1 else ''}\n")


def test_all_of_a_folder_left_out_is_a_problem(repository: Path) -> None:
    assert validate(repository, ".", "--exclude", "*").returncode == 1


@pytest.mark.parametrize(("name", "text"), [
    ("typo.yaml", "devcies:\n  a: {type: streamer}\n"),
    ("topology.yaml", "dvs: {}\n"),
    ("eu.topology.yml", "dvs: {}\n"),
    ("editor.yaml", "# yaml-language-server: $schema=../schemas/topology.schema.json\ndvs: {}\n"),
    ("flow.yaml", '{"name": "x", "devices": {"a": 1}}\n'),
    ("broken.yaml", "name: x\ndevices:\n  a: {type: streamer\n"),
    ("indented.yaml", "---\n  name: x\n  devices: 1\n"),
])
def test_a_topology_with_a_mistake_is_seen_in_a_folder(repository: Path, name: str, text: str) -> None:
    (repository / name).write_text(text)
    done = validate(repository, ".", "--format", "concise")
    assert done.returncode == 1
    assert {line.partition(":")[0] for line in done.stdout.splitlines()} == {name}


@pytest.mark.parametrize(("name", "message"), [
    ("docs/none.md", "this file has no topology [unreadable-file]"),
    ("compose.yaml", "unknown key 'services'"),
    ("train.yaml", "unknown key 'device'"),
    ("k8s", "this folder has no topology [unreadable-file]"),
])
def test_what_is_named_has_to_be_a_topology(repository: Path, name: str, message: str) -> None:
    done = validate(repository, name, "ours.yaml", "--format", "concise")
    assert done.returncode == 1
    assert message in done.stdout


def test_topologies_in_markdown(folder: Path) -> None:
    (folder / "README.md").write_text(
        f"# Title\n\n```yaml\n{GOOD}```\n\n- item:\n\n  ~~~~yml\n{indent(ERROR, '  ')}  ~~~~\n\n"
        "```yaml\nother: true\n```\n\n```yaml\ndevices: {}  # zmqtopo: ignore[no-endpoint]\n```\n")
    done = validate(folder, "README.md")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == """\
README.md:18:19: error: jobs.out binds tcp://*:5563, but jobs.in already binds it [bind-conflict]
18 |       out: {bind: tcp://*:5563}
   |                   ^^^^^^^^^^^^
17 |       in: {bind: tcp://*:5563}
   |                  ^^^^^^^^^^^^ the other place
   = hint: give one of them another port, or let one connect

README.md:26:32: warning: this comment silences nothing: there is no no-endpoint in this line [unused-ignore]
26 | devices: {}  # zmqtopo: ignore[no-endpoint]
   |                                ^^^^^^^^^^^
   = hint: remove it, or put it on the line that the finding names

1 error, 1 warning in 1 file
"""


# -- the machine ------------------------------------------------------------------------------------------------------


def test_the_machine_is_asked_only_by_probe(folder: Path) -> None:
    text = GOOD.replace("tcp://*:5563", "ipc:///no/such/folder/x").replace("*:5564", "127.0.0.1:*")
    (folder / "ipc.yaml").write_text(text)
    assert validate(folder, "ipc.yaml").returncode == 0
    done = validate(folder, "--probe", "--format", "concise", "ipc.yaml")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == ("ipc.yaml:4:16: error: jobs.in binds ipc:///no/such/folder/x, and there is no folder "
                           "/no/such/folder [ipc-dir-missing]\n")


# -- nothing of a file gets out ---------------------------------------------------------------------------------------

HOSTILE = [
    "::error file=x::pwned", "##[error]pwned", "##vso[task.setvariable]x", "\\x1b[2J\\x1b]0;pwned\\x07",
    "\\r::error::pwned", "\\n::error::pwned\\n", "%0A::error::pwned", "]]></failure>&<!--", "\\u202e\\u2066",
    "\\x9b31m", "\\ud83d\\ude00\\u0300", "`\\u2028::error::pwned",
]


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_of_a_file_gives_orders_to_a_terminal_or_to_a_ci_machine(folder: Path, form: str) -> None:
    quoted = [f'"{text}"' for text in HOSTILE]
    texts = [f"devices: {{a: {{type: {text}, in: {{bind: {text}}}, out: {{connect: {text}}}, {text}: 1}}}}\n"
             for text in quoted]
    texts += [f"{text}: 1\n" for text in quoted]
    texts += [f"devices: {{a: !{text.split()[0]} {{}}}} # zmqtopo: ignore[{text}]\n" for text in HOSTILE]
    texts += [f"description: {text}\n::error::pwned\n##[error]pwned\n" for text in HOSTILE]
    texts += [f"devices: {{a: {{type: streamer, in: {{connect: {text}.in}}, out: {{bind: 'tcp://*:1'}}}}}}\n"
              for text in quoted]
    names = []
    for number, text in enumerate(texts):
        name = f"::error::pwned {number}.yaml" if number % 2 else f"\x1b[2J##[error]\u202e&<{number}.yaml"
        (folder / name).write_text(text)
        names.append(name)
    done = validate(folder, "--format", form, *names)
    assert (done.returncode, done.stderr) == (1, "")
    assert all(character.isprintable() or character == "\n" for character in done.stdout)
    if form == "github":
        *annotations, _ = done.stdout.splitlines()
        assert all(ANNOTATION.fullmatch(line) for line in annotations)
    else:
        assert not re.search(r"^\s*::", done.stdout, re.MULTILINE)
        assert not re.search(r"##\w*\[", done.stdout)
    if form == "junit":
        root = Xml.fromstring(done.stdout.encode())
        assert len(root) == len(names)
    if form in ("json", "sarif"):
        json.loads(done.stdout)


# -- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("options", [
    "{plain_password: hunter2, hmw: 3}",
    "{plain_password: 'hunter2', plain_password: hunter2}",
    "{plain_pasword: hunter2}",
    "{plain_password:hunter2}",
    "{plain_password: '${hunter2'}",
    "{plain_password: '${hunter 2}'}",
    "{curve_secretkey: hunter2hunter2hunter2}",
    "{curve_secretkey: !!int hunter2}",
    "{curve_secretkey: [hunter2]}",
    "{curve_secretkey: {fiel: hunter2}}",
    "{curve_secretkey: 'hunter2' 'hunter2'}",
    "\n        plain_password:hunter2\n        hwm: 3",
    "\n        plain_password: a: hunter2",
    "\n        wss_key_pem: |\n      hunter2",
    "\n        wss_key_pem: |\n          a\n         hunter2\n        hunter2",
    "{plain_password: 7711}",
    "{plain_password: 77.11}",
])
def test_no_format_shows_a_secret(
    tmp_path: Path, form: str, options: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GOOD.replace("bind: tcp://*:5563", "bind: tcp://*:5563, options: OPTIONS")
    text = text.replace("{bind: tcp://*:5563, options: OPTIONS}",
                        f"{{bind: tcp://*:63, options: {options}}}" if options[0] == "{" else
                        f"\n      bind: tcp://*:63\n      options: {options}")
    (tmp_path / "secret.yaml").write_text(text)
    assert main(["validate", str(tmp_path / "secret.yaml"), "--format", form]) == 1
    shown = "".join(capsys.readouterr())
    assert "secret.yaml" in shown
    assert not re.search(r"hunter|77\.?11", shown)
