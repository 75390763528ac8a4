"""The process that serves HTTP for a running topology: metrics, health, a page, and what the page needs.

`zmqtopo.service.web` starts it and gives it the sockets that listen. It knows no more of the topology than it is told,
and asks the control socket, so nothing that happens here reaches a device.
"""
