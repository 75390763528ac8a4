"""The stub of the compiled loop says what the module has, and the module refuses what it cannot work with."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest
import zmq

import zmqtopo.loop
from zmqtopo.loop import BLOCK_SIZE, _loop, relay

STUB = ast.parse((Path(zmqtopo.loop.__file__).parent / "_loop.pyi").read_text())
CONSTANTS = {node.target.id: ast.unparse(node.annotation) for node in STUB.body if isinstance(node, ast.AnnAssign)}
FUNCTIONS = {node.name: [a.arg for a in node.args.args] for node in STUB.body if isinstance(node, ast.FunctionDef)}


def test_the_stub_names_what_the_module_has() -> None:
    public = {name for name in vars(_loop) if not name.startswith("_")}
    assert CONSTANTS.keys() | FUNCTIONS.keys() == public


def test_the_constants_are_what_the_stub_says() -> None:
    for name, annotation in CONSTANTS.items():
        value = getattr(_loop, name)
        assert annotation.removeprefix("Final[").startswith(type(value).__name__)
    assert all(type(k) is int and type(v) is str for k, v in _loop.STATES.items())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_functions_take_what_the_stub_says(name: str) -> None:
    function = getattr(_loop, name)
    try:
        names = list(inspect.signature(function).parameters)
    except ValueError:
        # Without a signature of its own a function of the limited API still says what it misses.
        with pytest.raises(TypeError):
            function(*[None] * (len(FUNCTIONS[name]) + 1))
        with pytest.raises(TypeError) as caught:
            function(**dict.fromkeys(FUNCTIONS[name]))
        assert "argument" not in str(caught.value) or "keyword" not in str(caught.value)
    else:
        assert names == FUNCTIONS[name]


def test_loading_something_else_than_libzmq(tmp_path: Path) -> None:
    with pytest.raises(ImportError, match=r"nothing\.so"):
        _loop.load(str(tmp_path / "nothing.so"))
    # The table is still the one that works.
    assert _loop.BLOCK_SIZE == BLOCK_SIZE


@pytest.mark.parametrize(
    ("block", "error"), [(b"read-only" * 100, BufferError), (bytearray(8), ValueError), (7, TypeError)]
)
def test_a_block_that_cannot_serve(net: Any, block: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        relay(net.socket(zmq.PULL), net.socket(zmq.PUSH), block=block)


@pytest.mark.parametrize("which", range(3))
def test_a_closed_socket(net: Any, which: int) -> None:
    sockets = [net.socket(zmq.PULL), net.socket(zmq.PUSH), net.socket(zmq.PUB)]
    sockets[which].close()
    with pytest.raises(zmq.ZMQError) as caught:
        relay(*sockets)
    assert caught.value.errno == zmq.ENOTSOCK


def test_no_socket_at_all() -> None:
    with pytest.raises(ValueError, match="open sockets"):
        _loop.run(0, 0, 0, -1, bytearray(BLOCK_SIZE), None, None, True, -1, None, 0, 0, 0, 0, 0, 0)
