"""``zmq.devices.proxydevice``, for programs that import from it."""

from typing import Any

import zmq.devices.proxydevice as _theirs

from zmqtopo.devices.monitored import ProcessProxy, Proxy, ProxyBase, ThreadProxy

__all__ = ["ProcessProxy", "Proxy", "ProxyBase", "ThreadProxy"]


def __getattr__(name: str) -> Any:
    # What is not a device, such as the constants that their module has imported.
    return getattr(_theirs, name)
