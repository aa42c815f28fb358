"""Rows that only some steps look at become what AdamW makes of them in every step."""

from __future__ import annotations

import io

import pytest
import torch
from torch import nn

from multiome.train import optimiser
from multiome.train.optimiser import SampledAdamW

N_ROWS, N_TAKEN, N_STEPS = 60, 4, 400


def rate(step):
    """Up and down, as training has it."""
    return 5e-3 * min(1.0, (step + 1) / 50) * (1 - step / (N_STEPS + 20))


def set_rate(one, step):
    one.param_groups[0]["lr"] = rate(step)


def gradients(step, table):
    chance = torch.Generator().manual_seed(step)
    rows = torch.randperm(N_ROWS, generator=chance)[:N_TAKEN].sort().values
    target = torch.linspace(-1, 1, table.shape[-1])
    # of all sizes, and seldom none
    size = torch.randn(N_TAKEN, 1, generator=chance).exp() * (torch.rand((), generator=chance) > 0.1)
    return rows, lambda values: size * (values - target)


def both(weight_decay):
    start = torch.randn(2, N_ROWS, 5)
    others = [nn.Parameter(start.clone()), nn.Parameter(start[0, 0].clone())]
    table, alone = nn.Parameter(start.clone()), nn.Parameter(start[0, 0].clone())
    usual = torch.optim.AdamW(others, lr=1.0, weight_decay=weight_decay)
    ours = SampledAdamW([table, alone], lr=1.0, weight_decay=weight_decay)
    return usual, others, ours, (table, alone)


def usual_step(usual, weights, step):
    table, alone = weights
    set_rate(usual, step)
    rows, gradient = gradients(step, table)
    table.grad, alone.grad = torch.zeros_like(table), alone.detach().clone()
    table.grad[:, rows] = gradient(table.detach()[:, rows])
    usual.step()


def our_step(ours, weights, step):
    table, alone = weights
    set_rate(ours, step)
    rows, gradient = gradients(step, table)
    values = ours.take(table, rows)
    values.grad, alone.grad = gradient(values.detach()), alone.detach().clone()
    ours.step()


@pytest.mark.parametrize(("weight_decay", "ages"), [(0.0, 512), (0.3, 512), (0.3, 30)])
def test_all_rows_become_what_adamw_makes_of_them(weight_decay, ages, monkeypatch):
    monkeypatch.setattr(optimiser, "AGES", ages)
    usual, theirs, ours, own = both(weight_decay)
    start = own[0].detach().clone()
    for step in range(N_STEPS):
        usual_step(usual, theirs, step)
        our_step(ours, own, step)
    behind = (own[0] - theirs[0]).abs().max()
    ours.settle()
    torch.testing.assert_close(own[0], theirs[0], atol=2e-5, rtol=0)
    torch.testing.assert_close(own[1], theirs[1], atol=1e-6, rtol=0)
    assert behind > 1e-3  # rows had been owed something
    assert (own[0] - start).abs().mean() > 0.1
    for name in ("exp_avg", "exp_avg_sq"):
        torch.testing.assert_close(ours.state[own[0]][name], usual.state[theirs[0]][name], atol=1e-5, rtol=1e-3)


def test_what_is_taken_has_been_given_all_it_is_owed():
    usual, theirs, ours, own = both(0.1)
    for step in range(50):
        usual_step(usual, theirs, step)
        our_step(ours, own, step)
    rows = torch.arange(0, N_ROWS, 7)
    values = ours.take(own[0], rows)
    assert values.requires_grad
    torch.testing.assert_close(values.detach(), theirs[0].detach()[:, rows], atol=1e-5, rtol=0)


def test_rows_without_a_gradient_are_as_if_they_had_not_been_taken():
    *_, ours, own = both(0.1)
    our_step(ours, own, 0)
    before = own[0].detach().clone()
    ours.take(own[0], torch.arange(N_ROWS))
    ours.step()
    assert torch.equal(own[0], before)
    assert not ours.taken


def test_a_state_that_was_saved_goes_on_alike():
    *_, ours, own = both(0.1)
    for step in range(30):
        our_step(ours, own, step)
    file = io.BytesIO()
    torch.save({"weights": [each.detach() for each in own], "state": ours.state_dict()}, file)
    file.seek(0)
    kept = torch.load(file, weights_only=True)
    weights = tuple(nn.Parameter(each) for each in kept["weights"])
    other = SampledAdamW(weights, lr=1.0, weight_decay=0.1)
    other.load_state_dict(kept["state"])
    for step in range(30, 60):
        our_step(ours, own, step)
        our_step(other, weights, step)
    assert all(torch.equal(one, two) for one, two in zip(own, weights, strict=True))
