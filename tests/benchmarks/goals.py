"""What `run` and `table` must know of a task: its data, its scores, what was to be reached. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

BEST = "best simple method"
"""What a goal is over where no baseline is named: the one that is best in that score."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One score of a task and, where something was to be reached, what."""

    score: str
    """Its name in the records."""
    title: str
    """Its name in the table."""
    lower: bool = False
    """Whether lower is better."""
    reach: float | None = None
    """A fixed value to reach."""
    over: str | None = None
    """Or the baseline to be compared with; `BEST` for whichever is best."""
    margin: float | None = None
    """How far above that baseline to be; None means better by whatever little."""
    digits: int = 4
    """Decimals in the table."""


@dataclass(frozen=True, kw_only=True)
class TaskInfo:
    """What `run` and `table` must know of a task."""

    file: str | None
    """The data file; None where each seed simulates its own data, and simple methods are measured beside ours."""
    tables: tuple[str, ...] = ()
    """Further files that it reads."""
    what: str
    """One line on the task."""
    goals: tuple[Goal, ...]
    dev: bool = True
    """Whether it has a development split; a task that is scored on the cells it was fitted on has none."""
    intervals_beside: tuple[str, ...] = ()
    """Bootstrap intervals stand on the page, too, of the paired differences to these baselines."""
    two_ahead: str | None = None
    """Enough: to be ahead of every simple method in two of three scores, nowhere more than `BEHIND` behind the best.
    Bootstrap intervals are of the paired difference to this baseline."""
    beside: str | None = None
    """Another task whose scores stand in the place of simple methods, which are then not measured."""

    @property
    def baselines_apart(self) -> bool:
        """Whether simple methods are measured once, in a process of their own."""
        return self.file is not None and self.beside is None


BEHIND = 0.02
"""How much worse than the best simple method a score may be, as a share of it, where `two_ahead` is asked for."""
CPU = Goal(score="fit_cpu_seconds", title="the same, seconds of all cores together", lower=True, digits=0)
COST = (
    Goal(score="fit_seconds", title="whole `fit`, seconds", lower=True, digits=0),
    CPU,
    Goal(score="peak_gb", title="peak memory of the process after `fit`, GB", lower=True, digits=2),
)
