"""What came of it, as values: for each case and contestant the medians of its rounds, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

from zmqtopo.bench.cases import Case, Contestant, Stream
from zmqtopo.bench.trial import Sample


@dataclass(frozen=True, slots=True)
class Spread:
    """One number of several rounds."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of values of which there is at least one."""
        ordered = sorted(values)
        return cls(median(ordered), ordered[0], ordered[-1])


@dataclass(frozen=True, slots=True)
class Result:
    """A contestant's numbers in a case.

    For requests a message is a request with its reply. ``rate`` is in messages received a second, ``cpu`` in
    microseconds of the device for each of them, ``latency`` in microseconds by "p50", "p99" and "p99.9", ``loss`` the
    share of what was sent that did not come, ``copies`` the share of messages whose copy was read on mon. None is for
    what does not apply. ``error`` says why there are not as many rounds as there should be.
    """

    contestant: Contestant
    rounds: int
    rate: Spread | None = None
    cpu: Spread | None = None
    latency: Mapping[str, Spread] | None = None
    loss: Spread | None = None
    copies: Spread | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class CaseResults:
    """Everybody's numbers in a case, in the order of its contestants; those without a round and an error are not in."""

    case: Case
    results: tuple[Result, ...] = field(default=())


PERCENTILES = ("p50", "p99", "p99.9")


def summarize(case: Case, contestant: Contestant, samples: list[Sample], error: str = "") -> Result:
    """The result of these rounds."""
    if not samples:
        return Result(contestant, 0, error=error)
    latency = [sample.latency for sample in samples if sample.latency is not None]
    return Result(
        contestant,
        len(samples),
        rate=Spread.of(sample.messages / sample.seconds for sample in samples),
        cpu=_spread(samples, lambda s: None if s.cpu is None else s.cpu * 1e6 / s.messages),
        latency={name: Spread.of(column) for name, column in zip(PERCENTILES, zip(*latency, strict=True), strict=True)}
        if latency else None,
        loss=_spread(samples, lambda s: 1 - s.messages / s.sent) if isinstance(case.load, Stream) else None,
        copies=_spread(samples, lambda s: None if s.copies is None else s.copies / s.messages),
        error=error,
    )


def _spread(samples: list[Sample], value: Callable[[Sample], float | None]) -> Spread | None:
    values = [found for sample in samples if (found := value(sample)) is not None]
    return Spread.of(values) if values else None
