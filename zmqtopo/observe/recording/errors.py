"""What can go wrong with recordings; each message says what, where and why."""

from __future__ import annotations


class RecordingError(Exception):
    """A file is not a recording, or cannot be read."""


class WriteError(Exception):
    """A recording cannot be written."""


class SendError(Exception):
    """Messages cannot be sent: nobody is there, or an address cannot be used."""


class NoTargetError(Exception):
    """What is said to send to is nothing that can be sent to."""


class SelectionError(Exception):
    """What is selected is of a device that the recording does not have."""
