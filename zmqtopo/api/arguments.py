"""What a program may hand to a running topology, validated in its own thread: the supervisor's trusts what it gets."""

from __future__ import annotations

import dataclasses
import math
import os
import threading
import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import zmq

from zmqtopo.config.model import Topology


def device_names(names: tuple[object, ...]) -> tuple[str, ...]:
    """Names of devices. Raises TypeError for anything else."""
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"a device is named by a str, not {_kind(name)}: pass names one by one, as in "
                            "pause('first', 'second')")
    return tuple(str(name) for name in names)


def seconds(timeout: object) -> float | None:
    """A number of seconds to wait, None for no limit. Raises TypeError, and ValueError for NaN or less than 0."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"a timeout is a number of seconds or None, not {_kind(timeout)}")
    if timeout != timeout or timeout < 0:   # NaN is not even itself
        raise ValueError(f"a timeout is 0 or more seconds, not {timeout}")
    # What a thread cannot wait for is as good as no limit.
    return None if timeout > threading.TIMEOUT_MAX else float(timeout)


def topology(value: object) -> Topology:
    """A topology, or that of a file or a dict. Raises TypeError, ValueError, and TopologyError for a file with errors.

    One that a program has made or changed by hand is looked through: dataclasses take whatever they are given.
    """
    if isinstance(value, Topology):
        _check(value, Topology, "topology")
        for name, device in value.devices.items():
            if device.name != name:
                raise ValueError(f"topology.devices[{name!r}] is named {device.name!r}")
            if not device.type:
                raise ValueError(f"topology.devices[{name!r}] has no type")
        return value
    if not isinstance(value, str | os.PathLike | Mapping):
        raise TypeError(
            f"a topology is the path of a file, a dict like one, or what zmqtopo.load returns, not {_kind(value)}")
    if not isinstance(value, Mapping) and not isinstance(os.fspath(value), str):
        raise TypeError(f"the path of a topology is a str, not {_kind(os.fspath(value))}")
    import zmqtopo

    return zmqtopo.load(value)


def context(value: object) -> zmq.Context[Any] | None:
    """A context to run devices in, or None. Raises TypeError, and ValueError for one that has been terminated."""
    if value is None:
        return None
    if not isinstance(value, zmq.Context):
        raise TypeError(f"a context is a zmq.Context or None, not {_kind(value)}")
    if value.closed:
        raise ValueError("the context has been terminated")
    return value


def _kind(value: object) -> str:
    return type(value).__name__


_fields: Callable[[type], Mapping[str, Any]] = cache(get_type_hints)


def _check(value: Any, hint: Any, where: str) -> None:
    """Raise TypeError or ValueError when a value of the model is not what its annotation says."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        _check_one_of(value, get_args(hint), where)
    elif origin is Literal:
        if value not in get_args(hint):
            raise ValueError(f"{where} is {value!r}")
    elif origin is tuple:
        items = get_args(hint)
        _expect(value, tuple, where)
        if items[-1:] == (...,):
            items = items[:1] * len(value)
        elif len(items) != len(value):
            raise ValueError(f"{where} has {len(value)} items instead of {len(items)}")
        for number, (item, each) in enumerate(zip(value, items, strict=True)):
            _check(item, each, f"{where}[{number}]")
    elif origin is not None and issubclass(origin, Mapping):
        _expect(value, Mapping, where)
        keys, values = get_args(hint)
        for key, item in value.items():
            _check(key, keys, f"a key of {where}")
            _check(item, values, f"{where}[{key!r}]")
    elif origin is not None:
        _expect(value, origin, where)
    else:
        _expect(value, (int, float) if hint is float else hint, where)
        if isinstance(value, float) and math.isnan(value):
            raise ValueError(f"{where} is not a number")
        if dataclasses.is_dataclass(value):
            for name, kind in _fields(type(value)).items():
                _check(getattr(value, name), kind, f"{where}.{name}")


def _check_one_of(value: Any, hints: tuple[Any, ...], where: str) -> None:
    failure: Exception | None = None
    for hint in hints:
        try:
            return _check(value, hint, where)
        except (TypeError, ValueError) as error:
            # Of the one that it nearly is, what is wrong inside it says most.
            if failure is None or (isinstance(hint, type) and isinstance(value, hint)):
                failure = error
    raise failure or TypeError(where)


def _expect(value: object, kind: Any, where: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{where} is {_kind(value)} {value!r:.100}")
