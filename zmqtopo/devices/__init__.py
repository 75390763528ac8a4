"""ZeroMQ devices in the background: a drop-in for ``zmq.devices`` on zmqtopo's loop.

Everything that ``zmq.devices`` offers is here under the same name; ``device`` and ``proxy`` are pyzmq's own, unchanged.

Each name brings its module when it is first used: what runs a topology needs the sockets and counters of this package
and none of its classes, which would cost each of its processes 16 ms.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zmq import device, proxy

    from zmqtopo.broker.counters import Counters, Flow
    from zmqtopo.devices.background import ProcessDevice, ThreadDevice
    from zmqtopo.devices.base import Device, DeviceError
    from zmqtopo.devices.monitored import (
        MonitoredQueue,
        ProcessMonitoredQueue,
        ProcessProxy,
        Proxy,
        ThreadMonitoredQueue,
        ThreadProxy,
        monitored_queue,
    )
    from zmqtopo.devices.steerable import ProcessProxySteerable, ProxySteerable, ThreadProxySteerable

__all__ = [
    "Counters",
    "Device",
    "DeviceError",
    "Flow",
    "MonitoredQueue",
    "ProcessDevice",
    "ProcessMonitoredQueue",
    "ProcessProxy",
    "ProcessProxySteerable",
    "Proxy",
    "ProxySteerable",
    "ThreadDevice",
    "ThreadMonitoredQueue",
    "ThreadProxy",
    "ThreadProxySteerable",
    "device",
    "monitored_queue",
    "proxy",
]

_HOMES = {
    "Counters": "zmqtopo.broker.counters",
    "Device": "zmqtopo.devices.base",
    "DeviceError": "zmqtopo.devices.base",
    "Flow": "zmqtopo.broker.counters",
    "ProcessDevice": "zmqtopo.devices.background",
    "ProcessProxySteerable": "zmqtopo.devices.steerable",
    "ProxySteerable": "zmqtopo.devices.steerable",
    "ThreadDevice": "zmqtopo.devices.background",
    "ThreadProxySteerable": "zmqtopo.devices.steerable",
    "device": "zmq",
    "proxy": "zmq",
}


_MODULES = frozenset({"basedevice", "monitoredqueue", "monitoredqueuedevice", "proxydevice", "proxysteerabledevice"})
"""The modules of ``zmq.devices``, which come with it."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES.get(name, "zmqtopo.devices.monitored")), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
