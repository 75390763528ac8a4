"""How the loop ends: told to, having passed on what was received, or with its context."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import pytest
import zmq

from zmqtopo.broker.control import Control
from zmqtopo.devices import ThreadDevice, ThreadMonitoredQueue
from zmqtopo.loop import relay


def streamer(net: Any, **options: int) -> tuple[Any, Any, Any, str]:
    """A producer's end, a paused device whose out socket is bound, and its address."""
    push, in_address = net.end(zmq.PUSH, "inproc", sndhwm=0)
    device = ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.bind_out("inproc://out")
    for name, value in options.items():
        role, option = name.split("_", 1)
        getattr(device, f"setsockopt_{role}")(getattr(zmq, option.upper()), value)
    net.start(device, **{"in": in_address})
    device.pause()
    return push, in_address, device, "inproc://out"


@pytest.mark.parametrize("count", [1, 999, 50_000])
def test_what_was_received_is_passed_on(net: Any, count: int) -> None:
    push, _, device, address = streamer(net, out_sndhwm=0, in_rcvhwm=0)
    pull = net.socket(zmq.PULL, connect=address, rcvhwm=0)
    for i in range(count):
        push.send(b"%d" % i)
    device.stop()
    assert device.counters.in_to_out.messages == count
    assert net.receive_all(pull, count) == [[b"%d" % i] for i in range(count)]


def test_an_unlimited_queue_is_passed_on_however_long_it_takes(net: Any) -> None:
    """Moving it takes longer than a stop under a steady producer would go on."""
    connections, count = 50, 16_000
    publisher, in_address = net.end(zmq.XPUB, "inproc", sndhwm=0, xpub_verbose=1)
    device = ThreadDevice(zmq.STREAMER, zmq.SUB, zmq.PUSH)
    device.setsockopt_in(zmq.SUBSCRIBE, b"")
    device.setsockopt_in(zmq.RCVHWM, 0)
    device.setsockopt_out(zmq.SNDHWM, 0)
    device.bind_out("inproc://out")
    for _ in range(connections):
        device.connect_in(in_address)
    net.start(device)
    device.pause()
    net.socket(zmq.PULL, connect="inproc://out", rcvhwm=0)
    net.receive_all(publisher, connections)
    for _ in range(count):
        publisher.send(b"to each")
    device.stop()
    assert device.counters.in_to_out.messages == connections * count


def test_both_directions_are_passed_on(net: Any) -> None:
    asks, in_address = net.end(zmq.PAIR, "inproc")
    answers, out_address = net.end(zmq.PAIR, "inproc")
    device = net.start(ThreadDevice(zmq.QUEUE, zmq.PAIR, zmq.PAIR), **{"in": in_address}, out=out_address)
    device.pause()
    for i in range(100):
        asks.send(b"q%d" % i)
        answers.send(b"a%d" % i)
    device.stop()
    assert net.receive_all(answers, 100) == [[b"q%d" % i] for i in range(100)]
    assert net.receive_all(asks, 100) == [[b"a%d" % i] for i in range(100)]


def test_a_slow_consumer_gets_it_within_the_timeout(net: Any) -> None:
    push, _, device, address = streamer(net, out_sndhwm=1)
    pull = net.socket(zmq.PULL, connect=address, rcvhwm=1)
    for i in range(200):
        push.send(b"%d" % i)
    stopper = threading.Thread(target=device.stop)
    stopper.start()
    net.until(lambda: device.counters.in_to_out.waiting)
    assert not device.done
    assert net.receive_all(pull, 200) == [[b"%d" % i] for i in range(200)]
    stopper.join()
    assert device.counters.in_to_out.messages == 200
    assert device.counters.in_to_out.dropped == 0


def test_nobody_takes_it_within_the_timeout(net: Any) -> None:
    push, _, device, _ = streamer(net)
    push.send(b"1")
    push.send(b"2")
    started = time.monotonic()
    device.stop(timeout=0.2)
    assert 0.2 <= time.monotonic() - started < 2
    assert device.done
    assert device.error is None
    # Both were in the loop's hand.
    assert device.counters.in_to_out.dropped == 2


@pytest.mark.parametrize("hwm", [1, 100, 1000])
def test_a_stop_under_a_steady_producer_ends(net: Any, hwm: int) -> None:
    """A second device with a long queue produces faster than Python can consume."""
    feed, feed_address = net.end(zmq.PUSH, "inproc", sndhwm=0)
    device = ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.bind_in("inproc://in")
    device.bind_out("inproc://out")
    device.setsockopt_in(zmq.RCVHWM, hwm)
    device.setsockopt_out(zmq.SNDHWM, hwm)
    net.start(device)
    producer = ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    producer.setsockopt_in(zmq.RCVHWM, 0)
    producer.setsockopt_out(zmq.SNDHWM, hwm)
    net.start(producer, **{"in": feed_address}, out="inproc://in")
    producer.pause()
    for _ in range(1_000_000):
        feed.send(b"")
    producer.resume()
    pull = net.socket(zmq.PULL, connect="inproc://out", rcvhwm=hwm)
    over = threading.Event()

    def consume() -> None:
        while not over.is_set():
            while pull.poll(10):
                pull.recv()

    consumer = threading.Thread(target=consume)
    consumer.start()
    net.until(lambda: device.counters.in_to_out.messages > 2000)
    device.stop(timeout=30)
    over.set()
    consumer.join()
    assert device.done
    assert producer.counters.in_to_out.messages < 1_000_000, "it has waited until the producer had no more"


def test_its_owner_is_gone(net: Any) -> None:
    """The end of the control stream is a stop at once."""
    control = Control()
    pull, push = net.socket(zmq.PULL), net.socket(zmq.PUSH)
    ended: list[bool] = []
    thread = threading.Thread(target=lambda: ended.append(relay(pull, push, control=control.worker.fileno())))
    thread.start()
    assert control.ask(b"r", 5)
    control.owner.close()
    thread.join(5)
    assert ended == [True]


@pytest.mark.parametrize("paused", [False, True])
def test_the_end_of_the_context_is_a_clean_end(net: Any, paused: bool) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    device = ThreadMonitoredQueue(zmq.ROUTER, zmq.DEALER)
    device.context_factory = lambda: context
    device.bind_in("inproc://in")
    device.start()
    device.wait_ready()
    if paused:
        device.pause()
    context.term()
    device.join(5)
    assert device.done
    assert device.error is None
    with pytest.raises(RuntimeError, match="not running"):
        device.pause()
    device.stop()


def test_relay_says_that_the_context_ended() -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    pull, push = context.socket(zmq.PULL), context.socket(zmq.PUSH)
    ended: list[type[BaseException]] = []

    def run() -> None:
        with pytest.raises(zmq.ContextTerminated) as caught:
            relay(pull, push)
        ended.append(caught.type)
        pull.close()
        push.close()

    thread = threading.Thread(target=run)
    thread.start()
    context.term()
    thread.join(5)
    assert ended == [zmq.ContextTerminated]


def test_pause_costs_no_cpu_and_loses_nothing(net: Any) -> None:
    push, _, device, address = streamer(net)
    pull = net.socket(zmq.PULL, connect=address)
    before = time.clock_gettime(time.pthread_getcpuclockid(device.launcher.ident))
    for i in range(100):
        push.send(b"%d" % i)
    assert not pull.poll(300)
    assert time.clock_gettime(time.pthread_getcpuclockid(device.launcher.ident)) - before < 0.05
    device.resume()
    assert net.receive_all(pull, 100) == [[b"%d" % i] for i in range(100)]


@pytest.mark.slow
def test_what_many_peers_have_sent_is_passed_on(net: Any) -> None:
    """More than one peer's queue holds, and more than a stop under a steady producer would move."""
    peers, each, message = 8, 900, [b"x" * 64] * 100
    device = ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.bind_in("tcp://127.0.0.1:*")
    device.bind_out("inproc://out")
    device.setsockopt_out(zmq.SNDHWM, 0)
    net.start(device)
    pull = net.socket(zmq.PULL, connect="inproc://out", rcvhwm=0)
    device.pause()
    producers = zmq.Context()
    pushes = [producers.socket(zmq.PUSH) for _ in range(peers)]
    for push in pushes:
        push.sndhwm = 0
        push.connect(device.endpoints["in"][0])
    for _ in range(each):
        for push in pushes:
            push.send_multipart(message)
    for push in pushes:
        push.close()
    producers.term()    # all has gone to the device, which can hold it
    device.stop(30)
    assert device.counters.in_to_out.messages == peers * each
    assert net.receive_all(pull, peers * each) == [message] * (peers * each)


@pytest.mark.parametrize("pause", [0.0005, 0.001, 0.01])
def test_a_stop_under_a_producer_that_never_pauses_for_long_ends(net: Any, pause: float) -> None:
    """The source is dry between any two messages, but never for as long as a stop waits for silence."""
    push, in_address = net.end(zmq.PUSH, "tcp", sndhwm=0)
    device = ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.setsockopt_out(zmq.SNDHWM, 0)
    device.bind_out("inproc://out")
    net.start(device, **{"in": in_address})
    pull = net.socket(zmq.PULL, connect="inproc://out", rcvhwm=0)
    enough = threading.Event()
    sent = []

    def produce() -> None:
        while not enough.wait(pause):
            with contextlib.suppress(zmq.Again):    # the device has closed its end
                push.send(b"%d" % len(sent), zmq.DONTWAIT)
                sent.append(time.monotonic())

    producer = threading.Thread(target=produce)
    producer.start()
    try:
        net.until(lambda: device.counters.in_to_out.messages > 10)
        started = time.monotonic()
        device.stop(timeout=30)
        took = time.monotonic() - started
    finally:
        enough.set()
        producer.join()
    assert took < 15    # not until its time was over
    # All that had been sent when the stop came, and nothing out of order.
    count = device.counters.in_to_out.messages
    assert count >= sum(at < started for at in sent)
    assert net.receive_all(pull, count) == [[b"%d" % i] for i in range(count)]


@pytest.mark.parametrize(("fed", "at_least"), [(True, 0.2), (False, 0.02)])
def test_a_stop_listens_longer_for_what_another_device_has_just_sent(net: Any, fed: bool, at_least: float) -> None:
    _, _, device, address = streamer(net)
    net.socket(zmq.PULL, connect=address)
    begun = time.monotonic()
    device._control.stop(5, fed=fed)
    device.join(5)
    assert at_least <= time.monotonic() - begun < 5
