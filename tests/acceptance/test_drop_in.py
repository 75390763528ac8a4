"""Programs written for ``zmq.devices`` run on ``zmqtopo.devices``, with nothing but the import changed."""

from __future__ import annotations

import inspect
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.devices

import zmqtopo.devices

PACKAGES = ["zmq.devices", "zmqtopo.devices"]

# Every program prints "fine" when all went as its author expects. Both packages run each.
BEGIN = """
import sys, time
import zmq
from PACKAGE import *
import PACKAGE as devices

tcp = "tcp://127.0.0.1"
context = zmq.Context.instance()
context.linger = 0

def end(kind, port=None, **options):
    socket = context.socket(kind)
    for name, value in options.items():
        setattr(socket, name, value)
    if port is not None:
        socket.connect(f"{tcp}:{port}")
    return socket

def bound(kind, **options):
    socket = end(kind, **options)
    return socket, f"{tcp}:{socket.bind_to_random_port(tcp)}"

def receive(socket):
    assert socket.poll(10_000), "nothing came"
    return socket.recv_multipart()
"""

PROGRAMS = {
    "a streamer in a thread": """
dev = ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
a, b = dev.bind_in_to_random_port(tcp), dev.bind_out_to_random_port(tcp)
dev.start()
push, pull = end(zmq.PUSH, a), end(zmq.PULL, b)
push.send_multipart([b"x", b"y"])
assert receive(pull) == [b"x", b"y"]
assert (dev.device_type, dev.in_type, dev.out_type, dev.daemon, dev.done) == (1, zmq.PULL, zmq.PUSH, True, False)
assert dev.launcher.is_alive()
""",
    "a queue in a process": """
dev = ProcessDevice(zmq.QUEUE, zmq.ROUTER, zmq.DEALER)
dev.setsockopt_in(zmq.IDENTITY, b"router")
a, b = dev.bind_in_to_random_port(tcp, min_port=20_000, max_port=30_000), dev.bind_out_to_random_port(tcp)
assert 20_000 <= a <= 30_000
dev.start()
req, rep = end(zmq.REQ, a), end(zmq.REP, b)
req.send(b"q")
assert receive(rep) == [b"q"]
rep.send(b"a")
assert receive(req) == [b"a"]
dev.launcher.terminate()
dev.join(10)
assert not dev.launcher.is_alive()
""",
    "an echo": """
dev = ThreadDevice(zmq.QUEUE, zmq.REP, -1)
req, address = bound(zmq.REQ)
dev.connect_in(address)
dev.start()
req.send(b"hello")
assert receive(req) == [b"hello"]
""",
    "an echo that connects its other side": """
dev = ThreadDevice(zmq.QUEUE, zmq.REP, -1)
req, address = bound(zmq.REQ)
dev.connect_out(address)
dev.start()
req.send(b"hello")
assert receive(req) == [b"hello"]
""",
    "a proxy": """
dev = ThreadProxy(zmq.PULL, zmq.PUSH, zmq.PUSH)
a, b, m = dev.bind_in_to_random_port(tcp), dev.bind_out_to_random_port(tcp), dev.bind_mon_to_random_port(tcp)
dev.start()
push, pull, mon = end(zmq.PUSH, a), end(zmq.PULL, b), end(zmq.PULL, m)
push.send(b"x")
assert receive(pull) == receive(mon) == [b"x"]
""",
    "a proxy in a process": """
dev = ProcessProxy(zmq.PULL, zmq.PUSH, zmq.PUSH)
a, b, m = dev.bind_in_to_random_port(tcp), dev.bind_out_to_random_port(tcp), dev.bind_mon_to_random_port(tcp)
dev.start()
push, pull, mon = end(zmq.PUSH, a), end(zmq.PULL, b), end(zmq.PULL, m)
push.send(b"x")
assert receive(pull) == receive(mon) == [b"x"]
dev.launcher.terminate()
dev.join()
""",
    "a monitored queue between routers": """
dev = ThreadMonitoredQueue(zmq.ROUTER, zmq.ROUTER, zmq.PUSH, b"foo", b"bar")
a, a_address = bound(zmq.DEALER, identity=b"a")
b, b_address = bound(zmq.DEALER, identity=b"b")
mon, mon_address = bound(zmq.PULL)
dev.connect_in(a_address); dev.connect_out(b_address); dev.connect_mon(mon_address)
for set_option in (dev.setsockopt_in, dev.setsockopt_out, dev.setsockopt_mon):
    set_option(zmq.LINGER, 0)
dev.start()
b.send_multipart([b"nobody", b"hello"])
assert receive(mon) == [b"bar", b"nobody", b"b", b"hello"]
a.send_multipart([b"b", b"hello", b"there"])
assert receive(b) == [b"a", b"hello", b"there"]
assert receive(mon) == [b"foo", b"b", b"a", b"hello", b"there"]
""",
    "a monitored queue in a process": """
dev = ProcessMonitoredQueue(zmq.PAIR, zmq.PAIR, zmq.PUSH)
ends = [bound(kind) for kind in (zmq.PAIR, zmq.PAIR, zmq.PULL)]
for (_, address), connect in zip(ends, (dev.connect_in, dev.connect_out, dev.connect_mon)):
    connect(address)
dev.start()
(alice, _), (bob, _), (mon, _) = ends
alice.send(b"hello")
assert receive(bob) == [b"hello"]
bob.send_multipart([b"good", b"bye"])
assert receive(alice) == [b"good", b"bye"]
assert [receive(mon), receive(mon)] == [[b"in", b"hello"], [b"out", b"good", b"bye"]]
dev.launcher.terminate()
dev.join()
""",
    "subscribers behind a forwarder": """
dev = ThreadDevice(zmq.FORWARDER, zmq.XSUB, zmq.XPUB)
publisher, address = bound(zmq.XPUB)
dev.connect_in(address)
b = dev.bind_out_to_random_port(tcp)
dev.start()
sub = end(zmq.SUB, b)
sub.subscribe("topic")
assert receive(publisher) == [b"\\x01topic"]
publisher.send_multipart([b"topic", b"x"])
assert receive(sub) == [b"topic", b"x"]
""",
    "a context ended under its device": """
own = zmq.Context()
dev = ThreadMonitoredQueue(zmq.ROUTER, zmq.DEALER, zmq.PUB)
dev.context_factory = lambda: own
dev.start()
while not hasattr(dev, "_context"):
    dev.join(0.01)
own.term()
dev.join(10)
assert dev.done
""",
    "a subclass with a device of its own": """
class Upper(ThreadDevice):
    context_factory = zmq.Context
    def run_device(self):
        ins, outs = self._setup_sockets()
        outs.send(ins.recv().upper())

dev = Upper(zmq.STREAMER, zmq.PULL, zmq.PUSH)
a, b = dev.bind_in_to_random_port(tcp), dev.bind_out_to_random_port(tcp)
pull = end(zmq.PULL, b)
dev.start()
push = end(zmq.PUSH, a)
push.send(b"loud")
assert receive(pull) == [b"LOUD"]
dev.join(10)
assert dev.done
""",
    "curve": """
server_public, server_secret = zmq.curve_keypair()
client_public, client_secret = zmq.curve_keypair()
for kind in (ThreadDevice, ProcessDevice):
    dev = kind(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    for set_option in (dev.setsockopt_in, dev.setsockopt_out):
        set_option(zmq.CURVE_SECRETKEY, server_secret)
        set_option(zmq.CURVE_SERVER, 1)
    a, b = dev.bind_in_to_random_port(tcp), dev.bind_out_to_random_port(tcp)
    dev.start()
    keys = dict(curve_serverkey=server_public, curve_publickey=client_public, curve_secretkey=client_secret)
    push, pull = end(zmq.PUSH, a, **keys), end(zmq.PULL, b, **keys)
    push.send(b"secret")
    assert receive(pull) == [b"secret"]
dev.launcher.terminate()
dev.join()
""",
    "the functions": """
import threading
ins, outs, mons = [context.socket(k) for k in (zmq.PULL, zmq.PUSH, zmq.PUSH)]
for s, name in ((ins, "in"), (outs, "out"), (mons, "mon")):
    s.bind(f"inproc://{name}")
def run():
    try:
        monitored_queue(ins, outs, mons, b"", out_prefix=b"o")
    except zmq.ContextTerminated:
        print("fine")
    for s in (ins, outs, mons):
        s.close()
thread = threading.Thread(target=run)
thread.start()
push, pull, mon = [context.socket(k) for k in (zmq.PUSH, zmq.PULL, zmq.PULL)]
for s, name in ((push, "in"), (pull, "out"), (mon, "mon")):
    s.connect(f"inproc://{name}")
push.send(b"x")
assert receive(pull) == [b"x"]
assert receive(mon) == [b"", b"x"]
for s in (push, pull, mon):
    s.close()
context.term()
thread.join()
sys.exit()
""",
}

START_METHODS = """
import multiprocessing, sys
import zmq
from PACKAGE import ProcessMonitoredQueue

class Tagged(ProcessMonitoredQueue):
    _launch_class = multiprocessing.get_context(sys.argv[1]).Process

if __name__ == "__main__":
    context = zmq.Context()
    dev = Tagged(zmq.PULL, zmq.PUSH, zmq.PUSH, b"<", b">")
    ends = [context.socket(kind) for kind in (zmq.PUSH, zmq.PULL, zmq.PULL)]
    for socket, connect in zip(ends, (dev.connect_in, dev.connect_out, dev.connect_mon)):
        socket.linger = 0
        connect(f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}")
    dev.start()
    push, pull, mon = ends
    push.send(b"x")
    assert pull.poll(20_000) and pull.recv_multipart() == [b"x"]
    assert mon.poll(20_000) and mon.recv_multipart() == [b"<", b"x"]
    dev.launcher.terminate()
    dev.join(10)
    assert not dev.launcher.is_alive()
    context.destroy(0)
    print("fine")
"""


def run(file: Path, program: str, package: str, *arguments: str) -> None:
    file.write_text(program.replace("PACKAGE", package))
    done = subprocess.run([sys.executable, file, *arguments], capture_output=True, text=True, timeout=60)
    assert done.stdout == "fine\n", done.stderr
    assert not done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program(tmp_path: Path, name: str, package: str) -> None:
    # Sockets that are still open when Python ends are closed by pyzmq; a device in a daemon thread ends with them.
    last = '\nprint("fine", flush=True)\nimport os\nos._exit(0)\n'
    run(tmp_path / "program.py", BEGIN + PROGRAMS[name] + last, package)


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_a_start_method(tmp_path: Path, method: str, package: str) -> None:
    run(tmp_path / "program.py", START_METHODS, package, method)


MODULES = [name for _, name, _ in pkgutil.iter_modules(zmq.devices.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_and_name_is_there(name: str) -> None:
    theirs, ours = (import_module(f"{package}.{name}") for package in PACKAGES)
    assert getattr(zmqtopo.devices, name) is ours
    assert set(theirs.__all__) <= set(ours.__all__)
    for public in (word for word in vars(theirs) if not word.startswith("_")):
        mine, value = getattr(ours, public), getattr(theirs, public)
        if not inspect.isclass(value) or not value.__module__.startswith("zmq.devices") or mine is value:
            continue
        assert mine.__module__.startswith("zmqtopo.devices")
        # Methods that programs call and override, and what their classes inherit from.
        assert {word for word in dir(value) if not word.startswith("__")} <= set(dir(mine))
        bases = {base.__name__ for base in value.__mro__}
        assert bases <= {base.__name__ for base in mine.__mro__}


def test_every_name_is_there() -> None:
    assert set(zmq.devices.__all__) <= set(zmqtopo.devices.__all__)
    assert zmqtopo.devices.proxy is zmq.proxy


def parameters(function: Any) -> list[tuple[str, Any]]:
    return [(p.name, p.default) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", zmq.devices.__all__)
def test_signatures_and_attributes(name: str) -> None:
    theirs, ours = getattr(zmq.devices, name), getattr(zmqtopo.devices, name)
    assert parameters(ours) == parameters(theirs)
    for method, function in inspect.getmembers(theirs, inspect.isfunction):
        if method.startswith("_"):
            continue
        mine = parameters(getattr(ours, method))
        # Ours may take more, with defaults.
        assert [n for n, _ in mine][: len(parameters(function))] == [n for n, _ in parameters(function)], method
        assert all(default is not inspect.Parameter.empty for _, default in mine[len(parameters(function)) :])
    if inspect.isclass(theirs):
        assert issubclass(ours, zmq.devices.Device)
        instances = [kind(in_type=zmq.PULL, out_type=zmq.PUSH) for kind in (theirs, ours)]
        public = [{n for n in vars(i) if not n.startswith("_")} for i in instances]
        assert public[0] - {"done"} <= public[1]
        assert [i.daemon for i in instances] == [True, True]
        assert [i.done for i in instances] == [False, False]
        for attribute in ("launcher", "context_factory"):
            assert hasattr(instances[0], attribute) == hasattr(instances[1], attribute)


@pytest.mark.parametrize("package", [zmq.devices, zmqtopo.devices], ids=PACKAGES)
@pytest.mark.parametrize(
    "arguments",
    [
        (None, "out", "mon"),
        ("in", None, "mon"),
        ("in", "out", None),
        ("in", "out"),
        (b"not a socket", "out", "mon"),
        ("in", "out", "mon", "str"),
        ("in", "out", "mon", b"", bytearray(b"out")),
    ],
)
def test_monitored_queue_refuses(net: Any, package: Any, arguments: tuple[Any, ...]) -> None:
    sockets = {"in": net.socket(zmq.PULL), "out": net.socket(zmq.PUSH), "mon": net.socket(zmq.PUB)}
    with pytest.raises(TypeError):
        package.monitored_queue(*[sockets.get(a, a) if isinstance(a, str) else a for a in arguments])


@pytest.mark.parametrize("package", [zmq.devices, zmqtopo.devices], ids=PACKAGES)
def test_monitored_queue_on_closed_sockets(net: Any, package: Any) -> None:
    sockets = [net.socket(zmq.PULL), net.socket(zmq.PUSH), net.socket(zmq.PUB)]
    sockets[0].close()
    with pytest.raises(zmq.ZMQError) as caught:
        package.monitored_queue(*sockets)
    assert caught.value.errno == zmq.ENOTSOCK
