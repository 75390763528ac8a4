"""The fixture as users of pytest meet it: in test files of their own, found through the entry point."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = "pytester"

ROOT = Path(__file__).parents[2]

PIPELINE = """
devices:
  collect: {type: streamer, in: {bind: tcp://*:5551}, out: {connect: tcp://127.0.0.1:5552}}
  deliver: {type: streamer, in: {bind: tcp://127.0.0.1:5552}, out: {connect: tcp://worker:5553}}
  side:    {type: streamer, in: {bind: "ipc:///run/none/side"}, out: {bind: "tcp://127.0.0.1:*"}}
"""

TESTS = """
import pytest, zmq

@pytest.fixture
def sockets():
    with zmq.Context() as context:
        made = [context.socket(zmq.PUSH), context.socket(zmq.PULL)]
        yield made
        for socket in made:
            socket.close(0)

def through(sockets, connect_to, bind_to=None, connect_out=None):
    push, pull = sockets
    push.connect(connect_to)
    pull.bind(bind_to) if bind_to else pull.connect(connect_out)
    push.send(b"job")
    assert pull.poll(10_000)
    assert pull.recv() == b"job"
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., pytest.RunResult]:
    """Run pytest in a process of its own, where zmqtopo is installed as far as entry points tell."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = tmp_path / "site/zmqtopo-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0\n")
    points = project["entry-points"]["pytest11"]
    (info / "entry_points.txt").write_text("[pytest11]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(info.parent), *(path for path in sys.path if path)]))
    pytester.makefile(".yaml", pipeline=PIPELINE)

    def run(*arguments: str, **files: str) -> pytest.RunResult:
        for name, text in files.items():
            pytester.makepyfile(**{name: text if name.startswith("conftest") else TESTS + text})
        return pytester.runpytest_subprocess("-W", "error", "--strict-markers", "-p", "no:cacheprovider", *arguments,
                                             timeout=60)

    return run


def test_messages_pass_where_the_fixture_says(run, pytester: pytest.Pytester) -> None:
    done = run("-v", test_it="""
@pytest.mark.zmqtopo("pipeline.yaml")
def test_through_two_devices(topology, sockets):
    through(sockets, topology.address("collect.in"), topology.where("tcp://worker:5553"))

@pytest.mark.zmqtopo("pipeline.yaml")
def test_by_the_addresses_of_the_file(topology, sockets):
    assert topology.where("tcp://localhost:5551") == topology.address("collect.in")
    assert topology.where("ipc:///run/none/side") == topology.address("side.in")
    through(sockets, topology.where("ipc:///run/none/side"), connect_out=topology.address("side.out"))
    # It is counted when it has been sent, and may be here before.
    assert any(topology.counters()["side"].in_to_out.messages == 1 for _ in range(100_000))

@pytest.mark.zmqtopo("pipeline.yaml")
def test_an_address_that_no_device_has(topology):
    with pytest.raises(LookupError, match="no device of pipeline binds or connects to tcp://worker:1"):
        topology.where("tcp://worker:1")
    assert topology.where("inproc://x") == "inproc://x"
""")
    done.assert_outcomes(passed=3)
    done.stdout.fnmatch_lines(["test_it.py::test_through_two_devices PASSED*"])


def test_a_module_shares_one_and_modules_do_not(run, pytester: pytest.Pytester) -> None:
    module = """
pytestmark = pytest.mark.zmqtopo("pipeline.yaml")
def test_one(topology):
    print("<", topology.address("collect.in"), ">")
class TestMore:
    def test_two(self, topology):
        print("<", topology.address("collect.in"), ">")
"""
    done = run("-s", test_a=module, test_b=module)
    done.assert_outcomes(passed=4)
    seen = [line.split("<")[1].split(">")[0] for line in done.outlines if "<" in line]
    assert seen[0] == seen[1] != seen[2] == seen[3]


def test_the_nearest_mark_and_a_file_in_the_root_folder(run, pytester: pytest.Pytester) -> None:
    other = "devices: {other: {type: queue, in: {bind: tcp://*:1}, out: {bind: tcp://*:2}}}"
    (pytester.mkdir("deep") / "other.yaml").write_text(other)
    (pytester.path / "deep/test_it.py").write_text("""
import pytest
pytestmark = pytest.mark.zmqtopo("pipeline.yaml")
def test_of_the_root(topology):
    assert "collect" in topology.states
@pytest.mark.zmqtopo("other.yaml")
def test_beside_it(topology):
    assert topology.states == {"other": "running"}
@pytest.fixture
def through_another_fixture(topology):
    return topology
def test_through_another(through_another_fixture):
    assert "collect" in through_another_fixture.states
""")
    run().assert_outcomes(passed=3)


def test_mistakes(run, pytester: pytest.Pytester) -> None:
    mistakes = {
        "": 'say which topology to run: @pytest.mark.zmqtopo("FILE")',
        "@pytest.mark.zmqtopo": "the mark takes one file",
        "@pytest.mark.zmqtopo('a', 'b')": "the mark takes one file",
        "@pytest.mark.zmqtopo('nowhere.yaml')": "there is no nowhere.yaml in *",
        "@pytest.mark.zmqtopo(300 * 'x')": "there is no xxx*",
        "@pytest.mark.zmqtopo('wrong.yaml')": "  hint: did you mean bind*",
        "@pytest.mark.zmqtopo('unable.yaml')": "*unable.yaml cannot start: d.in: cannot *",
    }
    device = "devices: {d: {type: streamer, in: {%s}, out: {bind: tcp://*:2}}}"
    pytester.makefile(".yaml", wrong=device % "bnd: tcp://*:1",
                      unable=device % "bind: tcp://*:1, options: {plain_password: {file: none}}")
    done = run(test_it="".join(f"{mark}\ndef test_{n}(topology): pass\n" for n, mark in enumerate(mistakes)))
    done.assert_outcomes(errors=len(mistakes))
    done.stdout.fnmatch_lines([line for n, words in enumerate(mistakes.values())
                               for line in (f"*ERROR at setup of test_{n} *", f"*{words}*")])
    for noise in ("*Traceback*", "*another exception*", "*pytest_plugin.py*"):
        done.stdout.no_fnmatch_line(noise)


def test_a_mark_without_the_fixture_fails(run) -> None:
    done = run(test_it="""
@pytest.mark.zmqtopo("pipeline.yaml")
def test_forgot(): pass

@pytest.mark.zmqtopo("pipeline.yaml")
class TestSome:
    def test_uses_it(self, topology): pass
    def test_needs_none(self): pass

@pytest.fixture
def address(topology): return topology.address("collect.in")

@pytest.mark.zmqtopo("pipeline.yaml")
def test_by_another_fixture(address): pass

@pytest.mark.zmqtopo("pipeline.yaml")
@pytest.mark.usefixtures("topology")
def test_by_mark(): pass
""")
    done.assert_outcomes(passed=4, errors=1)
    done.stdout.fnmatch_lines(["*starts nothing without the fixture topology: take it as an argument*"])


def test_several_runs_at_once_are_in_nobodys_way(run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=TESTS + """
@pytest.mark.zmqtopo("pipeline.yaml")
def test_it(topology, sockets):
    through(sockets, topology.address("collect.in"), topology.where("tcp://worker:5553"))
""")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    runs = [subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.PIPE) for _ in range(3)]
    outputs = [each.communicate(timeout=60)[0].decode() for each in runs]
    assert [each.returncode for each in runs] == [0, 0, 0], outputs


def test_nothing_is_left(run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = pytester.mkdir("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    run("--basetemp=base", test_it="""
@pytest.mark.zmqtopo("pipeline.yaml")
def test_it(topology, sockets):
    sockets[0].connect(topology.address("collect.in"))
    for _ in range(100):
        sockets[0].send(b"nobody takes it")
""").assert_outcomes(passed=1)
    assert list(temporary.iterdir()) == []


def test_who_does_not_use_it_does_not_notice(run, pytester: pytest.Pytester) -> None:
    done = run("-v", conftest="""
import pytest
@pytest.fixture
def topology():
    return "mine"
""", test_it="""
import sys
def test_my_own_fixture(topology):
    assert topology == "mine"
@pytest.mark.parametrize("topology", ["a", "b"])
def test_my_own_parameter(topology):
    assert topology in "ab"
def test_nothing_heavy_is_imported():
    ours = {m for m in sys.modules if m.startswith("zmqtopo")}
    assert ours <= {"zmqtopo", "zmqtopo.testing", "zmqtopo.testing.plugin"}
    assert not {"yaml", "jsonschema", "networkx"} & set(sys.modules)
""")
    done.assert_outcomes(passed=4)
    done.stdout.fnmatch_lines(["plugins:*zmqtopo*"])
