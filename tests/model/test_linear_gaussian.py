"""The ELBO of a linear-Gaussian model against its exact log evidence.

Letters: A loadings (feature x latent), s residual spreads, m means; ``x = m + A z + s * noise``. The columns of ``A/s``
are orthogonal, so that the exact posterior is one of those that the guide can express.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal, kl_divergence

import multiome as mo
from multiome.data.build import prepare
from multiome.likelihoods.normal import LEAST
from multiome.model.elbo import AnalyticELBO
from multiome.model.vae import MultiomeVAE
from multiome.nn.encoder import MIN_SCALE
from multiome.types import Batch, Latent, SparseRows

N_CELLS, N_LATENT = 72, 3
SIZES = {"rna": 6, "prot": 4}


@dataclass(frozen=True)
class Exact:
    """A model whose every conditional is known, and its cells."""

    vae: MultiomeVAE
    batch: Batch
    loadings: dict[str, Tensor]
    spread: dict[str, Tensor]
    mean: dict[str, Tensor]

    def precision(self, key: str) -> Tensor:
        return (self.loadings[key] ** 2 / self.spread[key][:, None] ** 2).sum(0)

    def posterior(self) -> Normal:
        precision, weighted = torch.ones(N_CELLS, N_LATENT), torch.zeros(N_CELLS, N_LATENT)
        for key, there in self.batch.observed.items():
            residual = (self.batch.counts[key].dense() - self.mean[key]) / self.spread[key] ** 2
            precision = precision + there[:, None] * self.precision(key)
            weighted = weighted + there[:, None] * (residual @ self.loadings[key])
        return Normal(weighted / precision, precision.rsqrt())

    def log_evidence(self) -> Tensor:
        total = torch.zeros(N_CELLS)
        for there in set(zip(*(mask.tolist() for mask in self.batch.observed.values()), strict=True)):
            keys = [key for key, measured in zip(self.batch.observed, there, strict=True) if measured]
            a, m = torch.cat([self.loadings[k] for k in keys]), torch.cat([self.mean[k] for k in keys])
            noise = torch.cat([self.spread[k] for k in keys]) ** 2
            cells = torch.stack([self.batch.observed[k] == (k in keys) for k in SIZES]).all(0)
            x = torch.cat([self.batch.counts[k].dense() for k in keys], 1)[cells]
            total[cells] = MultivariateNormal(m, a @ a.T + torch.diag(noise)).log_prob(x)
        return total


def inverse_softplus(x: Tensor) -> Tensor:
    return torch.log(torch.expm1(x))


@pytest.fixture
def exact() -> Exact:
    rng = np.random.default_rng(0)
    names = pd.Index([f"cell{i}" for i in range(N_CELLS)])
    mods = {
        key: ad.AnnData(rng.normal(size=(N_CELLS, n)).astype(np.float32), obs=pd.DataFrame(index=names))
        for key, n in SIZES.items()
    }
    mdata = md.MuData({"rna": mods["rna"], "prot": mods["prot"][: N_CELLS // 2].copy()})
    continuous = {"rna": mo.RNA.continuous(), "prot": mo.PROTEIN.continuous()}
    kinds = {key: replace(modality, n_components=N_LATENT) for key, modality in continuous.items()}
    spec, cells = prepare(mdata, modalities=kinds, batch_key=None, drop_empty=False)
    size = mo.ModelConfig(n_latent=N_LATENT, n_features_latent=N_LATENT, n_hidden=4, embedding_scores=False)
    vae = MultiomeVAE(spec, size).eval()
    loadings, spread, mean = {}, {}, {}
    with torch.no_grad():
        identity(vae.trunk.network)
        for key, n in SIZES.items():
            strength = torch.tensor([0.5, 1.0, 2.0])
            spread[key] = torch.linspace(0.5, 1.5, n)
            orthogonal = torch.linalg.qr(torch.randn(n, N_LATENT)).Q
            loadings[key] = spread[key][:, None] * orthogonal * strength
            mean[key] = torch.randn(n)
            channel = vae.channel(key)
            channel.head.embedding.copy_(loadings[key][None])
            channel.likelihood.loc.copy_(mean[key])
            channel.likelihood.scale.fill_(1)
            channel.likelihood.log_residual.copy_((spread[key] - LEAST).log())
            channel.projection.centre.copy_(mean[key])
            channel.projection.loadings.copy_(loadings[key] / spread[key][:, None] ** 2 / strength**2)
            identity(channel.encoder.network)
            channel.encoder.network.linear.bias[N_LATENT:] = inverse_softplus(1 / strength - MIN_SCALE)
    return Exact(vae, cells.take(np.arange(N_CELLS)), loadings, spread, mean)


def identity(network: torch.nn.Module) -> None:
    """The first outputs are the inputs, the others 0; nothing nonlinear."""
    linear = network.linear
    linear.weight.zero_()
    linear.bias.zero_()
    linear.weight[: linear.in_features] = torch.eye(linear.in_features)
    network.mlp[-1].weight.zero_()
    network.mlp[-1].bias.zero_()


def by_hand(joint: Normal) -> Latent:
    return Latent({}, joint)


def elbo(exact: Exact, latent: Latent, batch: Batch | None = None, sampled: dict | None = None) -> float:
    batch = exact.batch if batch is None else batch
    return -Trace_ELBO().loss(exact.vae.model, exact.vae.guide, batch, latent, sampled or {})


def test_elbo_at_the_exact_posterior_is_the_log_evidence_whatever_z_is_drawn(exact):
    evidence = float(exact.log_evidence().sum())
    for _ in range(5):
        assert elbo(exact, by_hand(exact.posterior())) == pytest.approx(evidence, rel=1e-4)


def test_elbo_of_another_guide_is_lower_by_its_divergence_from_the_posterior(exact):
    posterior = exact.posterior()
    other = Normal(posterior.loc + 0.2, 1.3 * posterior.scale)
    gap = float(kl_divergence(other, posterior).sum())
    found = np.mean([elbo(exact, by_hand(other)) for _ in range(100)])
    assert float(exact.log_evidence().sum()) - found == pytest.approx(gap, rel=0.15)


def test_the_mean_field_elbo_has_the_same_expectation(exact):
    latent = by_hand(exact.posterior())
    losses = [TraceMeanField_ELBO().loss(exact.vae.model, exact.vae.guide, exact.batch, latent, {}) for _ in range(100)]
    error = np.std(losses) / np.sqrt(len(losses))
    assert -np.mean(losses) == pytest.approx(float(exact.log_evidence().sum()), abs=4 * error)


def test_training_minimises_the_mean_field_elbo(exact):
    """The value and gradients of Pyro's own from the same draw, with sampled features and a weight of the prior."""
    inputs = torch.randn(2, N_CELLS, N_LATENT).unbind()
    sampled = {"rna": torch.arange(3)}
    found = []
    for loss in (AnalyticELBO(), TraceMeanField_ELBO()):
        loc, raw = (x.clone().requires_grad_() for x in inputs)
        torch.manual_seed(4)
        latent = by_hand(Normal(loc, raw.exp()))
        total = loss.differentiable_loss(exact.vae.model, exact.vae.guide, exact.batch, latent, sampled, 0.3)
        found.append((total.detach(), *torch.autograd.grad(total, (loc, raw, exact.vae.channel("rna").head.embedding))))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_encoders_reach_the_exact_posterior(exact):
    """Experts that are exact for one modality each multiply to the exact posterior of all, in a mosaic too."""
    joint = exact.vae.encode(exact.batch).joint
    torch.testing.assert_close(joint.loc, exact.posterior().loc, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(joint.scale, exact.posterior().scale, rtol=1e-4, atol=1e-5)


def test_a_minibatch_stands_for_all_cells(exact):
    half = torch.arange(0, N_CELLS, 2)
    rows = {key: torch.zeros(N_CELLS, dtype=torch.bool).index_fill(0, half, True) for key in SIZES}
    evidence = float(exact.log_evidence()[rows["rna"]].sum()) * 2
    posterior = exact.posterior()
    latent = by_hand(Normal(posterior.loc[half], posterior.scale[half]))
    assert elbo(exact, latent, take(exact.batch, half)) == pytest.approx(evidence, rel=1e-4)


def take(batch: Batch, cells: Tensor) -> Batch:
    """Some cells of a batch."""
    return Batch(
        batch.index[cells],
        {key: SparseRows.from_scipy(sp.csr_matrix(rows.dense()[cells].numpy())) for key, rows in batch.counts.items()},
        {key: mask[cells] for key, mask in batch.observed.items()},
        {key: value[cells] for key, value in batch.exposure.items()},
        batch.batch_index[cells],
    )


@torch.no_grad()
def log_joint(exact: Exact, z: Tensor, sampled: dict) -> float:
    """log p(x, z), the genes' part from some of them."""
    model = poutine.condition(exact.vae.model, {"z": z})
    trace = poutine.trace(model).get_trace(exact.batch, by_hand(exact.posterior()), sampled)
    return float(trace.log_prob_sum())


@pytest.mark.parametrize("size", [1, 2, 5])
def test_sampled_features_leave_the_elbo_unbiased(exact, size):
    """The mean over every possible sample of the genes is the value with all of them, at any z."""
    z = torch.randn(N_CELLS, N_LATENT)
    subsets = itertools.combinations(range(SIZES["rna"]), size)
    mean = np.mean([log_joint(exact, z, {"rna": torch.tensor(subset)}) for subset in subsets])
    assert mean == pytest.approx(log_joint(exact, z, {}), rel=1e-4)


def test_the_order_of_sampled_features_does_not_matter(exact):
    z = torch.randn(N_CELLS, N_LATENT)
    found = [log_joint(exact, z, {"rna": torch.tensor(order)}) for order in ([0, 3, 4], [4, 0, 3])]
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_an_unobserved_expert_changes_nothing(exact):
    """Cells without a modality: same posterior, same ELBO, no gradient, as if the modality did not exist."""
    without = replace(
        exact.batch,
        counts={"rna": exact.batch.counts["rna"]},
        observed={"rna": exact.batch.observed["rna"]},
        exposure={"rna": exact.batch.exposure["rna"]},
    )
    masked = replace(exact.batch, observed=exact.batch.observed | {"prot": torch.zeros(N_CELLS, dtype=torch.bool)})
    one, other = exact.vae.encode(without), exact.vae.encode(masked)
    torch.testing.assert_close(one.joint.loc, other.joint.loc, rtol=0, atol=0)
    torch.testing.assert_close(one.joint.scale, other.joint.scale, rtol=0, atol=0)
    torch.manual_seed(1)
    loss = Trace_ELBO().differentiable_loss(exact.vae.model, exact.vae.guide, without, one, {})
    torch.manual_seed(1)
    masked_loss = Trace_ELBO().differentiable_loss(exact.vae.model, exact.vae.guide, masked, other, {})
    torch.testing.assert_close(loss, masked_loss)
    masked_loss.backward()
    for name, parameter in exact.vae.channel("prot").named_parameters():
        assert parameter.grad is None or not parameter.grad.any(), name
