"""The broker: sockets between which messages are moved, from when they are opened until they are closed."""
