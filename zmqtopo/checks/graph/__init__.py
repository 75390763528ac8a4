"""The graph of a topology: devices, peers, and the endpoints where they meet.

Rules and drawings read the same graph. Its parts are plain values (`End`, `Link`, `AddressNode`);
`Graph.net` is the same as a networkx graph for code that walks along edges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from zmqtopo.checks.graph.addresses import AddressBook, Key
from zmqtopo.checks.running_topology import Present
from zmqtopo.checks.sockets import receives, sends
from zmqtopo.config.endpoint import Endpoint
from zmqtopo.config.model import Address, Device, Peer, Reference, Role, Socket, Topology
from zmqtopo.config.problem import Place
from zmqtopo.config.reference import nearest

if TYPE_CHECKING:
    import networkx as nx  # a fifth of a second to import, and most checks never walk the graph

Side = Literal["bind", "connect"]


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """A socket of a device, or a peer (which is one socket and has no role)."""

    owner: Device | Peer
    socket: Socket | Peer
    role: Role | None

    @property
    def node(self) -> str:
        """The node of its owner in `Graph.net`."""
        return f"peer:{self.owner.name}" if self.role is None else f"device:{self.owner.name}"

    @property
    def name(self) -> str:
        """As messages name it: ``requests.in``, or ``peer feed``."""
        return f"peer {self.owner.name}" if self.role is None else f"{self.owner.name}.{self.role}"

    @property
    def type(self) -> str:
        """The socket type, in upper case."""
        return self.socket.type

    @property
    def type_known(self) -> bool:
        """Whether the type is the one that is meant: where something is unreadable, a default may not be."""
        return self.type != "" and "type" not in self.socket.unread

    @property
    def sends(self) -> bool:
        """Whether messages leave here."""
        return sends(self.type)

    @property
    def receives(self) -> bool:
        """Whether messages arrive here; a device takes nothing from its mon."""
        return self.role != "mon" and receives(self.type)

    @property
    def process_known(self) -> bool:
        """Whether what the file says about its process could be read."""
        return "run" not in self.owner.unread

    @property
    def process(self) -> str:
        """Equal text, same operating-system process; a peer is in none of ours."""
        return self.owner.process if isinstance(self.owner, Device) else f"peer {self.owner.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """One address at which a socket binds or connects; ``endpoint`` None is an address nobody knows."""

    end: End
    side: Side
    written: Address | Reference
    endpoint: Endpoint | None

    @property
    def place(self) -> Place:
        """Where the address stands in the file."""
        return self.written.place

    @property
    def text(self) -> str:
        """The address or reference as written."""
        return self.written.text

    @property
    def process(self) -> str:
        """The process of its socket."""
        return self.end.process

    @property
    def ours(self) -> bool:
        """Whether zmqtopo runs it."""
        return self.end.role is not None

    @property
    def ipv6(self) -> bool:
        """Whether the socket has the option ``ipv6``."""
        return isinstance(self.end.socket, Socket) and bool(self.end.socket.options.get("ipv6"))


@dataclass(slots=True, eq=False)
class AddressNode:
    """A place where sockets meet: one address, who binds it and who connects to it, in file order."""

    node: str
    text: str
    binds: list[Link] = field(default_factory=list)
    connects: list[Link] = field(default_factory=list)

    @property
    def pairs(self) -> Iterator[tuple[Link, Link]]:
        """Every connection (binder, connector); where two bind one address, the first has it."""
        return ((bind, connect) for bind in self.binds[:1] for connect in self.connects)


class Graph:
    """The graph of ``topology``, built in time proportional to the number of addresses; ``present`` runs already."""

    def __init__(self, topology: Topology, present: Present | None = None) -> None:
        self.topology = topology
        self.present = present
        self.ends = tuple(_ends(topology))
        self.binds = tuple(
            Link(end, "bind", address, address.endpoint) for end in self.ends for address in end.socket.bind
        )
        self.connects = tuple(self._connects())
        self.book: AddressBook[Link] = AddressBook(self.binds)
        self._binds_of: dict[tuple[str, str], list[Link]] = {}
        for bind in self.binds:
            if bind.end.role is not None:
                self._binds_of.setdefault((bind.end.owner.name, bind.end.role), []).append(bind)
        self.nodes = self._meet()

    @cached_property
    def conflicts(self) -> dict[Link, set[Link]]:
        """For each bind whose address another one claims too: who that is."""
        conflicts: dict[Link, set[Link]] = {}
        for later, earlier in self.book.clashes:
            conflicts.setdefault(later, set()).add(earlier)
            conflicts.setdefault(earlier, set()).add(later)
        return conflicts

    @property
    def connections(self) -> Iterator[tuple[Link, Link]]:
        """Every connection (binder, connector), but for those to an address that two claim: whose, nobody knows."""
        return (pair for node in self.nodes for pair in node.pairs if pair[0] not in self.conflicts)

    @property
    def possible_connections(self) -> Iterator[tuple[Link, Link]]:
        """As `connections`, and for an address that two claim each that may come to be."""
        for node in self.nodes:
            for connect in node.connects:
                binds = {bind: None for first in node.binds[:1] for bind in (first, *self.conflicts.get(first, ()))}
                if isinstance(connect.written, Reference):
                    named = self.binds_of(connect.written)
                    binds = {bind: None for bind in binds if bind in named} or binds
                yield from ((bind, connect) for bind in sorted(binds, key=lambda bind: bind.place))

    @cached_property
    def net(self) -> nx.MultiDiGraph[str]:
        """The graph for networkx.

        Nodes are ``device:NAME``, ``peer:NAME`` and ``endpoint:ADDRESS`` with the attributes ``kind``
        (``device``, ``peer``, ``endpoint``) and ``value`` (`Device`, `Peer`, `AddressNode`). An edge is a way
        that messages go: from a sender to an endpoint, from an endpoint to a receiver, and both for a
        socket that does both. Its attributes are ``role`` (in, out, mon, or None for a peer), ``side``
        (bind, connect), ``type`` of the socket, ``address`` as written, and ``link``, the `Link` with all.
        """
        import networkx as nx

        net: nx.MultiDiGraph[str] = nx.MultiDiGraph(name=self.topology.name)
        for device in self.topology.devices.values():
            net.add_node(f"device:{device.name}", kind="device", value=device)
        for peer in self.topology.peers.values():
            net.add_node(f"peer:{peer.name}", kind="peer", value=peer)
        for node in self.nodes:
            net.add_node(node.node, kind="endpoint", value=node)
            for link in (*node.binds, *node.connects):
                end = link.end
                about = {
                    "role": end.role, "side": link.side, "type": end.type, "address": link.text, "link": link,
                }
                if end.sends:
                    net.add_edge(end.node, node.node, **about)
                if end.receives:
                    net.add_edge(node.node, end.node, **about)
        return net

    def binds_of(self, reference: Reference) -> list[Link]:
        """The binds of the socket that a reference names; empty when there is no such socket."""
        return self._binds_of.get((reference.device, reference.socket), [])

    def _connects(self) -> Iterator[Link]:
        for end in self.ends:
            for written in end.socket.connect:
                if isinstance(written, Address):
                    yield Link(end, "connect", written, written.endpoint)
                else:
                    yield Link(end, "connect", written, nearest(written, end.owner, self.topology))

    def _meet(self) -> tuple[AddressNode, ...]:
        """Bring every bind and connect to its meeting; an address that cannot be read has none."""
        nodes: dict[Key, AddressNode] = {}
        at: dict[Link, AddressNode] = {}
        for bind in self.binds:
            if bind.endpoint is None:
                continue
            key: Key = ("system", bind.end.name, bind.text) if bind.endpoint.is_system_port else self.book.key(bind)
            node = at[bind] = nodes.setdefault(key, AddressNode(_node(bind), bind.text))
            node.binds.append(bind)
        for connect in self.connects:
            reached = self._reached(connect)
            if reached is not None:
                at[reached].connects.append(connect)
            elif connect.endpoint is not None:
                key = self.book.key(connect)
                text = str(connect.endpoint) if isinstance(connect.written, Reference) else connect.text
                nodes.setdefault(key, AddressNode(_node(connect), text)).connects.append(connect)
        return tuple(nodes.values())

    def _reached(self, connect: Link) -> Link | None:
        """The bind at the other end of a connect, if it is in this file."""
        if connect.endpoint is None and isinstance(connect.written, Reference):
            # A port of the system's choice: nobody knows the address yet, but everybody knows whose it is.
            system = (b for b in self.binds_of(connect.written) if b.endpoint and b.endpoint.is_system_port)
            return next(system, None)
        return self.book.find(connect)


def _ends(topology: Topology) -> Iterator[End]:
    for device in topology.devices.values():
        for socket in device.sockets:
            yield End(device, socket, socket.role)
    for peer in topology.peers.values():
        yield End(peer, peer, None)


def _node(link: Link) -> str:
    """A name for the endpoint that two meetings never share: some addresses are many, one for each owner."""
    whose = ""
    if link.endpoint and link.endpoint.is_system_port:
        whose = f" of {link.end.name}"
    elif link.endpoint and link.endpoint.transport == "inproc" and link.process:
        whose = f" in {link.process}"
    return f"endpoint:{link.text}{whose}"
