"""The stream of commands, without a loop at its other end."""

from __future__ import annotations

import pickle
import threading

import pytest

from zmqtopo.broker.control import Control


def test_a_command_is_answered_with_itself() -> None:
    control = Control()
    control.worker.setblocking(True)
    worker = threading.Thread(target=lambda: control.worker.sendall(b"xp" + control.worker.recv(1)))
    worker.start()
    # The answers to what nobody waited for come first.
    assert control.ask(b"r", 5) is True
    worker.join()
    control.close()


def test_nobody_answers() -> None:
    control = Control()
    with pytest.raises(TimeoutError, match=r"within 0\.05 s"):
        control.ask(b"p", 0.05)
    assert control.worker.recv(10) == b"p"
    control.close()


def test_the_worker_has_gone() -> None:
    control = Control()
    control.worker.close()
    assert control.ask(b"p", 5) is False
    control.send(b"s")
    control.close()
    control.send(b"s")
    assert control.ask(b"p", 5) is False


def test_only_while_a_process_is_spawned_it_can_be_pickled() -> None:
    control = Control()
    with pytest.raises((RuntimeError, TypeError, pickle.PicklingError)):
        pickle.dumps(control)
    control.close()
