"""Averaged weights, kept at the best score of the held-out cells; seen on one parameter that counts epochs."""

from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from multiome.train.callbacks import EVERY, AverageWeights


class Counter(pl.LightningModule):
    """The weight is the number of steps so far; the held-out score of epoch e is ``scores[e]``."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.scores, self.seen = scores, []

    def training_step(self, batch, batch_idx):
        return -self.weight.sum()  # a gradient of -1: SGD adds the learning rate, 1

    def validation_step(self, batch, batch_idx):
        self.seen.append(float(self.weight.detach()))
        self.log("val/total", self.scores[self.current_epoch], batch_size=1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


# pytorch-lightning: held-out cells are left out on purpose.
pytestmark = pytest.mark.filterwarnings(
    "ignore:You defined a `validation_step` but have no `val_dataloader`:UserWarning"
)


def kept(task: Counter) -> float:
    return float(task.weight.detach())


@pytest.fixture
def run():
    def train(
        scores: list[float] | None, *, decay: float = 0.0, patience: int = 100, n_epochs: int = 6, burn_in: int = 0
    ) -> Counter:
        task, data = Counter(scores or []), DataLoader(torch.zeros(1, 1), num_workers=0)
        trainer = pl.Trainer(
            max_epochs=n_epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, num_sanity_val_steps=0, log_every_n_steps=1,
            callbacks=[AverageWeights(decay, patience, monitor="val/total", burn_in=burn_in)],
        )  # fmt: skip
        trainer.fit(task, data, data if scores else None)
        return task

    return train


def test_the_best_weights_are_kept(run):
    assert kept(run([5, 4, 1, 3, 2, 6])) == 3  # after the third epoch


def test_training_stops_when_patience_ends(run):
    task = run([5, 1, 3, 2, 4, 4], patience=2)
    assert len(task.seen) == 4
    assert kept(task) == 2


def test_a_score_that_is_nan_is_never_the_best(run):
    assert kept(run([5, float("nan"), 3, float("nan"), 4, 6])) == 3


def test_without_held_out_cells_the_last_average_is_kept(run):
    assert kept(run(None)) == 6
    assert 0 < kept(run(None, decay=0.9)) < 6


def test_the_average_takes_up_every_fourth_step_of_a_long_training(run):
    """From step 100 on, with the decay of four steps: it lags behind a weight that rises by 1 each step as before."""
    decay, n_epochs = 0.95, 400
    weight = kept(run(None, decay=decay, n_epochs=n_epochs))
    lag = EVERY / (1 - decay**EVERY) - EVERY  # of an average of every fourth step, where it was just taken up
    assert n_epochs - weight == pytest.approx(lag, abs=0.05)
    later = [kept(run(None, decay=decay, n_epochs=n_epochs + more)) for more in (EVERY - 1, EVERY)]
    assert later == pytest.approx([weight, weight + EVERY], abs=0.05)
    assert kept(run(None, decay=0.0, n_epochs=n_epochs + 1)) == n_epochs + 1  # without an average, the last weights


def test_held_out_cells_are_scored_with_the_averaged_weights(run):
    task = run([6, 5, 4, 3, 2, 1], decay=0.9)
    assert all(0 < average < step for step, average in enumerate(task.seen, start=1))
    assert kept(task) == pytest.approx(task.seen[-1])


def test_scores_count_after_the_burn_in(run):
    task = run([1, 2, 3, 9, 5, 6], patience=2, burn_in=4)
    assert len(task.seen) == 6  # the first score that counts is the fourth
    assert kept(task) == 5


def test_a_run_shorter_than_the_burn_in_keeps_its_last_average(run):
    assert kept(run([1, 2, 3, 4, 5, 6], patience=1, burn_in=100)) == 6
