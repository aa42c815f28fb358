"""The product of Gaussian experts has a closed form; who was not observed is not there."""

import pytest
import torch
from torch.distributions import Normal

from multiome.nn.fusion import product_of_experts


def expert(n_cells=4, n_latent=3):
    return Normal(torch.randn(n_cells, n_latent), torch.rand(n_cells, n_latent) + 0.1)


def everyone(names, n_cells=4):
    return {name: torch.ones(n_cells, dtype=torch.bool) for name in names}


def same(p, q):
    torch.testing.assert_close(p.loc, q.loc, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(p.scale, q.scale, rtol=1e-6, atol=1e-7)


def test_closed_form():
    """Prior N(0, 1) times N(2, 1) times N(-1, 1/2): precision 1 + 1 + 4, mean (2 - 4) / 6."""
    a = Normal(torch.tensor([[2.0]]), torch.tensor([[1.0]]))
    b = Normal(torch.tensor([[-1.0]]), torch.tensor([[0.5]]))
    joint = product_of_experts({"a": a, "b": b}, everyone("ab", 1))
    assert joint.loc.item() == pytest.approx(-1 / 3)
    assert joint.scale.item() == pytest.approx(6**-0.5)


def test_density_is_proportional_to_the_product():
    a, b = expert(), expert()
    joint = product_of_experts({"a": a, "b": b}, everyone("ab"))
    prior = Normal(torch.zeros(4, 3), torch.ones(4, 3))
    z = torch.randn(50, 4, 3)
    ratio = prior.log_prob(z) + a.log_prob(z) + b.log_prob(z) - joint.log_prob(z)
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), rtol=1e-4, atol=1e-4)


def test_order_does_not_matter():
    experts = {name: expert() for name in "abc"}
    observed = {name: torch.rand(4) < 0.6 for name in "abc"}
    same(product_of_experts(experts, observed), product_of_experts(dict(reversed(experts.items())), observed))


def test_nobody_observed_is_the_prior():
    nobody = {"a": torch.zeros(4, dtype=torch.bool)}
    joint = product_of_experts({"a": expert()}, nobody)
    assert (joint.loc == 0).all()
    assert (joint.scale == 1).all()


def test_unobserved_expert_changes_nothing_not_even_gradients():
    """Whatever stands in the rows of cells without a modality, NaN included."""
    observed = {"a": torch.ones(4, dtype=torch.bool), "b": torch.tensor([True, False, False, True])}
    there = observed["b"][:, None]
    a, b = expert(), expert()
    results = []
    for absent in (1.0, 1e-30, float("nan"), float("inf")):
        leaves = [a.loc, a.scale, torch.where(there, b.loc, absent), torch.where(there, b.scale, absent)]
        leaves = [leaf.clone().requires_grad_() for leaf in leaves]
        experts = {
            "a": Normal(*leaves[:2], validate_args=False),
            "b": Normal(*leaves[2:], validate_args=False),
        }
        joint = product_of_experts(experts, observed)
        gradients = torch.autograd.grad((joint.loc * 3 + joint.scale.log()).sum(), leaves)
        assert all((gradient[~there.expand_as(gradient)] == 0).all() for gradient in gradients[2:])
        assert all(gradient.abs().min() > 0 for gradient in gradients[:2])
        results.append([joint.loc, joint.scale, *gradients])
    for other in results[1:]:
        assert all(torch.equal(x, y) for x, y in zip(results[0], other, strict=True))
    alone = product_of_experts({"a": a}, {"a": observed["a"]})
    assert torch.equal(alone.loc[1:3], results[0][0][1:3])
