"""``zmq.devices.basedevice``, for programs that import from it."""

from typing import Any

import zmq.devices.basedevice as _theirs

from zmqtopo.devices.background import BackgroundDevice, ProcessDevice, ThreadDevice
from zmqtopo.devices.base import Device

__all__ = ["BackgroundDevice", "Device", "ProcessDevice", "ThreadDevice"]


def __getattr__(name: str) -> Any:
    # What is not a device, such as the constants that their module has imported.
    return getattr(_theirs, name)
