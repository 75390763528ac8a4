"""How a running topology is found and talked to: its state folder, its control socket, and both ends of that.

But for `requests`, which is for who runs it, nothing here imports zmq: a command that asks starts at once.
"""
