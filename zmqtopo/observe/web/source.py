"""What the running topology says of itself: asked on its control socket, in a thread, one question at a time."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from zmqtopo.control.client import ANSWER_TIMEOUT, Client, connect
from zmqtopo.control.errors import ControlError, NotRunningError

MOST_COMMANDS: Final = 4
"""Commands that are carried out at a time; one more is refused."""

COMMAND_TIMEOUT: Final = 60.0
"""Seconds after which the answer to a command is no longer waited for; the command goes on."""


PS_INTERVAL: Final = 5.0
"""Seconds for which an answer to ``ps`` serves scrapes with counters of their own, if no device or peer changes."""


class BusyError(Exception):
    """Too many commands are being carried out."""


class Source:
    """Asks the topology ``name`` that the process ``supervisor`` runs."""

    def __init__(self, name: str, supervisor: int) -> None:
        self._name = name
        self._supervisor = supervisor
        self._client: Client | None = None
        self._thread = ThreadPoolExecutor(1, "ask")
        self._commands = ThreadPoolExecutor(MOST_COMMANDS, "command")
        self._running = 0
        self._told_last: dict[str, Any] | None = None
        self._told_at = 0.0
        self._asked: asyncio.Task[dict[str, Any]] | None = None

    async def ps(self) -> dict[str, Any]:
        """The answer to ``ps``; who asks while another waits for one gets the same. Raises ControlError."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asked)

    async def _ask(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._told_last = await loop.run_in_executor(self._thread, self._ask_twice, "ps")
        self._told_at = began
        return self._told_last

    def _ask_twice(self, verb: str) -> dict[str, Any]:
        """Ask on the connection that is there, and on another one when that has been closed."""
        if self._client is not None:
            began = time.monotonic()
            try:
                return self._told(self._client.ask(verb, timeout=ANSWER_TIMEOUT))
            except ControlError:
                self._client.close()
                self._client = None
                if time.monotonic() - began >= ANSWER_TIMEOUT:      # it is there, and hangs
                    raise
        client = self.connect()
        try:
            told = self._told(client.ask(verb, timeout=ANSWER_TIMEOUT))
        except BaseException:
            client.close()
            raise
        self._client = client
        return told

    async def scrape(self) -> tuple[dict[str, Any], list[list[int]] | None]:
        """An answer to ``ps``, and newer counters of its devices; None where the answer itself is new.

        Of 1,000 devices the counters alone cost the supervisor a tenth, and none of the thread that sees to devices.
        Raises ControlError.
        """
        told = self._told_last
        if told is not None and asyncio.get_running_loop().time() - self._told_at < PS_INTERVAL:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, self._ask_twice, "counters")
            if found.get("change") == told.get("change"):
                return told, found["counters"]
        return await self.ps(), None

    async def command(self, verb: str, device: str) -> dict[str, Any]:
        """The answer to a command. Raises ControlError and BusyError."""
        if self._running >= MOST_COMMANDS:
            raise BusyError
        self._running += 1
        try:
            return await asyncio.shield(
                asyncio.get_running_loop().run_in_executor(self._commands, self._command, verb, device))
        finally:
            self._running -= 1

    def _command(self, verb: str, device: str) -> dict[str, Any]:
        with self.connect() as client:
            return client.ask(verb, device, timeout=COMMAND_TIMEOUT)

    def connect(self) -> Client:
        """Make a connection of its own. Raises ControlError."""
        client = connect(self._name)
        if client.pid != self._supervisor:
            client.close()
            raise NotRunningError(f"{self._name} is run by another process by now")
        return client

    def _told(self, answer: dict[str, Any]) -> dict[str, Any]:
        if not answer.get("ok"):
            raise ControlError("; ".join(map(str, answer.get("errors", ()))))
        return answer
