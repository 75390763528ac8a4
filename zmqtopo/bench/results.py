"""What came of it, as values: for each case and contestant the medians of its rounds, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from zmqtopo.bench.cases import Case, Contestant, Stream
from zmqtopo.bench.measurement import Sample


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

    At a fixed rate there is no ratio, and the latency of a message counts from when it was to go.

    For requests a message is a request with its reply. ``rate`` is in messages received a second, ``cpu`` in
    microseconds of the device for each of them, ``ratio`` the rate in proportion to that of `MEASURE` in the same
    round: what slows a machine down for a while slows both. ``latency`` is in microseconds by "p50", "p99" and "p99.9",
    ``loss`` the share of what was sent that did not come, ``copies`` the share of messages whose copy was read on mon.
    None is for what does not apply. ``error`` says why there are not as many rounds as there should be.
    """

    contestant: Contestant
    rounds: int
    rate: Spread | None = None
    cpu: Spread | None = None
    ratio: Spread | None = None
    latency: Mapping[str, Spread] | None = None
    loss: Spread | None = None
    copies: Spread | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class CaseResults:
    """Everybody's numbers in a case, in the order of its contestants; those without a round and an error are not in."""

    case: Case
    results: tuple[Result, ...] = field(default=())

    @property
    def title(self) -> str:
        """The case, and that its numbers are no medians where they are not."""
        alone = max((result.rounds for result in self.results), default=0) == 1
        return f"{self.case.title} (1 round)" if alone else self.case.title


MEASURE: Final[Contestant] = "zmq.proxy"
"""The contestant that the others are compared with."""

PERCENTILES = ("p50", "p99", "p99.9")


def summarize(
    case: Case, contestant: Contestant, samples: Sequence[Sample], error: str = "", measure: Sequence[Sample] = ()
) -> Result:
    """The result of these rounds; ``measure`` are the same ones of `MEASURE`, as far as there are any."""
    if not samples:
        return Result(contestant, 0, error=error)
    latency = [sample.latency for sample in samples if sample.latency is not None]
    return Result(
        contestant,
        len(samples),
        rate=Spread.of(map(_rate, samples)),
        cpu=_spread(samples, lambda s: None if s.cpu is None else s.cpu * 1e6 / s.messages),
        ratio=Spread.of(_rate(mine) / _rate(other) for mine, other in zip(samples, measure, strict=False))
        if measure and not (isinstance(case.load, Stream) and case.load.rate) else None,
        latency={name: Spread.of(column) for name, column in zip(PERCENTILES, zip(*latency, strict=True), strict=True)}
        if latency else None,
        loss=_spread(samples, lambda s: 1 - s.messages / s.sent) if isinstance(case.load, Stream) else None,
        copies=_spread(samples, lambda s: None if s.copies is None else s.copies / s.messages),
        error=error,
    )


def _rate(sample: Sample) -> float:
    return sample.messages / sample.seconds


def _spread(samples: Sequence[Sample], value: Callable[[Sample], float | None]) -> Spread | None:
    values = [found for sample in samples if (found := value(sample)) is not None]
    return Spread.of(values) if values else None
