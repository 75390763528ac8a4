"""Socket options: from what the file says to libzmq's units, as the schema defines each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zmqtopo.config.definitions import option_rules
from zmqtopo.config.model import File, OptionValue
from zmqtopo.config.tree import UNKNOWN, Value
from zmqtopo.config.units import quantity


def option_value(name: str, value: Value, folder: Path) -> OptionValue:
    """Return the value of the option ``name`` in libzmq's unit; ``folder`` is where relative files are.

    ``value`` is valid by the schema. Raises ValueError, in words for the user, where a time or size
    is outside the range of the option.
    """
    rules = option_rules()[name]
    if "x-unit" in rules:
        return int(quantity(value, rules))
    if "boolean" in rules["type"]:
        return int(value) if -1 in rules["enum"] else bool(value)
    if "integer" in rules["type"] and not isinstance(value, list):
        return (int(value),) if "array" in rules["type"] else int(value)
    if isinstance(value, dict):
        return File(str((folder / value["file"]).absolute()))
    if isinstance(value, list):
        return tuple(_text(item) for item in value)
    if isinstance(value, bytes) and "minLength" in rules and len(value) * 5 != rules["minLength"] * 4:
        # Z85 has five characters for four bytes (ZeroMQ RFC 32).
        raise ValueError(f"a key has {rules['minLength'] * 4 // 5} bytes, and this has {len(value)}")
    text = _text(value) if "maxLength" not in rules else value
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
        else:
            yield name, name, value


def is_known(value: Value) -> bool:
    """Tell whether nothing in the value is UNKNOWN."""
    if isinstance(value, (list, dict)):
        return all(item is not UNKNOWN for item in (value.values() if isinstance(value, dict) else value))
    return value is not UNKNOWN


def _text(value: Value) -> Value:
    """Turn bytes that are text into text, so that two ways to write one value are equal."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value
