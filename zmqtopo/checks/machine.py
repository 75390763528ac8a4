"""The words about the rules that ask the machine; what finds is `zmqtopo.probe`, since it opens sockets.

Whether an example is good or bad depends on the machine.
"""

from __future__ import annotations

from typing import Final

from zmqtopo.config.rules import Explanation

MACHINE: Final = (
    Explanation(
        "machine", "port-in-use", "error",
        finds="A bind of an address that another process of this machine has bound already, or of an ipc path at which "
        "there is a file that is not a socket.",
        why="The device could not start. libzmq by itself would remove what is at an ipc path; here only a socket that "
        "nobody listens at is replaced.",
        bad="""
            devices:
              jobs:
                type: streamer
                in: {bind: tcp://127.0.0.1:5559}  # and another program has this port
                out: {bind: tcp://127.0.0.1:*}
            """,
        good="""
            devices:
              jobs:
                type: streamer
                in: {bind: tcp://127.0.0.1:*}
                out: {bind: tcp://127.0.0.1:*}
            """,
    ),
    Explanation(
        "machine", "ipc-dir-missing", "error",
        finds="A bind of an ipc path in a folder that is not there or in which no file can be made.",
        why="The path of an ipc address is a file of the system, and libzmq makes no folder for it.",
        bad="""
            devices:
              jobs:
                type: streamer
                in: {bind: ipc:///no/such/folder/jobs}
                out: {bind: tcp://127.0.0.1:*}
            """,
        good="""
            devices:
              jobs:
                type: streamer
                in: {bind: ipc:///tmp/jobs}
                out: {bind: tcp://127.0.0.1:*}
            """,
    ),
    Explanation(
        "machine", "unknown-group", "error",
        finds="A `group` that this machine does not have, or that this user may not give to a file.",
        why="The device could not start: only a member of a group, or root, may give a file to it.",
        bad="""
            devices:
              jobs:
                type: streamer
                in: {bind: ipc:///tmp/jobs, group: no-such-group}
                out: {bind: tcp://127.0.0.1:*}
            """,
        good="""
            devices:
              jobs:
                type: streamer
                in: {bind: ipc:///tmp/jobs, mode: "0600"}
                out: {bind: tcp://127.0.0.1:*}
            """,
    ),
    Explanation(
        "machine", "host-unresolvable", "error",
        finds="A host name for which this machine finds no address, and a bind to an address that it does not have.",
        why="libzmq looks a name up when it connects, and then again and again for ever without a word.",
        bad="""
            devices:
              jobs:
                type: streamer
                in: {connect: tcp://no-such-host.invalid:5559}
                out: {bind: tcp://127.0.0.1:*}
            """,
        good="""
            devices:
              jobs:
                type: streamer
                in: {connect: tcp://192.0.2.1:5559}
                out: {bind: tcp://127.0.0.1:*}
            """,
    ),
    Explanation(
        "machine", "too-many-sockets", "error",
        finds="A process with more sockets than `context.max_sockets`, libzmq or the limit of open files allows.",
        why="The last devices would fail to start. Without a file for a connection, now or later, libzmq may end the "
        "whole process by an assertion.",
        bad="""
            context: {max_sockets: 1}
            devices:
              jobs:
                type: streamer
                in: {bind: tcp://127.0.0.1:*}
                out: {bind: tcp://127.0.0.1:*}
            """,
        good="""
            context: {max_sockets: 2}
            devices:
              jobs:
                type: streamer
                in: {bind: tcp://127.0.0.1:*}
                out: {bind: tcp://127.0.0.1:*}
            """,
    ),
    Explanation(
        "machine", "too-many-threads", "error",
        finds="A topology with more threads than a user, a container, a systemd unit or the kernel may have.",
        why="Each device has a thread and each process some more. Without one libzmq ends its process at once, and "
        "a limit that others share is reached at any time.",
        bad="""
            context: {io_threads: 1024}  # and this user may have 1000 threads: ulimit -u 1000
            devices:
              jobs:
                type: streamer
                in: {bind: tcp://127.0.0.1:*}
                out: {bind: tcp://127.0.0.1:*}
            """,
        good="""
            devices:
              jobs:
                type: streamer
                in: {bind: tcp://127.0.0.1:*}
                out: {bind: tcp://127.0.0.1:*}
            """,
    ),
    Explanation(
        "machine", "transport-unavailable", "error",
        finds="A transport that the libzmq of this machine was built without, or that its kernel does not have.",
        why="libzmq refuses it when the device starts. Packages for everybody have tcp, ipc and inproc.",
        bad="""
            devices:
              jobs:
                type: streamer
                in: {type: SUB, connect: "vmci://1:5559"}
                out: {bind: tcp://127.0.0.1:*}
            """,
        good="""
            devices:
              jobs:
                type: streamer
                in: {type: SUB, connect: tcp://127.0.0.1:5559}
                out: {bind: tcp://127.0.0.1:*}
            peers:
              prices: {type: PUB, bind: tcp://127.0.0.1:5559}
            """,
    ),
    Explanation(
        "machine", "option-unavailable", "error",
        finds="A socket option that the libzmq of this machine does not take: a draft, or one of GSSAPI, NORM, "
        "VMCI or wss.",
        why="libzmq refuses it when the device starts. Packages for everybody are built without these.",
        bad="""
            devices:
              jobs:
                type: streamer
                in: {bind: tcp://127.0.0.1:*, options: {gssapi_server: true}}
                out: {bind: tcp://127.0.0.1:*}
            """,
        good="""
            devices:
              jobs:
                type: streamer
                in: {bind: tcp://127.0.0.1:*}
                out: {bind: tcp://127.0.0.1:*}
            """,
    ),
)
