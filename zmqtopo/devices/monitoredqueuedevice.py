"""``zmq.devices.monitoredqueuedevice``, for programs that import from it."""

from typing import Any

import zmq.devices.monitoredqueuedevice as _theirs

from zmqtopo.devices.monitored import (
    MonitoredQueue,
    MonitoredQueueBase,
    ProcessMonitoredQueue,
    ThreadMonitoredQueue,
)

__all__ = ["MonitoredQueue", "MonitoredQueueBase", "ProcessMonitoredQueue", "ThreadMonitoredQueue"]


def __getattr__(name: str) -> Any:
    # What is not a device, such as the constants that their module has imported.
    return getattr(_theirs, name)
