"""The two-component protein mixture, beside a reference and where the truth is known."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from multiome.likelihoods.negative_binomial import MeanDispersion
from multiome.likelihoods.protein_mixture import BackgroundForeground, ProteinMixture
from multiome.types import SparseRows

N_CELLS = 8_000  # more than are looked at to initialise


@pytest.fixture(scope="module")
def simulated():
    rng = np.random.default_rng(0)
    depth = rng.lognormal(0, 0.4, (N_CELLS, 1))
    share = np.array([0.05, 0.3, 0.7])
    high = rng.random((N_CELLS, 3)) < share
    mean = depth * np.where(high, [100.0, 300.0, 80.0], [2.0, 10.0, 1.0])
    x = rng.poisson(rng.gamma(5.0, mean / 5.0))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(depth, dtype=torch.float32), share


def initialised(x: torch.Tensor, exposure: torch.Tensor) -> ProteinMixture:
    likelihood = ProteinMixture(x.shape[1])
    likelihood.initialise(SparseRows.from_scipy(sp.csr_matrix(x.numpy())), exposure)
    return likelihood


def test_equals_torch_mixture():
    log_mean, theta, logit = torch.randn(2, 6, 4) + 1, torch.tensor([[0.5], [3.0]]), torch.randn(6, 4)
    low, high = (MeanDispersion(m, t) for m, t in zip(log_mean, theta, strict=True))
    p = BackgroundForeground(low, high, logit)
    components = torch.distributions.NegativeBinomial(theta[:, None], logits=log_mean - theta[:, None].log())
    weights = torch.stack([(-logit).sigmoid(), logit.sigmoid()])
    reference = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(weights.movedim(0, -1)),
        torch.distributions.NegativeBinomial(
            components.total_count.movedim(0, -1), logits=components.logits.movedim(0, -1)
        ),
    )
    x = torch.poisson(torch.rand(6, 4) * 10)
    torch.testing.assert_close(p.log_prob(x), reference.log_prob(x), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(p.mean, reference.mean)
    torch.testing.assert_close(p.variance, reference.variance)


def test_initialise_finds_both_components(simulated):
    x, exposure, share = simulated
    p = initialised(x, exposure)(torch.zeros(3, N_CELLS, 3), exposure=exposure)
    background, foreground = p.components
    np.testing.assert_allclose((background.mean / exposure)[0].detach(), [2.0, 10.0, 1.0], rtol=0.2)
    np.testing.assert_allclose((foreground.mean / exposure)[0].detach(), [100.0, 300.0, 80.0], rtol=0.1)
    np.testing.assert_allclose(p.foreground[0].detach(), share, atol=0.03)


@pytest.mark.parametrize("background", [0.4, 1.0, 2.0])
def test_few_background_counts_are_no_foreground(background):
    """Zeros alone are not the background of a protein of which most background cells show a few counts."""
    rng = np.random.default_rng(0)
    high = rng.random((3_000, 2)) < 0.3
    depth = rng.lognormal(0, 0.4, (3_000, 1))
    counts = rng.poisson(rng.gamma(3.0, depth * np.where(high, 12 * background + 8, background) / 3.0))
    x, exposure = torch.tensor(counts, dtype=torch.float32), torch.tensor(depth, dtype=torch.float32)
    p = initialised(x, exposure)(torch.zeros(3, 3_000, 2), exposure=exposure)
    found = p.given(x, p).foreground.detach().numpy()
    assert found[~high].mean() < 0.1
    assert found[high].mean() > 0.85
    np.testing.assert_allclose(p.foreground[0].detach(), 0.3, atol=0.05)


def test_foreground_lies_above_background_whatever_the_outputs():
    p = ProteinMixture(4)(10 * torch.randn(3, 100, 4), exposure=torch.ones(100, 1))
    assert (p.components[1].log_mean >= p.components[0].log_mean).all()


@pytest.mark.parametrize("kind", ["zero", "constant", "unimodal", "one count"])
def test_proteins_without_two_modes_start_at_their_mean(kind):
    x = {
        "zero": torch.zeros(500, 1),
        "constant": torch.full((500, 1), 7.0),
        "unimodal": torch.poisson(torch.full((500, 1), 20.0)),
        "one count": torch.eye(500)[:, :1],
    }[kind]
    exposure = torch.ones(500, 1)
    p = initialised(x, exposure)(torch.zeros(3, 500, 1), exposure=exposure)
    assert p.log_prob(x).isfinite().all()
    torch.testing.assert_close(p.mean.mean(), x.mean(), rtol=0.05, atol=1e-3)
    assert 0.01 < p.foreground.mean() < 0.99


def test_expected_logarithm_is_the_mixture_of_the_components(simulated):
    x, exposure, _ = simulated
    p = initialised(x, exposure)(torch.randn(3, 20, 3), exposure=exposure[:20])
    low, high = (component.expected_log1p(torch.tensor(1.0)) for component in p.components)
    expected = (1 - p.foreground) * low + p.foreground * high
    torch.testing.assert_close(p.expected_log1p(torch.tensor(1.0)), expected)
