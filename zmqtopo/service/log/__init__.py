"""Where a running topology says what happens: to who has started it, and to its own log."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import Any, Literal

from zmqtopo.control.folder import Folder, unusable
from zmqtopo.report.priority import leads_to_journal
from zmqtopo.service.log.file import LogFile
from zmqtopo.service.log.messages import Log
from zmqtopo.supervisor.event_log import EventLog
from zmqtopo.supervisor.timers import Timer

FOUND = b"\1"
"""What a launcher hears as soon as other commands find the topology."""

READY = b"\0"
"""What follows the last word to a launcher when the start has succeeded."""


class LogOutputs:
    """Says the same on standard error, as text, and in the log of the state folder, as JSON.

    In the background standard error is that log, and a launcher hears what there is to say until all is ready.
    """

    def __init__(
        self, topology: str, folder: Folder, launcher: int | None, form: Literal["text", "json"], *, quiet: bool
    ) -> None:
        """Begin the log; ``quiet`` keeps what is no warning in it alone. Raises ControlError."""
        try:
            self._file = LogFile(folder)
        except OSError as error:
            raise unusable("write to", folder.path / "log", error) from None
        self.is_all_there_is = launcher is not None
        """Whether the log in the state folder is the only one."""
        self._launcher = launcher
        # The log comes first: what somebody has read on standard error is there, even if all is killed at once.
        self._logs = [
            Log(topology, fd=self._file.fd, form="json"),
            Log(topology, fd=2 if launcher is None else launcher, form=form,
                priorities=launcher is None and leads_to_journal(2)),
        ]
        # Peers that come and go stand in the log alone, for those who look there.
        self._logs[-1].setLevel(logging.WARNING if quiet else logging.INFO)
        self._event_log = EventLog(topology)
        for log in self._logs:
            self._event_log.logger.addHandler(log)
        self._event_log.logger.setLevel(logging.DEBUG)
        self._event_log.logger.propagate = False
        if launcher is not None:
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.close(null)
            self._print_there()

    def say(self, text: str, **about: Any) -> None:
        """Say that something happened; ``about`` is as in `EventLog.say`."""
        if self._file.turn_over() and self.is_all_there_is:
            self._print_there()
        self._event_log.say(text, **about)

    def bring(self) -> None:
        """Go on in a state folder that was removed and made again, with what was said before."""
        if self._file.turn_over(bring=True) and self.is_all_there_is:
            self._print_there()

    def _print_there(self) -> None:
        """Let what libraries print go to the log; a worker goes on with the file that it was given."""
        for fd in (1, 2):
            os.dup2(self._file.fd, fd)

    @property
    def timers(self) -> list[Timer]:
        """What the logs have to do though nothing happens."""
        return [log.timer for log in self._logs]

    def found(self) -> None:
        """Other commands find it: the command that started it may leave."""
        if self._launcher is not None:
            with contextlib.suppress(OSError):      # Ctrl-C has ended it
                os.write(self._launcher, FOUND)

    def started(self) -> None:
        """All is ready: release the launcher."""
        if self._launcher is not None:
            self._end(self._logs.pop())
            with contextlib.suppress(OSError):      # who did not want to wait any longer
                os.write(self._launcher, READY)
            os.close(self._launcher)
            self._launcher = None

    def close(self) -> None:
        """Say what has been left out."""
        for log in self._logs:
            self._end(log)
        self._file.close()

    def _end(self, log: Log) -> None:
        self._event_log.logger.removeHandler(log)
        log.close()
