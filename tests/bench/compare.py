"""A row of the table: what ours and its baseline did, round by round, and what that comes to."""

import dataclasses
import statistics

from loads import Run

SPREAD_MAX = 0.25


@dataclasses.dataclass(frozen=True)
class Row:
    """`measure` takes the Bench and returns the runs of ours and of the baseline (none: there is none). The target is one
    of the ratio, or, without a baseline, one of ours; none: it is reported only."""

    name: str
    title: str
    unit: str
    target: float | None
    measure: object
    value: object = lambda run: run.rate
    lower_is_better: bool = False


@dataclasses.dataclass(frozen=True)
class Side:
    """Medians of the rounds. `spread` is (most - least) / median of the value."""

    value: float
    spread: float
    p50: float | None
    p99: float | None
    cpu: dict


@dataclasses.dataclass(frozen=True)
class Result:
    row: Row
    ours: Side
    baseline: Side | None

    @property
    def ratio(self):
        """How many times as good as the baseline."""
        if self.baseline is None:
            return None
        ratio = self.ours.value / self.baseline.value
        return 1 / ratio if self.row.lower_is_better else ratio

    @property
    def met(self):
        if self.row.target is None:
            return None
        return (self.ours.value if self.ratio is None else self.ratio) >= self.row.target

    @property
    def unsteady(self):
        return any(side.spread > SPREAD_MAX for side in (self.ours, self.baseline) if side)


def side_of(row, runs):
    values = [row.value(run) for run in runs]
    median = statistics.median(values)
    of_each = lambda field: None if getattr(runs[0], field) is None else statistics.median(
        getattr(run, field) for run in runs)
    return Side(value=median, spread=(max(values) - min(values)) / median, p50=of_each("p50"), p99=of_each("p99"),
                cpu={name: statistics.median(run.cpu[name] for run in runs) for name in runs[0].cpu})


def result_of(row, ours, baseline):
    return Result(row, side_of(row, ours), side_of(row, baseline) if baseline else None)
