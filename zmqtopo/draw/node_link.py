"""The picture as data for programs, in the node-link layout of networkx.

``networkx.node_link_graph(json.load(file), edges="edges")`` makes a MultiDiGraph of it (before networkx 3.4
the argument is called ``link``), and d3 takes it as it is.
"""

from __future__ import annotations

import json
from typing import Any

from zmqtopo.checks.graph import End
from zmqtopo.config.model import Device, Peer, Socket
from zmqtopo.config.security import protection
from zmqtopo.config.wording import escaped_json
from zmqtopo.draw.arrows import Arrow
from zmqtopo.draw.picture import Picture


def node_link(picture: Picture) -> str:
    """The picture as JSON: ``directed``, ``multigraph``, ``graph``, ``nodes`` and ``edges``.

    - ``graph`` has the ``name`` of the topology, and its ``description`` where the file has one.
    - A node has ``id`` (``device:NAME``, ``peer:NAME``, ``endpoint:ADDRESS``), ``kind`` (``device``, ``peer``,
      ``endpoint``) and ``name``. A device has ``type``, ``run``, ``sockets`` (``in``, ``out``, ``mon``, each with
      ``type``, ``bind`` and ``connect`` as written), and a peer ``type``, ``bind`` and ``connect``. Both have
      ``description``, ``color`` and ``group`` where the file says so. An endpoint is a node only where nobody in the
      file is at its other end; `` of DEVICE.SOCKET`` ends its id where several claim that address.
    - An edge goes from ``source`` to ``target`` as messages do, so request and reply are two; ``key`` tells edges
      between the same two nodes apart. It has ``endpoint`` (as bound), ``pattern``, ``monitor`` (whether it carries
      the copies of a mon), and ``source_socket`` and ``target_socket``: in, out or mon, null for a peer or endpoint.
    - ``beyond``, where ``--focus`` leaves connections of a node out, is how many.
    - ``problems``, where there are any, are the names of the rules that found an error or a warning there.
    """
    nodes = [
        *(_device(device, picture) for device in picture.devices),
        *(_peer(peer, picture) for peer in picture.peers),
        *({"id": m.node, "kind": "endpoint", "name": m.text} for m in picture.addresses),
    ]
    edges: list[dict[str, Any]] = []
    keys: dict[tuple[str, str], int] = {}
    for arrow in picture.arrows:
        for edge in _edges(arrow, picture):
            between = edge["source"], edge["target"]
            keys[between] = edge["key"] = keys.get(between, -1) + 1
            edges.append(edge)
    for node in nodes:
        if node["id"] in picture.beyond:
            node["beyond"] = sum(picture.beyond[node["id"]])
    about = {"description": picture.description} if picture.description else {}
    data = {"directed": True, "multigraph": True, "graph": {"name": picture.name, **about}, "nodes": nodes,
            "edges": edges}
    return escaped_json(json.dumps(data, indent=2, ensure_ascii=False)) + "\n"


def _socket(socket: Socket, picture: Picture) -> dict[str, Any]:
    word = protection(socket)
    return {"type": socket.type, **({"security": word} if word else {}), **_ends(socket), **_problems(socket, picture)}


def _device(device: Device, picture: Picture) -> dict[str, Any]:
    return {
        "id": f"device:{device.name}", "kind": "device", "name": device.name, "type": device.type,
        "run": device.run.text,
        "sockets": {s.role: _socket(s, picture) for s in device.sockets},
        **_about(device), **_problems(device, picture), **picture.note(device).values,
    }


def _peer(peer: Peer, picture: Picture) -> dict[str, Any]:
    return {
        "id": f"peer:{peer.name}", "kind": "peer", "name": peer.name, "type": peer.type,
        **_ends(peer), **_about(peer), **_problems(peer, picture),
    }


def _ends(of: Socket | Peer) -> dict[str, list[str]]:
    return {"bind": sorted(a.text for a in of.bind), "connect": sorted(a.text for a in of.connect)}


def _about(owner: Device | Peer) -> dict[str, str]:
    described = {"description": owner.description} if owner.description else {}
    return {**described, **{key: owner.graph[key] for key in ("color", "group") if key in owner.graph}}


def _edges(arrow: Arrow, picture: Picture) -> list[dict[str, Any]]:
    left, right = ((node, end) for node, end in zip(arrow.nodes, (arrow.left, arrow.right), strict=True))
    there, back = (left, right, "forward"), (right, left, "back")
    ways = {"forward": [there], "back": [back], "both": [there, back]}
    return [
        {
            "source": source, "target": target, "key": 0, "endpoint": arrow.node.text, "pattern": arrow.pattern,
            "monitor": arrow.is_monitor, "source_socket": _role(sender), "target_socket": _role(receiver),
            **_problems(arrow, picture), **picture.note(arrow).values.get(way, {}),
        }
        for (source, sender), (target, receiver), way in ways[arrow.heads]
    ]


def _role(end: End | None) -> str | None:
    return end.role if end else None


def _problems(of: Device | Socket | Peer | Arrow, picture: Picture) -> dict[str, list[str]]:
    found = picture.faults(of)
    return {"problems": found} if found else {}
