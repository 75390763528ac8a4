"""Who may connect to the devices of this process, and who was not let in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import zmq

from zmqtopo.broker.zap import Policy, Refusal, ZapHandler
from zmqtopo.config.wording import count
from zmqtopo.worker.protocol import Noted


class Admission:
    """The policies of all devices of a process, and the one handler that its context can have."""

    def __init__(
        self, context: zmq.Context[Any], post: Callable[[Noted], None],
        admitted: Callable[[str, str, str, str], None],
    ) -> None:
        """``admitted`` is called with the device, the role, the address and the name of who is let in."""
        self._context = context
        self._tell_admitted = admitted
        self._post = post
        self._policies: dict[str, Policy] = {}
        self._handler: ZapHandler | None = None

    def admit(self, policies: Mapping[str, Policy]) -> None:
        """Judge by these from now on, before the sockets of their domains are bound. Raises zmq.ZMQError."""
        if not policies:
            return
        if self._handler is None:
            self._handler = ZapHandler(self._context, self._refused, self._admitted)
        self._policies |= policies
        self._handler.replace(dict(self._policies))

    def close(self) -> None:
        """End the handler."""
        if self._handler is not None:
            self._handler.close()
            self._handler = None

    def _admitted(self, domain: str, address: str, user: str) -> None:
        device, _, role = domain.rpartition("/")[2].rpartition(".")
        self._tell_admitted(device, role, address, user)

    def _refused(self, refusal: Refusal) -> None:
        device, _, role = refusal.domain.rpartition("/")[2].rpartition(".")
        others = f"; {count(refusal.others, 'other')} before it" if refusal.others else ""
        self._post(Noted(device, "refused", f"{role}: {refusal.address} was refused: {refusal.reason}{others}"))
