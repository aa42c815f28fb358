"""The generative model of multi-omics cells, and its guide.

Letters: z latent state, h trunk output, x_m values of modality m, l_m exposure (depth over the training median).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from jaxtyping import Bool, Float, Int
from pyro import poutine
from torch import Tensor, nn
from torch.distributions import Normal

from multiome.data.spec import DataSpec
from multiome.graph.edges import FeatureEdges
from multiome.graph.encoder import GraphEncoder
from multiome.model.channel import Channel
from multiome.model.config import ModelConfig
from multiome.model.panels import found_in, where_known
from multiome.nn.decoder import Trunk
from multiome.nn.fusion import product_of_experts
from multiome.types import Batch, Latent, positions

Sampled = Mapping[str, Int[Tensor, " feature"]]
"""The features whose likelihood a step evaluates, for modalities where it is not all of them."""


class MultiomeVAE(nn.Module):
    """Encoders, product of experts, decoders.

    ``z ~ N(0, I)``; ``h = trunk(z, batch effects)``; ``x_m ~ likelihood_m(h @ V_m.T, l_m)`` for every observed
    modality; ``q(z | x)`` is the product of the prior and the observed experts ``q(z | x_m)``.
    """

    def __init__(self, spec: DataSpec, config: ModelConfig, edges: FeatureEdges | None = None) -> None:
        super().__init__()
        self.n_cells = spec.n_cells
        self.n_latent = config.n_latent
        self.keys = tuple(spec.modalities)
        self.lenders = frozenset(s.lender for s in spec.modalities.values() if s.lender is not None)
        self.weights = dict.fromkeys(self.keys, 1.0)
        self.channels = nn.ModuleList(Channel(s, config) for s in spec.modalities.values())
        self.graph = None if edges is None else GraphEncoder(edges)
        self.trunk = Trunk(
            config.n_latent,
            config.n_features_latent,
            shares=[spec.average_batch(i) for i in range(len(spec.covariates))],
            n_batch_latent=config.n_batch_latent,
            n_hidden=config.n_hidden,
            dropout=config.dropout,
        )

    def channel(self, key: str) -> Channel:
        """Everything held for one modality."""
        channel = self.channels[self.keys.index(key)]
        assert isinstance(channel, Channel)
        return channel

    def encode(self, batch: Batch, found: Mapping[str, Bool[Tensor, " feature"]] | None = None) -> Latent:
        """Experts of the modalities in the batch, and their product with the prior."""
        (experts,) = self.experts([batch], found)
        return Latent(experts, product_of_experts(experts, batch.observed))

    def experts(
        self, views: Sequence[Batch], found: Mapping[str, Bool[Tensor, " feature"]] | None = None
    ) -> list[dict[str, Normal]]:
        """Experts of the modalities in each of some views of the same cells; views but the first may lack some."""
        told: list[dict[str, Normal]] = [{} for _ in views]
        for key in views[0].counts:
            there = [i for i, view in enumerate(views) if key in view.counts]
            each = self.expert(key, [views[i] for i in there], None if found is None else found.get(key))
            for i, expert in zip(there, each, strict=True):
                told[i][key] = expert
        return told

    def expert(self, key: str, views: Sequence[Batch], found: Bool[Tensor, " feature"] | None = None) -> list[Normal]:
        """What one modality says in each view; standard normal in cells without it, which cost nothing."""
        seen, known, measured = views[0].observed[key], views[0].known(key), [view.measurement(key) for view in views]
        everywhere = bool(seen.all())
        if not everywhere:
            known, measured = None if known is None else known[seen], [each.only(seen) for each in measured]
        q = self.channel(key).encode(measured, found_in(known, found))
        told = list(zip(q.loc.chunk(len(views)), q.scale.chunk(len(views)), strict=True))
        if not everywhere:
            told = [(at(seen, loc, 0.0), at(seen, scale, 1.0)) for loc, scale in told]
        return [Normal(loc, scale, validate_args=False) for loc, scale in told]

    def features(self, sampled: Sampled | None = None) -> dict[str, Float[Tensor, "n_outputs _ hidden"]]:
        """Embeddings of all features, or of the sampled ones, where a guidance graph makes them."""
        if self.graph is None:
            return {}
        return self.graph({key: self.channel(key).head.embedding for key in self.keys}, sampled)

    def share(self) -> None:
        """Show the encoders the feature embeddings that the guidance graph, if there is one, makes now."""
        with torch.no_grad():
            for key, embedding in self.features().items():
                self.channel(key).shared = embedding

    def settle(self) -> None:
        """Keep the feature embeddings that the guidance graph makes; from then on they stand without it."""
        with torch.no_grad():
            for key, embedding in self.features().items():
                self.channel(key).head.embedding.copy_(embedding)
                self.channel(key).shared = None
        self.graph = None

    def exposure(self, batch: Batch, key: str, features: Int[Tensor, " feature"] | None) -> Tensor:
        """What scales a cell's values: its depth, or each site's coverage."""
        return batch.coverage[key].dense(features) if key in batch.coverage else batch.exposure[key]

    def model(self, batch: Batch, latent: Latent, sampled: Sampled, prior_weight: float | Tensor = 1.0) -> None:
        """p(z) p(x | z), over the observed modalities; sampled features stand for all of them."""
        with pyro.plate("cell", self.n_cells, subsample=batch.index), poutine.scale(scale=prior_weight):
            zero = torch.zeros(len(batch), self.n_latent, device=batch.index.device)
            z = pyro.sample("z", dist.Normal(zero, 1.0, validate_args=False).to_event(1))
        h = self.hidden(z, batch)
        for key in batch.counts:
            features = sampled.get(key)
            channel = self.channel(key)
            share = 1.0 if features is None else channel.likelihood.n_features / len(features)
            x, exposure = batch.counts[key], self.exposure(batch, key, features)
            known = batch.known(key, features)
            seen, told = batch.observed[key], h
            if not seen.any():
                continue
            if not seen.all():  # mosaic data: an unmeasured assay says nothing, and costs nothing
                x, exposure, told = x.only(seen), exposure[seen], h[seen]
                known = None if known is None else known[seen]
            p = channel.decode(told, exposure, features, latent.features.get(key))
            # a minibatch stands for all cells, however many of its cells have the assay
            weight = share * self.weights[key] * self.n_cells / len(batch)
            with poutine.scale(scale=weight), pyro.plate(f"cell of {key}", len(x)):
                recorded: Any = channel.likelihood.recorded(x, features)  # Pyro only hands it to `log_prob`
                # a feature that is not in a cell's panel says nothing either
                pyro.sample(key, channel.likelihood.of_cells(p, known), obs=recorded)

    def hidden(self, z: Float[Tensor, "cell latent"], batch: Batch) -> Float[Tensor, "cell hidden"]:
        """What all decoders share, at given latent states in the cells' experimental batches."""
        return self.trunk(z, self.trunk.batch_effect(batch.batch_index))

    def guide(self, batch: Batch, latent: Latent, sampled: Sampled, prior_weight: float | Tensor = 1.0) -> None:
        """q(z | x), computed once by `encode`."""
        with pyro.plate("cell", self.n_cells, subsample=batch.index), poutine.scale(scale=prior_weight):
            # not validated: a state that is NaN makes the loss NaN, and training says where it came from
            q = dist.Normal(latent.joint.loc, latent.joint.scale, validate_args=False)
            pyro.sample("z", q.to_event(1))

    def log_likelihoods(self, batch: Batch, latent: Latent) -> dict[str, Float[Tensor, ""]]:
        """Mean log-likelihood per observed cell of each modality, at the posterior mean of the joint state."""
        found = {}
        h = self.hidden(latent.joint.loc, batch)
        for key in batch.counts:
            p = self.channel(key).decode(h, self.exposure(batch, key, None), None, latent.features.get(key))
            told = where_known(p.log_prob(batch.counts[key].dense()), batch.known(key))
            found[key] = told.sum(-1)[batch.observed[key]].mean()
        return found


def at(cells: Bool[Tensor, " all"], x: Float[Tensor, "cell latent"], rest: float) -> Float[Tensor, "all latent"]:
    """A row for each of all cells: what is told of some, in order, and the same number everywhere else."""
    return x.new_full((len(cells), x.shape[1]), rest).index_copy(0, positions(cells), x)
