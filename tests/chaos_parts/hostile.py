"""What clients do who mean harm, or know no better. Nobody else may lose anything by it, and no device may end.

They take no messages and send none that is whole, so all that others send must still arrive.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from chaos_parts.wire import COMMAND, GREETING, LONG, MORE, Stranger, command, frame, ready, subscribe, unsubscribe
from chaos_parts.world import Excuse, World

SENDERS = {"PULL": "PUSH", "XSUB": "PUB", "SUB": "PUB", "ROUTER": "DEALER"}
"""Who may join sockets of a type without taking away messages that are for others, if they send no whole one."""

READERS = {"XPUB": "SUB", "PUB": "SUB"}

IDLE = 100
"""Connections that do nothing."""

FLOOD = 300
"""Connections one after the other."""

TOPICS = 5000
"""Subscriptions of one stranger."""

LONG_TOPIC = 200_000
"""Bytes."""


def half_greetings(world: World) -> list[Excuse]:
    """Some stop in the middle of the greeting, one goes, one speaks a byte at a time."""
    hello = GREETING + ready("DEALER")
    with ExitStack() as stack:
        for address in _addresses(world, 6):
            length = world.random.randrange(len(GREETING))
            stack.enter_context(Stranger(address)).say(hello[:length])
            with Stranger(address) as gone:
                gone.say(hello[:length])
            slow = stack.enter_context(Stranger(address))
            for byte in hello[:40]:
                slow.say(bytes([byte]))
        world.flow()
    return []


def lying_lengths(world: World) -> list[Excuse]:
    """Frames that say that they are far longer than what comes, before the greeting has ended and behind it."""
    lengths = (0, 1 << 20, (1 << 31) - 1, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
    with ExitStack() as stack:
        for address, type_ in _peers(world, SENDERS, 4):
            for length in lengths:
                lie = struct.pack(">BQ", world.random.choice([LONG, LONG | MORE, LONG | COMMAND]), length)
                stack.enter_context(Stranger(address)).say(GREETING + lie + b"x")
                liar = stack.enter_context(Stranger(address))
                if _joins(world, liar, type_):
                    liar.say(struct.pack(">BQ", LONG | MORE, length) + b"x")
        world.flow()
    return []


def garbage(world: World) -> list[Excuse]:
    """Noise, other protocols, and commands at the wrong time.

    libzmq takes what does not begin as a greeting for ZMTP 1.0: noise may be a message, and its sender a reader.
    """
    world.strangers_speak = True
    noise = [
        world.random.randbytes(world.random.randint(1, 3000)), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), b"\xff" * 4000, bytes(4000),
        GREETING + ready("NOBODY"), GREETING + ready("DEALER", b"x" * 300), GREETING + command(b"ERROR", b"\xff"),
        GREETING[:12] + b"CURVE" + GREETING[17:] + command(b"HELLO", bytes(194)),
    ]
    late = [
        ready("DEALER"), command(b"PING", b"\0\0") * 200, command(b"PING", bytes(300)), command(b"ERROR", b"\5never"),
        command(b"JOIN", b"x"), command(b"", b""),
    ]
    for address, _ in _peers(world, SENDERS | READERS, 4):
        for data in noise:
            with Stranger(address) as stranger:
                stranger.say(data)
    for address, type_ in _peers(world, SENDERS, 3):
        for data in late:
            with Stranger(address) as stranger:
                if _joins(world, stranger, type_):
                    stranger.say(data)
    world.flow()
    return []


def connect_flood(world: World) -> list[Excuse]:
    """Connections without end, while others go on."""
    addresses = _addresses(world, 3)

    def flood() -> None:
        for number in range(FLOOD):
            with Stranger(addresses[number % len(addresses)]) as stranger:
                stranger.say(GREETING[:number % 64])

    with _meanwhile(flood):
        world.flow()
    return []


def idle(world: World) -> list[Excuse]:
    """Connections that stay and do nothing."""
    addresses = _addresses(world, 3)
    with ExitStack() as stack:
        for number in range(IDLE):
            stack.enter_context(Stranger(addresses[number % len(addresses)]))
        world.flow()
    return []


def subscription_flood(world: World) -> list[Excuse]:
    """Thousands of topics, and their reader leaves."""
    for address, type_ in _peers(world, READERS, 2):
        with Stranger(address) as stranger:
            if _joins(world, stranger, type_):
                stranger.say(b"".join(subscribe(b"topic %d" % number) for number in range(TOPICS)))
            world.flow()
    world.flow()
    return []


def subscription_churn(world: World) -> list[Excuse]:
    """Subscriptions and unsubscriptions without end, as fast as they are taken."""
    ended = threading.Event()
    address, type_ = _peers(world, READERS, 1)[0]

    def churn() -> None:
        with Stranger(address) as stranger:
            some = b"".join(subscribe(b"\xff%d" % n) + unsubscribe(b"\xff%d" % n) for n in range(1000))
            if _joins(world, stranger, type_):
                while not ended.is_set() and stranger.say(some):
                    continue

    with _meanwhile(churn, ended.set):
        world.flow()
        device = world.random.choice(world.devices)
        world.running.pause(device)
        world.running.resume(device)
    return []


def long_topic(world: World) -> list[Excuse]:
    """A topic that is longer than a stack, and its reader leaves."""
    for address, type_ in _peers(world, READERS, 3):
        with Stranger(address) as stranger:
            if _joins(world, stranger, type_):
                stranger.say(subscribe(b"t" * LONG_TOPIC))
            world.flow()
    world.flow()
    return []


def false_unsubscriptions(world: World) -> list[Excuse]:
    """Unsubscriptions from what others have and the stranger has not."""
    for address, type_ in _peers(world, READERS, 4):
        with Stranger(address) as stranger:
            if _joins(world, stranger, type_):
                stranger.say(b"".join(unsubscribe(topic) for topic in (b"", b"a", b"b", b"a.b", b"c", b"-", b"")))
                stranger.say(subscribe(b"\xff") + unsubscribe(b"\xff") * 3 + command(b"CANCEL", b"") * 2)
            world.flow()
    return []


def unfinished_messages(world: World) -> list[Excuse]:
    """First frames without a last one: some stay so, some go."""
    with ExitStack() as stack:
        for address, type_ in _peers(world, SENDERS, 4):
            for stays in (True, False):
                stranger = Stranger(address)
                if _joins(world, stranger, type_):
                    stranger.say(frame(b"never", MORE) * world.random.choice([1, 50, 3000]))
                if stays:
                    stack.callback(stranger.close)
                else:
                    stranger.close()
        world.flow()
    return []


def stolen_names(world: World) -> list[Excuse]:
    """Routing ids that are another's, too long, or of the kind that libzmq gives."""
    receivers = [name.encode() for path in world.traffic.paths for name in path.receivers]
    with ExitStack() as stack:
        for address, type_ in _peers(world, {"ROUTER": "DEALER"}, 3):
            names = [*world.random.sample(receivers, 5), b"twin", b"twin", b"\0\0\0\0\1", b"x" * 255]
            for name in names:
                stack.enter_context(Stranger(address)).join(type_, name)
        world.flow()
    return []


HOSTILE: dict[str, Callable[[World], list[Excuse]]] = {
    "hostile-greeting": half_greetings,
    "hostile-length": lying_lengths,
    "hostile-garbage": garbage,
    "hostile-connects": connect_flood,
    "hostile-idle": idle,
    "hostile-subscriptions": subscription_flood,
    "hostile-churn": subscription_churn,
    "hostile-topic": long_topic,
    "hostile-unsubscribe": false_unsubscriptions,
    "hostile-unfinished": unfinished_messages,
    "hostile-names": stolen_names,
}


def _bound(world: World) -> list[tuple[str, str]]:
    """Type and address of all that is bound."""
    found = []
    for name, sockets in sorted(world.running.endpoints.items()):
        device = world.running.topology.devices[name]
        for role, addresses in sorted(sockets.items()):
            socket = {"in": device.in_, "out": device.out, "mon": device.mon}[role]
            found += [(str(socket.type), address) for address in addresses if not address.startswith("inproc")]
    return found


def _addresses(world: World, count: int) -> list[str]:
    chosen = world.random.sample(_bound(world), count)
    world.story.append(f"strangers at {', '.join(address for _, address in chosen)}")
    return [address for _, address in chosen]


def _peers(world: World, types: dict[str, str], count: int) -> list[tuple[str, str]]:
    """Addresses and what a stranger there joins as."""
    found = [(address, types[type_]) for type_, address in _bound(world) if type_ in types]
    chosen = world.random.sample(found, min(count, len(found)))
    world.story.append(f"strangers at {', '.join(address for address, _ in chosen)}")
    return chosen


def _joins(world: World, stranger: Stranger, type_: str) -> bool:
    """Whether a stranger has become a peer, which everybody may."""
    joined = stranger.join(type_)
    if not joined:
        world.fault(f"a stranger could not join as {type_}")
    return joined


@contextmanager
def _meanwhile(do: Callable[[], None], end: Callable[[], None] = lambda: None) -> Iterator[None]:
    thread = threading.Thread(target=do, name="strangers")
    thread.start()
    try:
        yield
    finally:
        end()
        thread.join()
