"""The contrastive loss of views whose similarities are known."""

import math

import pytest
import torch

from multiome.losses.clip import clip_loss


@pytest.mark.parametrize("n", [2, 6, 50])
@pytest.mark.parametrize("log_temperature", [0.0, 2.0])
def test_orthonormal_views(n, log_temperature):
    """Own similarity t, all others 0: log(exp(t) + n - 1) - t."""
    views = torch.eye(n)
    t = math.exp(log_temperature)
    loss = clip_loss(views, views, torch.tensor(log_temperature))
    assert loss.item() == pytest.approx(math.log(math.exp(t) + n - 1) - t, abs=1e-5)


def test_views_that_say_nothing():
    """All cells alike: a guess among n."""
    same = torch.ones(8, 3)
    assert clip_loss(same, same, torch.tensor(1.0)).item() == pytest.approx(math.log(8))


def test_wrong_partner():
    """Everyone resembles the next cell: log(e + n - 1)."""
    views = torch.eye(5)
    assert clip_loss(views, views.roll(1, 0), torch.tensor(0.0)).item() == pytest.approx(math.log(math.e + 4))


@pytest.fixture
def views():
    return torch.randn(10, 4), torch.randn(10, 4), torch.tensor(1.3)


def test_order_of_cells_does_not_matter(views):
    a, b, t = views
    order = torch.randperm(10)
    torch.testing.assert_close(clip_loss(a[order], b[order], t), clip_loss(a, b, t))
    assert not torch.isclose(clip_loss(a[order], b, t), clip_loss(a, b, t))


def test_symmetric_in_the_views(views):
    a, b, t = views
    torch.testing.assert_close(clip_loss(a, b, t), clip_loss(b, a, t))


def test_only_directions_count(views):
    a, b, t = views
    length = torch.rand(10, 1) + 0.1
    torch.testing.assert_close(clip_loss(a * length, b / length, t), clip_loss(a, b, t))
    turn = torch.linalg.qr(torch.randn(4, 4)).Q
    torch.testing.assert_close(clip_loss(a @ turn, b @ turn, t), clip_loss(a, b, t))


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_cells_have_no_negatives(n):
    a, b = (torch.randn(n, 4, requires_grad=True) for _ in range(2))
    t = torch.tensor(0.0, requires_grad=True)
    loss = clip_loss(a, b, t)
    assert loss.shape == ()
    assert loss.item() == 0
    loss.backward()
    assert (a.grad == 0).all()
    assert (b.grad == 0).all()


def test_gradient_pulls_partners_together(views):
    a, b, t = views
    a = a.requires_grad_()
    (gradient,) = torch.autograd.grad(clip_loss(a, b, t), a)
    assert clip_loss(a - 0.1 * gradient, b, t) < clip_loss(a, b, t)


def test_gradient_of_a_zero_row_is_finite():
    a = torch.zeros(3, 4, requires_grad=True)
    clip_loss(a, torch.randn(3, 4), torch.tensor(0.0)).backward()
    assert torch.isfinite(a.grad).all()
