"""What runs in the forkserver and in the workers that it forks: hosts whose orders come through a connection."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any
from weakref import WeakValueDictionary

import zmq

from zmqtopo.broker.counters import CounterBlock, Segment
from zmqtopo.broker.sockets import seed_routing_ids
from zmqtopo.worker import fd_passing
from zmqtopo.worker.host import Host
from zmqtopo.worker.limits import MemoryLimit
from zmqtopo.worker.protocol import Bind, End, Event, Failed, Order

LINGER_TIMEOUT = 1.0
"""Seconds that a context may take to end when nobody is left to care for what it still has to send."""

KILL_AFTER = 1.5
"""Seconds without a supervisor after which the forkserver kills the workers that are left, such as one that has been
stopped by SIGSTOP: its sockets would be in the way of a successor."""


def serve_forkserver(fd: int, topology: str) -> int | None:
    """Serve the `zmqtopo.supervisor.forkserver.Forkserver` at the other end of ``fd``.

    Returns in each worker, with the descriptor of its connection, and in this process, with None, when the supervisor
    and then the workers are gone.
    """
    # The supervisor decides when its workers end: what is sent to everybody, by a terminal or at the end of a service,
    # is not meant for them.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    connection = Connection(fd)
    _continue_without(os.getppid(), fd)
    gc.freeze()     # a collection in a worker writes to no page that it shares with the others
    workers: set[int] = set()
    me = os.getpid()
    for request in _received(connection):
        response: int | None
        if isinstance(request, int):
            try:
                response = os.waitstatus_to_exitcode(os.waitpid(request, 0)[1])
            except ChildProcessError:       # of a forkserver that has been killed
                response = None
            workers.discard(request)
        else:
            name, count = request
            try:
                given = _descriptors(connection, count)
            except EOFError:
                break
            except OSError as error:
                connection.send(-(error.errno or errno.EAGAIN))
                continue
            seed_routing_ids()      # for the worker, which inherits the seed
            try:
                response = os.fork()
            except OSError as error:
                response = -(error.errno or errno.EAGAIN)
            if response == 0:
                connection.close()
                signal.signal(signal.SIGCONT, signal.SIG_DFL)
                _end_with(me)
                _show(topology, name)
                return _take(given)
            for descriptor in given:
                os.close(descriptor)
            if response > 0:
                # Ctrl-C in a terminal goes to a process group; the supervisor alone acts on it.
                os.setpgid(response, response)
                workers.add(response)
        connection.send(response)
    _outlive(workers)
    return None


def _descriptors(connection: Connection[Any, Any], count: int) -> list[int]:
    """So many, or none: raises EOFError, and OSError when this process may have no more."""
    given: list[int] = []
    problem: OSError | None = None
    for _ in range(count):
        try:
            given.append(fd_passing.receive(connection))
        except OSError as error:
            problem = error
    if problem is not None:
        for descriptor in given:
            os.close(descriptor)
        raise problem
    return given


def _take(given: list[int]) -> int:
    """In a worker: the descriptor of its connection; the second one becomes its standard error."""
    for descriptor in given[1:]:
        os.dup2(descriptor, 2)
        os.close(descriptor)
    return given[0]


_PR_SET_PDEATHSIG = 1       # of linux/prctl.h


def _at_death_of_parent(number: signal.Signals) -> None:
    """Have a signal sent to this process when its parent is gone; on Linux."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def _end_with(forkserver: int) -> None:
    """In a worker: end with the process that has forked it, also when stopped by SIGSTOP.

    That one outlives the supervisor only until all workers have ended by themselves or have been killed.
    """
    _at_death_of_parent(signal.SIGKILL)
    if os.getppid() != forkserver:
        os._exit(1)


def _continue_without(supervisor: int, connection: int) -> None:
    """In the forkserver: go on when the supervisor is gone, also when stopped by SIGSTOP, and see to the workers.

    The end of the connection says the same to one that has not been stopped, unless a process that the program has
    forked keeps it open.
    """
    def look(number: int, frame: FrameType | None) -> None:
        if os.getppid() != supervisor:
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection)) as end:
                end.shutdown(socket.SHUT_RDWR)

    signal.signal(signal.SIGCONT, look)
    _at_death_of_parent(signal.SIGCONT)


def serve_worker(fd: int) -> None:
    """Serve the supervisor at the other end of ``fd`` until it says End or is gone."""
    connection = Connection(fd)
    lock = threading.Lock()

    def post(event: Event) -> None:
        # The supervisor may be gone while a device ends.
        with lock, contextlib.suppress(OSError):
            connection.send(event)

    writable = select.poll()
    writable.register(connection.fileno(), select.POLLOUT)
    orders = _received(connection)
    settings, sockets = next(orders, (None, 0))
    if settings is None:
        return
    try:
        host = Host(settings, sockets, post, has_room=lambda: bool(writable.poll(0)))
    except (OSError, zmq.ZMQError, ValueError, OverflowError) as error:
        _refuse(orders, f"cannot make a context: {error}", post)
        return
    memory = MemoryLimit(settings.io_threads)
    segments: WeakValueDictionary[int, Segment] = WeakValueDictionary()
    for order in orders:
        if isinstance(order, Bind):
            name = order.device.name
            try:
                block = CounterBlock(_known(segments, fd_passing.receive(connection)), order.index)
                memory.add(order.device)
                order = replace(order, block=block)
            except EOFError:
                break
            except OSError as error:
                post(Failed(name, f"{name}: cannot start: {error.strerror}"))
                continue
        host.execute(order)
        if isinstance(order, End):
            return
    # Without a supervisor nobody can stop these devices any more.
    host.abandon()
    # What devices have stopped before may have something left to send, and its time to do so.
    end = threading.Thread(target=host.end, daemon=True)
    end.start()
    end.join(LINGER_TIMEOUT)


def _refuse(orders: Iterator[Order], why: str, post: Callable[[Event], None]) -> None:
    """Answer that no device can start, until the end."""
    for order in orders:
        if isinstance(order, Bind):
            post(Failed(order.device.name, f"{order.device.name}: cannot start: {why}"))
        elif isinstance(order, End):
            return


def _known(segments: WeakValueDictionary[int, Segment], fd: int) -> Segment:
    """The segment of a descriptor, which comes with each device that has a block in it, mapped once."""
    inode = os.fstat(fd).st_ino
    segment = segments.get(inode)
    if segment is None:
        segment = segments[inode] = Segment(fd=fd)
    else:
        os.close(fd)
    return segment


def _outlive(workers: set[int]) -> None:
    """Wait until the workers have ended by themselves, or kill them."""
    def kill(number: int, frame: FrameType | None) -> None:
        for pid in workers:
            # One that has been waited for is no child any more, and its number may be that of anybody.
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    os.kill(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)
    signal.setitimer(signal.ITIMER_REAL, KILL_AFTER)
    with contextlib.suppress(ChildProcessError):        # until there are none
        while True:
            os.wait()


def _received(connection: Connection[Any, Any]) -> Iterator[Any]:
    """What the supervisor sends until it is gone: requests for a forkserver, or settings and orders for a `Host`."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            yield connection.recv()


def _show(*names: str) -> None:
    """Have process lists show these names behind ``zmqtopo.worker.main``; on Linux.

    The system shows what is in the memory where the arguments were; PostgreSQL writes there too. prctl(2) has no
    better way: PR_SET_NAME is for 15 bytes, PR_SET_MM for the superuser.
    """
    with contextlib.suppress(OSError):
        # proc_pid_stat(5): fields 48 and 49 are the bounds; the second, in parentheses, may hold anything.
        start, end = map(int, Path("/proc/self/stat").read_text().rpartition(")")[2].split()[45:47])
        shown = "\0".join([*sys.orig_argv[:-len(sys.argv[1:])], *names]).encode()
        with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
            memory.seek(start)
            memory.write(shown[: end - start - 1].ljust(end - start, b"\0"))


if __name__ == "__main__":
    worker = serve_forkserver(int(sys.argv[1]), sys.argv[2])
    if worker is not None:
        serve_worker(worker)
