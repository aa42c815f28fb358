"""What is to be trained, and how training went: values that also travel between processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from multiome.data.dataset import CellDataset
from multiome.train.config import LossWeights, TrainConfig


@dataclass(frozen=True)
class Job:
    """The cells to train a model on, and how."""

    cells: CellDataset
    rows: np.ndarray
    """The cells to train on."""
    checks: tuple[CellDataset, np.ndarray]
    """The held-out cells: rows of a data set that is in memory."""
    config: TrainConfig
    weights: LossWeights
    seed: int
    checkpoint: Path | None = None
    """Where the state of training is written; where there is one of the same ``mark``, training goes on from it."""
    mark: dict[str, str] = field(default_factory=dict)
    """What decides how training ends, by its name."""


@dataclass(frozen=True)
class Trained:
    """How training went."""

    history: pd.DataFrame
    """Losses per epoch (``epoch``, ``cells``, ``loss``, ``value``)."""
    interrupted: bool
    """Whether the user ended it."""


@dataclass(frozen=True)
class Failure:
    """What was raised in one of several processes, and when: the first is the cause of the others."""

    error: BaseException
    when: float
