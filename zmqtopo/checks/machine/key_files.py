"""Whether the files that options name can be used, and the keys of CURVE in them belong together."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from zmqtopo.checks.graph import Graph
from zmqtopo.checks.machine.http import http_token_unreadable
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.checks.rules.security import differences, sockets_with_options, written_key, wrong_keys
from zmqtopo.checks.rules.unusable import place_of
from zmqtopo.config.curve import CURVE_KEYS, key_bytes
from zmqtopo.config.model import File, Socket


@rule(
    "machine", "key-files", "error",
    finds="Keys of CURVE in files that do not belong together: a public key that is not that of the secret key, a "
    "server key that is not that of the other end, and a secret key of zeros.",
    why="The handshake fails, again and again, and neither side hears of it.",
    bad="""
        devices:
          feed:
            type: forwarder
            in: {bind: tcp://127.0.0.1:*}
            out:
              bind: tcp://127.0.0.1:*
              options: {curve_server: true, curve_secretkey: {file: feed.secret}}
          prices:
            type: forwarder
            in:
              connect: feed.out
              options:
                curve_publickey: {file: prices.public}
                curve_secretkey: {file: prices.secret}
                curve_serverkey: {file: prices.public}  # and it is not that of feed.secret
            out: {bind: tcp://127.0.0.1:*}
        """,
    good="""
        devices:
          feed:
            type: forwarder
            in: {bind: tcp://127.0.0.1:*}
            out:
              bind: tcp://127.0.0.1:*
              options: {curve_server: true, curve_secretkey: {file: feed.secret}}
          prices:
            type: forwarder
            in:
              connect: feed.out
              options:
                curve_publickey: {file: prices.public}
                curve_secretkey: {file: prices.secret}
                curve_serverkey: {file: feed.public}
            out: {bind: tcp://127.0.0.1:*}
        """,
)
def key_files(graph: Graph) -> Iterator[Finding]:
    """Compare the keys of each socket, and of the two ends of each connection; no content is ever shown."""
    keys: dict[File, bytes | None] = {}

    def key(socket: Socket, name: str) -> bytes | None:
        value = socket.options.get(name)
        if not isinstance(value, File):
            return written_key(socket, name)
        if value not in keys:
            keys[value] = _read(name, value)
        return keys[value]

    for end, socket in sockets_with_options(graph):
        if not any(wrong_keys(end, socket, written_key)):   # of which curve-keys speaks
            yield from wrong_keys(end, socket, key)
    told = {finding.place for finding in differences(graph, written_key)}   # of which mixed-security speaks
    yield from (finding for finding in differences(graph, key) if finding.place not in told)


@rule(
    "machine", "option-file", "error",
    finds="A file named by an option that cannot be read, or whose content libzmq does not take.",
    why="The device could not start. The content is never shown.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {connect: tcp://192.0.2.1:5559, options: {plain_username: us, plain_password: {file: /no/such/file}}}
            out: {bind: tcp://127.0.0.1:*}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {connect: tcp://192.0.2.1:5559, options: {plain_username: us, plain_password: ours}}
            out: {bind: tcp://127.0.0.1:*}
        """,
)
def option_file(graph: Graph) -> Iterator[Finding]:
    """Read each as the start of its device does; a reload reads them itself before it changes anything."""
    yield from http_token_unreadable(graph)
    if graph.present is not None:
        return
    for end, socket in sockets_with_options(graph):
        for name, value in socket.options.items():
            if isinstance(value, File) and (why := _unusable(name, value)):
                hint = "check the path, who may read it, and what it contains"
                if name in CURVE_KEYS and not value.part:
                    hint = "write one key alone into the file; a certificate of zmq.auth holds more than that"
                yield Finding(place_of(socket, name), f"{end.name}: {why}", hint)


def _unusable(name: str, file: File) -> str:
    """Why the file cannot be used for the option; nothing follows the path that looks like the value of a key."""
    from zmqtopo.broker.option_values import content_of  # which brings zmq

    try:
        content_of(name, file)
    except OSError as error:
        return f"cannot read {name} from {file.path} ({error.strerror})"
    except ValueError as error:
        return f"cannot use {file.path} ({error})"
    return ""


def _read(name: str, file: File) -> bytes | None:
    """The key of a file; None where there is none, of which option-file speaks."""
    from zmqtopo.broker.option_values import content_of  # which brings zmq

    with contextlib.suppress(OSError, ValueError):
        return key_bytes(bytes(content_of(name, file)))
    return None
