"""The table of options against the libzmq that is here."""

from __future__ import annotations

import pytest
import zmq

from zmqtopo.checks.rules.options import SCOPE

DRAFT = {"only_first_subscribe", "router_notify", "xpub_manual_last_value", "xsub_verbose_unsubscribe"}
TEXT = {"subscribe", "unsubscribe", "xpub_welcome_msg", "connect_routing_id"}


@pytest.mark.parametrize(("option", "type_"), [
    (option, type_) for option, types in SCOPE.items() if option not in DRAFT for type_ in sorted(types)
])
def test_libzmq_takes_what_the_rule_allows(option: str, type_: str, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with context.socket(getattr(zmq, type_)) as socket:
        socket.setsockopt(getattr(zmq, option.upper()), b"x" if option in TEXT else 1)
