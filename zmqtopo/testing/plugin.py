"""A pytest fixture that runs a topology for the tests of a module.

    @pytest.mark.zmqtopo("pipeline.yaml")
    def test_a_job_arrives(topology):
        jobs.connect(topology.address("deliver.out"))

The file is looked for beside the test and then in pytest's root folder. The mark may also stand on a class, or on all
of a module as ``pytestmark``. Tests of one module with one file share a running topology; it runs at addresses of the
system's choice, so that tests in parallel, or a topology in use, are in nobody's way.

pytest imports this module in every run where zmqtopo is installed: whatever is heavy comes with the first use.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from zmqtopo.testing.isolated import Elsewhere

_MARK = "zmqtopo"
_FIXTURE = "topology"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", f"{_MARK}(file): run this topology for the test, as the fixture {_FIXTURE}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the fixture the file of the mark that is nearest to the test."""
    mark = metafunc.definition.get_closest_marker(_MARK)
    if mark is not None and _FIXTURE in metafunc.fixturenames:
        # A parameter without a name in the test's id: there is one only, and the test is called as it was written.
        hidden = getattr(pytest, "HIDDEN_PARAM", str(*mark.args[:1]))     # pytest 8.4
        folders = (metafunc.definition.path.parent, metafunc.config.rootpath)
        metafunc.parametrize(_FIXTURE, [(mark, folders)], indirect=True, ids=[hidden])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test with a mark of its own that does not take the fixture: it would pass without a topology."""
    own = any(mark.name == _MARK for mark in getattr(getattr(item, "function", None), "pytestmark", ()))
    if own and _FIXTURE not in getattr(item, "fixturenames", ()):
        pytest.fail(f"the mark {_MARK} starts nothing without the fixture {_FIXTURE}: take it as an argument",
                    pytrace=False)


@pytest.fixture(scope="module")
def topology(request: pytest.FixtureRequest) -> Iterator[Elsewhere]:
    """The running topology of the file in ``@pytest.mark.zmqtopo("FILE")``.

    It is what `zmqtopo.up` gives, with `where`: ``topology.address("collect.in")`` is where a device has bound, and
    ``topology.where("tcp://worker:5564")`` is what stands here for an address of the file.
    """
    if not hasattr(request, "param"):
        pytest.fail(f'say which topology to run: @pytest.mark.{_MARK}("FILE")', pytrace=False)
    path = _path(*request.param)

    import zmqtopo
    from zmqtopo.testing.isolated import Elsewhere

    failure = ""
    try:
        running = Elsewhere(zmqtopo.load(path))
    except zmqtopo.TopologyError as error:
        failure = f"{path} has errors:\n" + "\n".join(
            line + (f"\n  hint: {problem.hint}" if problem.hint else "")
            for line, problem in zip(str(error).splitlines(), error.problems, strict=True))
    except zmqtopo.StartError as error:
        failure = f"{path} cannot start: {error}"
    if failure:     # outside of the except, where pytest would show the exception as well
        pytest.fail(failure, pytrace=False)
    yield running
    running.stop(0)     # nobody waits for what the tests have left in it


def _path(mark: pytest.Mark, folders: tuple[Path, ...]) -> Path:
    file: Any = mark.args[0] if len(mark.args) == 1 and not mark.kwargs else None
    if not isinstance(file, str | Path):
        pytest.fail(f'the mark takes one file: @pytest.mark.{_MARK}("FILE")', pytrace=False)
    for folder in folders:
        if os.path.exists(folder / file):   # noqa: PTH110 - Path.exists raises for a name that is too long
            return folder / file
    places = " nor in ".join(dict.fromkeys(map(str, folders)))
    pytest.fail(f"there is no {file} in {places}", pytrace=False)
