"""A topology as the plain values of a file, everything filled in: what the verb ``config`` shows."""

from __future__ import annotations

import base64
import re
from typing import Any

from zmqtopo.config.model import (
    Address,
    Device,
    File,
    Http,
    MonSocket,
    OptionValue,
    Peer,
    Profile,
    Reference,
    Socket,
    Topology,
)
from zmqtopo.config.reference import nearest
from zmqtopo.config.schema.definitions import option_rules, secret_options
from zmqtopo.config.wording import escaped_json, escaped_yaml
from zmqtopo.config.yaml.scalars import resolve
from zmqtopo.config.yaml.tree import Value


def plain(topology: Topology) -> dict[str, Any]:
    """Return ``topology``, which has no errors, as dict, list, text, bytes and numbers.

    Written as YAML it loads to an equal topology, but that a reference whose endpoint is fixed has
    become that endpoint. Times have a unit, ``$`` is doubled, and an option that comes from a file
    stays ``{file: PATH}``. A secret that stands in the file or in a variable is not shown: in its place is
    a variable of a name of its own, without which the file is refused, so that nobody takes a placeholder
    for a password.
    """
    return _filled({
        "version": topology.version,
        "name": topology.name,
        "description": _text(topology.description) or None,
        "context": _filled({"io_threads": topology.context.io_threads,
                            "max_sockets": topology.context.max_sockets}),
        "http": _http(topology.http) if topology.http is not None else None,
        "devices": {name: _device(device, topology) for name, device in topology.devices.items()},
        "peers": {name: _peer(peer, topology) for name, peer in topology.peers.items()} or None,
        "security": {name: _profile(profile) for name, profile in topology.security.items()} or None,
    })


def dump(topology: Topology) -> str:
    """Return :func:`plain` as YAML, quoted for YAML 1.2 and 1.1 alike."""
    return written(plain(topology))


def written(values: dict[str, Any]) -> str:
    """Return what :func:`plain` returns as YAML."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        # PyYAML knows what YAML 1.1 takes for a number, such as 1:30; this adds 1.2, such as 0o17.
        style = None if isinstance(resolve(value), str) else "'"
        if not value.replace("\n", "").isprintable():
            style = '"'     # in which they can be escaped
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)

    Dumper.add_representer(str, text)
    text_: str = yaml.dump(values, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)
    return escaped_yaml(text_)


def dump_json(topology: Topology) -> str:
    """Return :func:`plain` as JSON; bytes, which JSON does not have, become ``{"base64": TEXT}``."""
    import json

    def other(value: object) -> object:
        return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else str(value)

    return escaped_json(json.dumps(plain(topology), indent=2, ensure_ascii=False, default=other)) + "\n"


def from_json(text: str) -> dict[str, Any]:
    """Return what :func:`plain` has returned, from what :func:`dump_json` has made of it."""
    import json

    def other(values: dict[str, Any]) -> Any:
        return base64.b64decode(values["base64"]) if values.keys() == {"base64"} else values

    found: dict[str, Any] = json.loads(text, object_hook=other)
    return found


def plain_option(name: str, value: OptionValue) -> Value:
    """Return the value of a socket option as a file says it: times have a unit. It may be a secret."""
    if isinstance(value, File):
        return {"file": _text(value.path)}
    if isinstance(value, tuple):
        return [_text(item) if isinstance(item, str) else item for item in value]
    if isinstance(value, str):
        return _text(value)
    unit = option_rules()[name].get("x-unit")
    if unit in ("ms", "s") and isinstance(value, int) and value > 0:
        return f"{value}{unit}" if unit == "s" else _time(value / 1000)
    return value


def _http(http: Http) -> dict[str, Any]:
    return _filled({
        "listen": _text(http.listen),
        "control": http.control,
        "tap": http.tap,
        "token": {"file": _text(http.token.path)} if http.token is not None else None,
        "hosts": [_text(name) for name in http.hosts],
    })


def _device(device: Device, topology: Topology) -> dict[str, Any]:
    restart = device.restart
    return _filled({
        "type": device.type,
        "description": _text(device.description) or None,
        "run": device.run.text,
        **{s.role: _socket(s, device, topology) for s in device.sockets},
        "restart": _filled({
            "policy": restart.policy,
            "backoff": [_time(seconds) for seconds in restart.backoff],
            "max_retries": restart.max_retries,
            "stable_after": _time(restart.stable_after),
        }),
        "stop_timeout": _time(device.stop_timeout),
        "limits": _filled({
            "message_size": device.limits.message_size,
            "frames": device.limits.frames,
            "topics": device.limits.topics,
            "topic_length": device.limits.topic_length,
            "handshake": _time(device.limits.handshake),
            "memory": device.limits.memory,
        }),
        "peers": device.peers,
        "graph": {key: _text(value) for key, value in device.graph.items()} or None,
    })


def _peer(peer: Peer, topology: Topology) -> dict[str, Any]:
    return _filled({
        "type": peer.type,
        "description": _text(peer.description) or None,
        **_ends(peer, peer, topology),
        "security": peer.security if peer.security is None else peer.security or "none",
        "graph": {key: _text(value) for key, value in peer.graph.items()} or None,
    })


def _profile(profile: Profile) -> dict[str, Any]:
    return _filled({
        "curve": _text(profile.curve) or None,
        "server": _text(profile.server) or None,
        "allow": "any" if profile.allow_any else None if profile.allow is None else [*map(_text, profile.allow)],
        "plain": _text(profile.plain) or None,
        "allow_ips": [*profile.allow_ips] or None,
        "allow_uids": [*profile.allow_uids] or None,
    })


def _socket(socket: Socket, device: Device, topology: Topology) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": socket.type,
        **_ends(socket, device, topology),
        "options": {name: _secret(f"{device.name}_{socket.role}_{name}") if _is_secret(name, value)
                    else plain_option(name, value) for name, value in socket.options.items()
                    if name not in socket.secured_by},
    }
    if socket.security:
        told["security"] = socket.security
    if socket.mode is not None:
        told["mode"] = f"{socket.mode:04o}"
    if socket.group is not None:
        told["group"] = _text(socket.group) if isinstance(socket.group, str) else socket.group
    if isinstance(socket, MonSocket):
        told["prefix"] = {"in": _octets(socket.prefix_in), "out": _octets(socket.prefix_out)}
        told["overflow"] = socket.overflow
    return told


def _ends(of: Socket | Peer, owner: Device | Peer, topology: Topology) -> dict[str, Any]:
    ends = {"bind": [_text(a.text) for a in of.bind],
            "connect": [_connection(a, owner, topology) for a in of.connect]}
    return {key: texts for key, texts in ends.items() if texts}


def _connection(to: Address | Reference, owner: Device | Peer, topology: Topology) -> str:
    endpoint = nearest(to, owner, topology) if isinstance(to, Reference) else None
    return _text(to.text if endpoint is None else str(endpoint))


def _is_secret(name: str, value: OptionValue) -> bool:
    return name in secret_options() and not isinstance(value, File)


def _secret(name: str) -> str:
    variable = re.sub("[^A-Z0-9]", "_", f"zmqtopo_{name}".upper())
    return f"${{{variable}:?a secret, which zmqtopo config does not show}}"


def _time(seconds: float) -> str | float:
    if seconds == int(seconds):
        return f"{int(seconds)}s"
    milliseconds = round(seconds * 1000)
    return f"{milliseconds}ms" if milliseconds / 1000 == seconds else seconds


def _octets(value: bytes | None) -> str | bytes | None:
    if value is None:
        return None
    try:
        return _text(value.decode())
    except UnicodeDecodeError:
        return value


def _text(text: str) -> str:
    """Double every ``$``, which would begin a variable."""
    return text.replace("$", "$$")


def _filled(told: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value is not None}
