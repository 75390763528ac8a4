"""Waiting in a thread, so that the screen does not."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Final, TypeVar

from zmqtopo.observe.top.screen.feeds import Feed

Result = TypeVar("Result")

WAIT: Final = 0.25
"""Seconds for which a feed is waited for before it is seen whether anybody still wants it."""


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


async def lines_of(open_feed: Callable[[], Feed]) -> AsyncGenerator[list[str], None]:
    """The lines of a feed, which a thread opens, reads and closes; the last of them is why there are no more."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[list[str] | None] = asyncio.Queue()
    over = threading.Event()

    def put(new: list[str] | None) -> None:
        with contextlib.suppress(RuntimeError):     # the loop is closed
            loop.call_soon_threadsafe(lines.put_nowait, new)

    def run() -> None:
        try:
            feed = open_feed()
            try:
                while not over.is_set():
                    if new := feed.read(WAIT):
                        put(new)
            finally:
                feed.close()
        except Exception as error:      # each kind of feed has its own, and all of them are words for users
            put([str(error)])
        put(None)

    threading.Thread(target=run, name="zmqtopo top feed", daemon=True).start()
    try:
        while (new := await lines.get()) is not None:
            yield new
    finally:
        over.set()
