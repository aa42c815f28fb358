"""Chances are as likely as they say, and dropout keeps the mean."""

import pytest
import torch

from multiome.nn.chance import Dropout, chance


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.7, 1.0])
def test_as_likely_as_said(probability):
    torch.manual_seed(0)
    found = chance((101, 997), probability)
    assert found.shape == (101, 997)
    assert found.dtype == torch.bool
    assert float(found.float().mean()) == pytest.approx(probability, abs=0.005)


def test_places_are_independent():
    torch.manual_seed(0)
    x = chance((40_000, 8), 0.5).float()
    off = torch.corrcoef(x.T) - torch.eye(8)
    assert float(off.abs().max()) < 0.03


def test_a_seed_repeats_them():
    torch.manual_seed(3)
    one = chance((1000,), 0.3)
    torch.manual_seed(3)
    assert torch.equal(one, chance((1000,), 0.3))
    assert not torch.equal(one, chance((1000,), 0.3))


def test_nothing_is_asked_of_no_place():
    assert chance((0, 5), 0.5).shape == (0, 5)


def test_dropout_keeps_the_mean_and_says_nothing_when_not_training():
    torch.manual_seed(0)
    x, dropout = torch.ones(400, 250, requires_grad=True), Dropout(0.1)
    hidden = dropout(x)
    assert hidden.detach().unique().tolist() == pytest.approx([0, 1 / 0.9])
    assert float(hidden.detach().mean()) == pytest.approx(1, abs=0.005)
    torch.testing.assert_close(torch.autograd.grad(hidden.sum(), x)[0], hidden.detach())
    assert dropout.eval()(x) is x
    assert Dropout(0.0)(x) is x
