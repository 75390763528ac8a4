"""``zmq.devices.monitoredqueue``, for programs that import from it."""

from typing import Any

import zmq.devices.monitoredqueue as _theirs

from zmqtopo.devices.monitored import monitored_queue

__all__ = ["monitored_queue"]


def __getattr__(name: str) -> Any:
    # What is not a device, such as the constants that their module has imported.
    return getattr(_theirs, name)
