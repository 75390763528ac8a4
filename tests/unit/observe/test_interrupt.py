from __future__ import annotations

import os
import signal
import time

from zmqtopo.observe.interrupt import Interrupt


def test_a_signal_ends_a_wait() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupt() as interrupt:
        assert not interrupt.wait(0)
        began = time.monotonic()
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.wait(60)
        assert time.monotonic() - began < 10
        assert interrupt.signal == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert interrupt.wait(0)
    assert signal.getsignal(signal.SIGTERM) is before


def test_it_waits_otherwise() -> None:
    with Interrupt() as interrupt:
        began = time.monotonic()
        assert not interrupt.wait(0.02)
        assert time.monotonic() - began >= 0.02
