"""Waiting in a thread, so that the screen does not."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def in_thread(call: Callable[[], Result]) -> Result:
    """What ``call`` returns or raises, in a thread that ends with the process.

    `asyncio.to_thread` would keep who quits waiting for whatever is still being waited for.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(set_: Callable[[], None]) -> None:
        if not future.done():       # nobody waits any more
            set_()

    def run() -> None:
        try:
            result = call()
        except Exception as error:
            failure = error
            set_ = lambda: future.set_exception(failure)    # noqa: E731
        else:
            set_ = lambda: future.set_result(result)        # noqa: E731
        with contextlib.suppress(RuntimeError):     # the loop is closed
            loop.call_soon_threadsafe(settle, set_)

    threading.Thread(target=run, name="zmqtopo top", daemon=True).start()
    return await future
