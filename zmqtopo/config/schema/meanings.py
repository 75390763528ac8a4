"""What people write from the habits of other programs, and what it is called here."""

from __future__ import annotations

import math
import re
from typing import Final

from zmqtopo.config.names import is_name, to_name
from zmqtopo.config.schema.definitions import Schema, definition, schema
from zmqtopo.config.yaml.tree import Value

_TRUE: Final = ("true", "yes", "on", "y", "1", "enabled")
_FALSE: Final = ("false", "no", "off", "n", "0", "disabled")

_WORDS: Final[dict[str, dict[str, str]]] = {
    "restart policy": {
        **dict.fromkeys((*_TRUE, "unless-stopped", "any", "forever"), "always"),
        **dict.fromkeys((*_FALSE, "none"), "never"),
        **dict.fromkeys(("onfailure", "failure", "error", "on-error", "on-abnormal", "on-abort"), "on-failure"),
    },
    "place to run": {
        **dict.fromkeys(("fork", "forked", "spawn", "subprocess", "multiprocess", "multiprocessing", "worker", "own",
                         "separate", "isolated", "true"), "process"),
        **dict.fromkeys(("threaded", "threading", "inline", "shared", "pool", "false"), "thread"),
    },
    "device type": {
        **dict.fromkeys(("broker", "rpc", "reqrep", "req-rep", "req", "rep", "router", "dealer", "rrbroker",
                         "router-dealer", "lb", "loadbalancer", "load-balancer"), "queue"),
        **dict.fromkeys(("pubsub", "pub-sub", "pub", "sub", "xpub", "xsub", "xsub-xpub", "fanout", "broadcast", "bus",
                         "topic"), "forwarder"),
        **dict.fromkeys(("pipeline", "pushpull", "push-pull", "push", "pull", "stream", "pipe", "ventilator"),
                        "streamer"),
        **dict.fromkeys(("monitor", "capture", "tee", "tap", "monitored"), "monitored_queue"),
    },
}
"""By the title of what the schema wants there: a word in lower case, and what it means."""

_DRAFTS: Final = {
    "CLIENT": "DEALER", "SERVER": "ROUTER", "RADIO": "PUB", "DISH": "SUB", "SCATTER": "PUSH", "GATHER": "PULL",
    "DGRAM": "ROUTER", "PEER": "ROUTER", "CHANNEL": "PAIR",
}
"""Socket types of libzmq's draft API, https://libzmq.readthedocs.io/en/latest/zmq_socket.html, and the stable type that
comes nearest."""

_MULTIPLES: Final = {"k": 1_000, "m": 1_000_000, "g": 1_000_000_000}

_PLACES: Final = (("socket", "in or out"), ("mon", "mon"), ("context", "context, at the top of the file"),
                  ("restart", "restart"), ("limits", "limits"), ("graph", "graph"), ("device", "a device, in devices"))
"""Where a key may have been meant to stand; the first that knows it counts."""


def word_meant(value: Value, title: str) -> str | None:
    """The word of ours for what is written where the schema wants a ``title``."""
    said = str(value).lower().replace("_", "-") if isinstance(value, (str, bool)) else ""
    return _WORDS.get(title, {}).get(said)


def socket_type_hint(value: str) -> str:
    """What is said of a word that is no socket type here, but means something elsewhere; empty where it does not."""
    word = value.upper().removeprefix("ZMQ_").removeprefix("ZMQ.")
    if word in _DRAFTS:
        return f"{word} is of libzmq's draft API, which is not supported; write {_DRAFTS[word]}"
    types: list[str] = definition({"$ref": "#/definitions/device_type"})["enum"]
    if value.lower() in types:
        return f"{value.lower()} is a type of device; in, out and mon have socket types, such as ROUTER, XSUB or PULL"
    return ""


def device_type_hint(value: str) -> str:
    """What is said of a socket type, and other words, as the type of a device."""
    meant = word_meant(value, "device type")
    word = value.upper()
    if meant and word in socket_types():
        return f"{word} is a type of socket; a device that has one is a {meant}"
    return f"write {meant}" if meant else ""


def socket_types() -> list[str]:
    """The socket types that the format has."""
    found: list[str] = definition({"$ref": "#/definitions/socket_type"})["enum"]
    return found


def boolean_hint(value: Value) -> str:
    """What to write for something that stands for true or false."""
    said = str(value).lower()
    if isinstance(value, str) and said in ("true", "false"):
        return f"write {said} without quotes"
    return "write true" if said in _TRUE else "write false" if said in _FALSE else ""


def number_hint(value: Value, rules: Schema) -> str:
    """What to write for a whole number that is written in another way; empty where that is not clear."""
    whole = "integer" in rules.get("type", ())
    if isinstance(value, str):
        text = re.sub(r"(?<=\d)[_,' ](?=\d{3}\b)", "", value.strip())
        multiple = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKmMgG])", text)
        if multiple:
            return f"write {round(float(multiple[1]) * _MULTIPLES[multiple[2].lower()])}"
        if re.fullmatch(r"\d+", text) and text != value:
            return f"write {text}"
        if value.lower() in ("unlimited", "infinite", "infinity", "none") and rules["title"] == "number of messages":
            return "write 0 for no limit"
    elif isinstance(value, float) and whole and "x-unit" not in rules and math.isfinite(value):
        return f"write a whole number, such as {round(value)}"
    elif value == -1 and value is not True and rules.get("title") == "number of messages":
        return "write 0 for no limit"
    return ""


def name_hint(name: str) -> str:
    """A valid name that is near to this one, and what names are made of."""
    rule = "a name is made of letters, digits, _ and -"
    return f"write {re.sub('-+', '-', to_name(name))}: {rule}" if any(map(is_name, name)) else rule


def place_hint(key: str, value: Value, known: Schema) -> str:
    """Where a key that is unknown here belongs; empty where no place has it."""
    if "run" in known and key in ("process", "thread"):
        group = f"/{value}" if key == "process" and isinstance(value, str) and is_name(value) else ""
        return f"write run: {key}{group}"
    for kind, words in _PLACES:
        properties = _properties(kind)
        if key in properties and not properties.keys() <= known.keys():
            if kind == "socket" and "rcvhwm" in known:
                return f"{key} belongs beside options, not in them"
            return f"{key} belongs in {words}" if kind in ("socket", "device") else f"{key} belongs under {words}"
    return ""


def _properties(kind: str) -> Schema:
    if kind == "context":
        found = schema()["properties"]["context"]["properties"]
    else:
        rules = definition({"$ref": f"#/definitions/{kind}"})
        found = (rules.get("then") or rules).get("properties", {})
    return found    # type: ignore[no-any-return]
