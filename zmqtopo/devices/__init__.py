"""ZeroMQ devices in the background: a drop-in for ``zmq.devices`` on zmqtopo's loop.

Everything that ``zmq.devices`` offers is here under the same name; ``device``, ``proxy`` and the ``ProxySteerable``
classes are pyzmq's own, unchanged.
"""

from __future__ import annotations

from zmq import device, proxy
from zmq.devices import ProcessProxySteerable, ProxySteerable, ThreadProxySteerable

from zmqtopo.devices.background import ProcessDevice, ThreadDevice
from zmqtopo.devices.base import Device, DeviceError
from zmqtopo.devices.counters import Counters, Flow
from zmqtopo.devices.monitored import (
    MonitoredQueue,
    ProcessMonitoredQueue,
    ProcessProxy,
    Proxy,
    ThreadMonitoredQueue,
    ThreadProxy,
    monitored_queue,
)

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
