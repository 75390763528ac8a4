"""Every message that two senders give to a device is accounted for, whatever is done to the device meanwhile.

What arrives does so once and in order. The device has counted exactly what has arrived, apart from what it says to have
dropped. What is missing was on its way to the device while its sockets were closed: one gap at most for each time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

import zmqtopo

COUNT = 20_000
"""Messages that the senders send together, at least."""

BURST = 50
"""Messages that a sender sends in a row before the others have their turn."""

AHEAD = 3_000
"""Messages that it is ahead of the receiver, from which on it sends one in a row."""

TOPOLOGY = """
devices:
  a:
    type: {type}
    run: {run}
    in: {{{in_type}bind: "{in_}", options: {{rcvhwm: {hwm}, sndhwm: 0}}}}
    out: {{{out_type}bind: "{out}", options: {{rcvhwm: {hwm}{roomy}}}}}
"""
"""What is answered has room: what a client misses since it is slow is another matter."""

MON = '    mon: {{type: PUSH, bind: "{mon}"}}  # zmqtopo: ignore[mon-blocks]\n'

TYPES = {
    "queue": (zmq.DEALER, zmq.DEALER),
    "forwarder": (zmq.PUB, zmq.SUB),
    "streamer": (zmq.PUSH, zmq.PULL),
    "monitored_queue": (zmq.DEALER, zmq.DEALER),
    "proxy": (zmq.PUB, zmq.DEALER),
}
"""By type of device: who sends and who receives; two DEALERs get answers."""

WORDS = {
    "proxy": {"in_type": "type: SUB, ", "out_type": "type: DEALER, ", "roomy": ""},
    # And what is published.
    "forwarder": {"in_type": "", "out_type": "", "roomy": ", sndhwm: 0"},
}
USUAL = {"in_type": "", "out_type": "", "roomy": ""}


class Arrivals:
    """What has come by one way, in numbers by sender."""

    def __init__(self) -> None:
        self.count = 0
        self.last = [-1, -1]
        self.gaps: list[list[tuple[int, int]]] = [[], []]
        """Of each sender the ranges that were left out: the first number, and the one behind the last."""

    def note(self, payload: bytes) -> None:
        """A message has come: later than all before it of the same sender."""
        sender, number = (int(word) for word in payload.split())
        last = self.last[sender]
        assert number > last, f"{number} of sender {sender} came after {last}"
        if number > last + 1:
            self.gaps[sender].append((last + 1, number))
        self.last[sender] = number
        self.count += 1

    @property
    def missing(self) -> int:
        return sum(end - begin for gaps in self.gaps for begin, end in gaps)


class Traffic:
    """Two senders, one receiver, which answers where the senders take answers, and a reader of the monitor."""

    def __init__(self, kind: str, running: zmqtopo.Running, net: Any) -> None:
        gives, takes = TYPES[kind]
        subscriber = {"subscribe": b""} if takes == zmq.SUB else {}
        # One that drops nothing by itself, and remembers no subscription of a connection that has ended: what it sent
        # would come before those that it was meant for have connected again.
        publisher = {"immediate": 1} if gives == zmq.PUB else {}
        self.answers = gives == zmq.DEALER
        # A connection that has ended is made again soon. And they take all there is: what libzmq had given to a kernel
        # whose buffer is full, up to 8 KiB, it forgets when it ends the connection.
        quick = {"reconnect_ivl": 5, "rcvhwm": 0, "sndhwm": 0}
        self.senders = [net.socket(gives, **quick, **publisher) for _ in range(2)]
        self.receiver = net.socket(takes, **quick, **subscriber)
        self.mon = net.socket(zmq.PULL, **quick) if kind == "monitored_queue" else None
        self.sent = [0, 0]
        self.answered: deque[list[bytes]] = deque()
        """Answers that have yet to go."""
        self.requests, self.replies = Arrivals(), Arrivals()
        self.copies = {b"in": Arrivals(), b"out": Arrivals()}
        self.running = running
        self.connect()

    def connect(self) -> None:
        for sender in self.senders:
            sender.connect(self.running.address("a.in"))
        self.receiver.connect(self.running.address("a.out"))
        if self.mon is not None:
            self.mon.connect(self.running.address("a.mon"))

    def connect_again(self, net: Any) -> None:
        """Over inproc libzmq does not do so by itself, and while it ends the old connection messages still go there."""
        senders = [*self.senders, self.receiver] if self.answers else self.senders
        if senders[0].type != zmq.PUB:      # which can always send
            net.until(lambda: not any(sender.poll(0, zmq.POLLOUT) for sender in senders), "the end of the connections")
        self.receive()
        self.connect()

    def send(self) -> None:
        for number, sender in enumerate(self.senders):
            try:
                for _ in range(BURST if self.sent[number] - self.requests.last[number] < AHEAD else 1):
                    sender.send(b"%d %d" % (number, self.sent[number]), zmq.DONTWAIT)
                    self.sent[number] += 1
            except zmq.Again:
                continue

    def receive(self, wait: int = 0) -> None:
        """Take all that has come, waiting for the first up to so many milliseconds."""
        self.receiver.poll(wait)
        for message in waiting(self.receiver):
            self.requests.note(message[-1])
            if self.answers:
                self.answered.append(message)
        try:
            while self.answered:
                self.receiver.send_multipart(self.answered[0], zmq.DONTWAIT)
                self.answered.popleft()
        except zmq.Again:
            pass
        for sender in self.senders if self.answers else ():
            for message in waiting(sender):
                self.replies.note(message[-1])
        for prefix, *_, payload in waiting(self.mon) if self.mon is not None else ():
            self.copies[prefix].note(payload)

    @property
    def has_come(self) -> bool:
        """Whether the last messages, and the answers to them, have made their way."""
        last = [number - 1 for number in self.sent]
        return self.requests.last == last and (not self.answers or self.replies.last == last)


def waiting(socket: zmq.Socket[bytes]) -> Iterator[list[bytes]]:
    try:
        while True:
            yield socket.recv_multipart(zmq.DONTWAIT)
    except zmq.Again:
        return


def stop_and_start(running: zmqtopo.Running, _: Any) -> None:
    running.stop_devices("a")
    running.start("a")


def pause_and_resume(running: zmqtopo.Running, _: Any) -> None:
    running.pause("a")
    running.resume("a")


def restart(running: zmqtopo.Running, _: Any) -> None:
    running.restart("a")


def reload(running: zmqtopo.Running, other: zmqtopo.Topology) -> None:
    assert running.reload(other).devices["a"].action == "replaced"


@pytest.mark.parametrize("action", [stop_and_start, pause_and_resume, restart, reload])
@pytest.mark.parametrize("transport", ["tcp", "ipc", "inproc"])
@pytest.mark.parametrize("kind", TYPES)
def test_every_message_is_accounted_for(
    kind: str, transport: str, action: Callable[[Any, Any], None], net: Any, tmp_path: Path
) -> None:
    addresses = {role: {"tcp": "tcp://127.0.0.1:*", "ipc": f"ipc://{tmp_path}/{role}",
                        "inproc": f"inproc://{role}"}[transport] for role in ("in_", "out", "mon")}
    text = TOPOLOGY + (MON if kind == "monitored_queue" else "")
    topologies = []
    run = "process" if transport == "ipc" else "thread"
    for hwm in (1000, 2000):
        path = tmp_path / f"{hwm}.yaml"
        path.write_text(text.format(type=kind, run=run, hwm=hwm, **WORDS.get(kind, USUAL), **addresses))
        topologies.append(zmqtopo.load(path))
    turns = 2
    with zmqtopo.up(topologies[0], context=net.context) as running:
        traffic = Traffic(kind, running, net)
        for turn in range(turns):
            flow(traffic, lambda turn=turn: sum(traffic.sent) > (turn + 1) * COUNT // (turns + 1))
            done = threading.Thread(target=action, args=(running, topologies[1 - turn % 2]))
            done.start()
            flow(traffic, lambda done=done: not done.is_alive())
            done.join()
            assert running.states == {"a": "running"}
            if transport == "inproc" and action is not pause_and_resume:
                traffic.connect_again(net)
            sent = traffic.sent[:]
            flow(traffic, lambda sent=sent: all(last > s for last, s in zip(traffic.requests.last, sent, strict=True)))
        flow(traffic, lambda: sum(traffic.sent) >= COUNT)
        net.until(lambda: traffic.receive(1) or traffic.has_come, "the last message")
        check(traffic, running, net, closed=0 if action is pause_and_resume else turns)


def flow(traffic: Traffic, until: Callable[[], bool]) -> None:
    """A steady stream, about a thousand messages in a millisecond at most."""
    while not until():
        traffic.send()
        traffic.receive(1)


def check(traffic: Traffic, running: zmqtopo.Running, net: Any, closed: int) -> None:
    counters = running.counters()["a"]
    [status] = running.status
    if closed:
        assert status.last_stop is not None
        assert status.last_stop.possibly_lost_per_peer == 0, "a stop in time loses nothing that it has passed on"
    requests, replies = traffic.requests, traffic.replies
    assert (counters.in_to_out.messages, counters.in_to_out.dropped) == (requests.count, 0)
    for gaps in requests.gaps:
        # What is published before the subscription has come is for nobody.
        assert len([first for first, _ in gaps if first or traffic.answers]) <= closed, gaps
    assert sum(traffic.sent) == requests.count + requests.missing
    if traffic.answers:
        assert counters.out_to_in.messages == replies.count
        for gaps in replies.gaps:
            assert len(gaps) <= closed, gaps
        # The device drops answers for a connection that its client has no more; others were on their way to it.
        assert counters.out_to_in.dropped <= requests.count - replies.count
    if traffic.mon is not None:
        copies = traffic.copies
        net.until(lambda: traffic.receive(1) or copies[b"in"].count + copies[b"out"].count == counters.mon.messages)
        assert (copies[b"in"].count, copies[b"out"].count) == (requests.count, replies.count)
        assert counters.mon.dropped == 0
