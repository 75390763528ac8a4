"""``zmq.devices.proxysteerabledevice``, for programs that import from it."""

from typing import Any

import zmq.devices.proxysteerabledevice as _theirs

from zmqtopo.devices.steerable import ProcessProxySteerable, ProxySteerable, ProxySteerableBase, ThreadProxySteerable

__all__ = ["ProcessProxySteerable", "ProxySteerable", "ProxySteerableBase", "ThreadProxySteerable"]


def __getattr__(name: str) -> Any:
    # What is not a device, such as the constants that their module has imported.
    return getattr(_theirs, name)
