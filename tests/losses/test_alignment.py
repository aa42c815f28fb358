"""Maximum mean discrepancy of samples whose distributions are known."""

import pytest
import torch

from multiome.losses.alignment import WIDTHS, mean_discrepancy


def test_a_sample_and_itself():
    x = torch.randn(50, 3)
    assert mean_discrepancy(x, x).item() == pytest.approx(0, abs=1e-5)


def test_two_points_apart():
    """Each at one place: 2 (k(0) - k(d)), where the mean squared distance of all pairs is d squared / 2."""
    a, b = torch.zeros(4, 2), torch.full((4, 2), 3.0)
    expected = sum(2 * (1 - torch.exp(torch.tensor(-2.0 / w))) for w in WIDTHS)
    assert mean_discrepancy(a, b).item() == pytest.approx(float(expected), rel=1e-5)


def test_grows_with_the_shift_and_sees_spread():
    x, y = torch.randn(400, 2), torch.randn(400, 2)
    near, shifted, wide = (mean_discrepancy(x, z).item() for z in (y, y + 1, 3 * y))
    assert 3 * near < min(shifted, wide)
    assert mean_discrepancy(x, y + 2).item() > shifted


def test_symmetric():
    x, y = torch.randn(20, 3), torch.randn(30, 3) + 1
    assert mean_discrepancy(x, y).item() == pytest.approx(mean_discrepancy(y, x).item(), rel=1e-4)


def test_its_gradient_draws_samples_together():
    x, y = torch.randn(100, 2), (torch.randn(100, 2) + 2).requires_grad_()
    mean_discrepancy(x, y).backward()
    assert (y.grad.mean(0) > 0).all()


def test_a_kind_of_cell_that_only_one_sample_has_stays_where_it_is():
    x, own = torch.randn(200, 2), torch.randn(50, 2) + 6
    common = (torch.randn(200, 2) + 1).requires_grad_()
    own.requires_grad_()
    mean_discrepancy(x, torch.cat([common, own])).backward()
    assert own.grad.norm(dim=1).mean() < 0.01 * common.grad.norm(dim=1).mean()


def test_a_common_kind_is_not_drawn_to_a_rare_one():
    """Two kinds, 1:9 in one sample and 9:1 in the other, lie right already."""

    def kinds(n, m):
        return torch.cat([torch.randn(n, 2), torch.randn(m, 2) + 8])

    x, y = kinds(40, 360), kinds(360, 40)
    assert mean_discrepancy(x, y).item() < 0.1 * mean_discrepancy(x, y + 1).item()


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_cells_say_nothing(n):
    x, y = torch.randn(n, 3, requires_grad=True), torch.randn(9, 3)
    loss = mean_discrepancy(x, y)
    loss.backward()
    assert loss.item() == 0
    assert not x.grad.any()
