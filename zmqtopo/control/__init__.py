"""How a running topology is found and talked to: its state folder, its control socket, and both ends of that.

Nothing here imports zmq: a command that asks starts at once.
"""
