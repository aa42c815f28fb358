"""One contract that every likelihood passes."""

from __future__ import annotations

import pyro
import pytest
import torch
from pyro import poutine
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from multiome.likelihoods.bernoulli import Bernoulli
from multiome.likelihoods.beta_binomial import BetaBinomial
from multiome.likelihoods.negative_binomial import NegativeBinomial
from multiome.likelihoods.normal import Normal
from multiome.likelihoods.poisson import Poisson
from multiome.likelihoods.protein_mixture import ProteinMixture

N_SAMPLES = 20_000


def test_samples_have_the_mean_and_the_variance(case):
    p = case.decode(case.outputs(0.5, 8))
    x = p.sample((N_SAMPLES,)).double()
    centred = x - p.mean
    error_of_mean = (x.var(0) / N_SAMPLES).sqrt()
    error_of_variance = ((centred**4).mean(0) / N_SAMPLES).sqrt()
    # six standard errors, and room for what so few draws of a rare count say
    assert ((x.mean(0) - p.mean).abs() <= 6 * error_of_mean + 1e-3 * (1 + p.mean.abs())).all()
    assert ((x.var(0) - p.variance).abs() <= 6 * error_of_variance + 2e-3 * (1 + p.variance)).all()


def test_dispersion_leaves_the_mean(case):
    if not case.likelihood.disperses:
        pytest.skip("has no dispersion")
    p = case.decode(case.outputs(0.5, 8))
    for factor in (0.2, 5.0):
        q = case.likelihood.dispersed(p, torch.full((case.likelihood.n_features,), factor))
        torch.testing.assert_close(q.mean, p.mean)
        assert ((q.variance - p.variance) * (1 - factor) > 0).all()


def test_probability_sums_to_one(case):
    p = case.decode(case.outputs(0.5, 8))
    torch.testing.assert_close(total_probability(case.likelihood, p), torch.ones(p.batch_shape), rtol=0, atol=2e-3)


def total_probability(likelihood, p: TorchDistributionMixin) -> Tensor:
    if isinstance(likelihood, Normal):
        grid = torch.linspace(-8, 8, 2_001)[:, None, None]
        return torch.trapezoid(p.log_prob(p.mean + p.stddev * grid).exp() * p.stddev, grid, dim=0)
    highest = 1 if isinstance(likelihood, Bernoulli) else 4_000
    x = torch.arange(highest + 1.0)[:, None, None]
    if isinstance(likelihood, BetaBinomial):
        possible = x <= p.total_count
        return (p.log_prob(torch.minimum(x, p.total_count)).exp() * possible).sum(0)
    return p.log_prob(x).exp().sum(0)


@pytest.mark.parametrize("extreme", [-15.0, 0.0, 15.0])
@pytest.mark.parametrize("count", ["zero", "seen"])
def test_extreme_outputs_have_finite_gradients(case, extreme, count):
    x = torch.zeros_like(case.values) if count == "zero" else case.values
    outputs = torch.full_like(case.outputs(1), extreme, requires_grad=True)
    p = case.decode(outputs)
    log_probability = p.log_prob(x)
    log_probability.sum().backward()
    assert log_probability.isfinite().all()
    assert outputs.grad.isfinite().all()
    assert p.sample().isfinite().all()
    for name, parameter in case.likelihood.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name


def test_mixed_extremes_have_finite_gradients(case):
    outputs = (15 * torch.randn_like(case.outputs(1)).sign()).requires_grad_()
    case.decode(outputs).log_prob(case.values).sum().backward()
    assert outputs.grad.isfinite().all()


def test_gradient_is_the_slope(case):
    """Only some likelihoods write their log-probability in pieces, but a wrong piece would train the wrong model."""
    outputs = case.outputs(0.5, 20).double().requires_grad_()
    likelihood, exposure, x = case.likelihood.double(), case.exposure[:20].double(), case.values[:20].double()

    def objective(o: Tensor) -> Tensor:
        return likelihood(o, exposure=exposure).log_prob(x).sum()

    assert torch.autograd.gradcheck(objective, (outputs,), rtol=1e-3)


def test_sampled_features_are_a_slice(case):
    outputs, features = case.outputs(1), torch.tensor([4, 1])
    p, q = case.decode(outputs), case.decode(outputs[:, :, features], features)
    torch.testing.assert_close(q.mean, p.mean[:, features])
    torch.testing.assert_close(q.variance, p.variance[:, features])
    torch.testing.assert_close(q.log_prob(case.values[:, features]), p.log_prob(case.values)[:, features])


def test_exposure_scales_the_mean(case):
    outputs = case.outputs(0.5)
    once = case.likelihood(outputs, exposure=case.exposure).mean
    twice = case.likelihood(outputs, exposure=2 * case.exposure).mean
    if isinstance(case.likelihood, Bernoulli):  # presence saturates; what doubles is the rate behind it
        once, twice = (-torch.log1p(-mean.double()) for mean in (once, twice))
        keep = once < 5
        torch.testing.assert_close(twice[keep], 2 * once[keep], rtol=1e-2, atol=1e-6)
    else:
        torch.testing.assert_close(twice, 2 * once if case.likelihood.is_count else once)


def test_means_are_scaled_by_the_ratio_where_that_is_promised(case):
    outputs = case.outputs(0.5, 8)
    before, ratio = case.decode(outputs).mean.detach(), torch.linspace(0.5, 2, case.values.shape[1])
    assert case.likelihood.scales_means == isinstance(case.likelihood, (Poisson, NegativeBinomial))
    if case.likelihood.scales_means:
        case.likelihood.scale_means(ratio)
        torch.testing.assert_close(case.decode(outputs).mean, before * ratio)


def test_outputs_of_zero_are_the_average_profile(case):
    mean = case.decode(case.outputs(0)).mean.mean(0)
    expected = case.values.mean(0)
    tolerance = 0.15 if isinstance(case.likelihood, ProteinMixture) else 0.05
    torch.testing.assert_close(mean, expected, rtol=tolerance, atol=2e-3)


def test_order_of_cells_and_features_does_not_matter(case):
    cells, features = torch.randperm(len(case.values)), torch.randperm(case.values.shape[1])
    outputs = case.outputs(1)
    p = case.decode(outputs)
    exposure = case.exposure[cells]
    exposure = exposure[:, features] if exposure.shape[1] > 1 else exposure
    q = case.likelihood(outputs[:, cells][:, :, features], exposure=exposure, features=features)
    permuted = case.values[cells][:, features]
    torch.testing.assert_close(q.log_prob(permuted), p.log_prob(case.values)[cells][:, features])


def test_pyro_masks_scales_and_sums(case):
    outputs, observed = case.outputs(0.5), torch.rand(len(case.values)) < 0.5

    def model() -> None:
        with pyro.plate("cell", len(case.values)), poutine.mask(mask=observed), poutine.scale(scale=3.0):
            pyro.sample("x", case.decode(outputs).to_event(1), obs=case.values)

    trace = poutine.trace(model).get_trace()
    expected = 3 * case.decode(outputs).log_prob(case.values)[observed].sum()
    torch.testing.assert_close(trace.log_prob_sum(), expected, rtol=1e-4, atol=1e-2)


def test_pyro_samples_in_a_plate(case):
    with pyro.plate("draw", 3, dim=-2), pyro.plate("cell", 8, dim=-1):
        x = pyro.sample("x", case.decode(case.outputs(0.5, 8)).to_event(1))
    assert x.shape == (3, 8, case.values.shape[1])


def test_sample_shapes_broadcast(case):
    p = case.decode(case.outputs(0.5, 8))
    x = p.sample((3, 2))
    assert x.shape == (3, 2, *p.batch_shape)
    torch.testing.assert_close(p.log_prob(x)[1, 1], p.log_prob(x[1, 1]))
    torch.testing.assert_close(p.expand((4, *p.batch_shape)).log_prob(x[0, 0])[3], p.log_prob(x[0, 0]))
    torch.testing.assert_close(p.to_event(1).log_prob(x), p.log_prob(x).sum(-1))


def test_parameters_survive_a_round_trip(case):
    again = type(case.likelihood)(case.values.shape[1])
    again.load_state_dict(case.likelihood.state_dict())
    outputs = case.outputs(1)
    expected = case.decode(outputs).log_prob(case.values)
    torch.testing.assert_close(again(outputs, exposure=case.exposure).log_prob(case.values), expected, rtol=0, atol=0)


def test_two_measurements_of_a_cell_are_exchangeable(case):
    """What the first count says of the second: the pair is as probable in either order."""
    p = case.decode(case.outputs(0.5))
    a, b = case.values, p.sample()
    if isinstance(case.likelihood, Normal):
        pytest.skip("its given() says nothing more")
    forth = p.log_prob(a) + case.likelihood.given(p, a, wanted=p).log_prob(b)
    back = p.log_prob(b) + case.likelihood.given(p, b, wanted=p).log_prob(a)
    torch.testing.assert_close(forth, back, rtol=1e-3, atol=2e-3)


def test_what_is_expected_of_a_second_measurement_is_on_average_what_was_expected(case):
    outputs = case.outputs(0.5, 8)
    shape = (32_000, case.exposure.shape[1])  # of depth, or of coverage
    p = case.likelihood(outputs.repeat_interleave(4_000, 1), exposure=torch.full(shape, 3.0))
    again = case.likelihood.given(p, p.sample(), wanted=p).mean
    each = again.double().reshape(8, 4_000, 5)
    error = each.std(1) / 4_000**0.5
    expected = p.mean.reshape(8, 4_000, 5)[:, 0]
    assert ((each.mean(1) - expected).abs() <= 6 * error + 1e-3 * (1 + expected.abs())).all()


def test_another_batch_keeps_how_far_the_count_lies_from_what_was_expected(case):
    """A count as expected in its own batch says nothing of another one but what is expected there."""
    p, other = case.decode(case.outputs(0.5)), case.decode(case.outputs(0.5))
    nothing = torch.full_like(case.values, torch.nan)
    torch.testing.assert_close(case.likelihood.given(p, nothing, wanted=other).mean, other.mean)
    if isinstance(case.likelihood, NegativeBinomial):
        found = case.likelihood.given(p, p.mean, wanted=other)
        torch.testing.assert_close(found.mean, other.mean, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [NegativeBinomial, Poisson, ProteinMixture])
def test_a_deeper_measurement_has_more_counts(kind):
    likelihood = kind(3)
    outputs = torch.randn(likelihood.n_outputs, 4, 3)
    p, deeper = (likelihood(outputs, exposure=torch.full((4, 1), depth)) for depth in (1.0, 2.0))
    x = p.sample()
    one, two = (likelihood.given(p, x, wanted=wanted).mean for wanted in (p, deeper))
    torch.testing.assert_close(two, 2 * one)
