"""Socket options: from what the file says to libzmq's units, as the schema defines each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zmqtopo.config.curve import CURVE_KEYS
from zmqtopo.config.model import File, OptionValue
from zmqtopo.config.octets import check_octets
from zmqtopo.config.schema.definitions import option_rules
from zmqtopo.config.units import quantity
from zmqtopo.config.yaml.tree import UNKNOWN, Value


def option_value(name: str, value: Value, folder: Path) -> OptionValue:
    """Return the value of the option ``name`` in libzmq's unit; ``folder`` is where relative files are.

    ``value`` is valid by the schema. Raises ValueError, in words for the user, where a time or size
    is outside the range of the option.
    """
    rules = option_rules()[name]
    if "x-unit" in rules:
        return _number(name, int(quantity(value, rules)))
    if "boolean" in rules["type"]:
        return int(value) if -1 in rules["enum"] else bool(value)
    if "integer" in rules["type"] and not isinstance(value, list):
        return (int(value),) if "array" in rules["type"] else _number(name, int(value))
    if isinstance(value, dict):
        if "\0" in value["file"]:
            raise ValueError("the path of the file has a zero byte")
        return File(str((folder / value["file"]).absolute()))
    if isinstance(value, list):
        return tuple(item if isinstance(item, int) else _octets(name, item) for item in value)
    if isinstance(value, bytes) and "minLength" in rules and len(value) * 5 != rules["minLength"] * 4:
        # Z85 has five characters for four bytes (ZeroMQ RFC 32).
        raise ValueError(f"a key has {rules['minLength'] * 4 // 5} bytes, and this has {len(value)}")
    text = _octets(name, value)
    return (text,) if "array" in rules["type"] else text


def marks(type_: str) -> tuple[str, ...]:
    """Return the options that ``hwm`` stands for: those of both directions.

    But what a SUB or XSUB sends and a PUB or XPUB receives are subscriptions. libzmq silently loses those beyond
    SNDHWM, and takes in all that RCVHWM lets wait before anything else; who limits messages does not mean these.
    """
    if type_ in ("PUB", "XPUB"):
        return ("sndhwm",)
    return ("rcvhwm",) if type_ in ("SUB", "XSUB") else ("sndhwm", "rcvhwm")


def spelled_out(options: dict[str, Value], type_: str) -> Iterator[tuple[str, str, Value]]:
    """Yield each option of a socket of that type: libzmq's name, the name in the file, and the value."""
    for name, value in options.items():
        if name == "hwm":
            yield from ((each, name, value) for each in marks(type_) if each not in options)
        elif name == "identity":
            if "routing_id" not in options:
                yield "routing_id", name, value
        elif name == "ipv4only":
            if "ipv6" not in options:
                yield "ipv6", name, value if value is UNKNOWN else not value
        else:
            yield name, name, value


def is_known(value: Value) -> bool:
    """Tell whether nothing in the value is UNKNOWN."""
    if isinstance(value, (list, dict)):
        return all(item is not UNKNOWN for item in (value.values() if isinstance(value, dict) else value))
    return value is not UNKNOWN


def _number(name: str, value: int) -> int:
    if name.startswith("tcp_keepalive_") and value == 0:
        raise ValueError(f"{name} is 1 or more, or -1: the system refuses 0, and libzmq then closes every connection")
    return value


def encoded(value: str) -> bytes:
    """The bytes of a text: UTF-8, but for those of a variable that were not and that Python keeps as surrogates."""
    return value.encode(errors="surrogateescape")


def _octets(name: str, value: str | bytes) -> str | bytes:
    """Check the value, and turn bytes that are text into text, so that two ways to write one value are equal."""
    octets = encoded(value) if isinstance(value, str) else value
    check_octets(name, octets)
    if name in CURVE_KEYS:
        return value
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets
