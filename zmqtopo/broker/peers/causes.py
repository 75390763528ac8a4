"""Why a handshake has failed, from what libzmq's monitor says of it."""

from __future__ import annotations

from typing import Final

import zmq

from zmqtopo.broker.counters import Reason

_ZAP: Final = {300: "refused for now by ZAP (300)", 400: "refused by ZAP (400)", 500: "the ZAP handler failed (500)"}

_MECHANISM: Final = "one end uses CURVE or PLAIN and the other does not"

_KEY: Final = "what came cannot be decrypted: most likely it has the wrong public key of this end"

UNSAID: Final = "refused, and libzmq does not say why: most likely the types of the sockets do not match"
"""libzmq ends a connection for that without any event of a failure."""

INCOMPLETE: Final = "the connection ended before the handshake was complete"

_LATE: Final = 0.95
"""Of the time that a handshake may take; libzmq's timers may come some milliseconds early."""


def cause(event: int, value: int, took: float | None, most: float) -> tuple[Reason, str]:
    """The reason and the words for an event of a failed handshake and its value.

    ``took`` are the seconds since the connection began, None when that is not known; ``most`` are those that it may
    take, 0 for any. The errno of ``HANDSHAKE_FAILED_NO_DETAIL`` is not looked at: often it is that of something else.
    """
    if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        return "auth", _ZAP.get(value, f"refused by ZAP ({value})")
    if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return _protocol(value)
    if most and took is not None and took >= most * _LATE:
        return "timeout", f"it was not complete within {most:g} s"
    return "incomplete", INCOMPLETE


def _protocol(value: int) -> tuple[Reason, str]:
    if value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
        return "mechanism", _MECHANISM
    if value == zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
        return "key", _KEY
    if value & zmq.PROTOCOL_ERROR_ZAP_UNSPECIFIED:
        return "auth", "the ZAP handler gave no valid answer"
    return "protocol", f"what came is not allowed in a handshake ({value:#x})"
