"""The features whose likelihood a step evaluates, and whose embeddings alone it then trains."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from multiome.model.vae import MultiomeVAE
from multiome.train.optimiser import SampledAdamW


class Sampling:
    """At most so many features (``most``) of each modality, others in every step.

    With a ``seed``, those of a training step depend on it and on the step alone: all processes that train together then
    sample the same ones, and exchange gradients of these alone.
    """

    def __init__(self, vae: MultiomeVAE, most: int, *, seed: int | None) -> None:
        self.most, self.seed = most, seed
        channels = {key: vae.channel(key) for key in vae.keys}
        many = {key: each.head.embedding for key, each in channels.items() if each.likelihood.n_features > most}
        self.tables: dict[str, nn.Parameter] = many if vae.graph is None else {}
        """Embeddings of the modalities with more; a guidance graph makes those of the features out of all of them."""

    def drawn(
        self, n_features: Mapping[str, int], *, step: int | None, device: torch.device
    ) -> dict[str, Int[Tensor, " sampled"]]:
        """Of modalities that have more, in order; those of held-out cells are of no ``step``."""
        chance = None
        if self.seed is not None and step is not None:
            (seed,) = np.random.SeedSequence([self.seed, step]).generate_state(1)
            chance = torch.Generator(device).manual_seed(int(seed))
        many = {key: n for key, n in n_features.items() if n > self.most}
        orders = {key: torch.randperm(n, generator=chance, device=device) for key, n in many.items()}
        return {key: order[: self.most].sort().values for key, order in orders.items()}

    def taken(
        self, optimiser: SampledAdamW, sampled: Mapping[str, Int[Tensor, " sampled"]]
    ) -> dict[str, Float[Tensor, "n_outputs sampled hidden"]]:
        """Their embeddings, to be trained in this step."""
        return {key: optimiser.take(self.tables[key], features) for key, features in sampled.items()}
