"""What a training step minimises: named losses, one scalar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, islice

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn.parallel import DistributedDataParallel

from multiome.errors import TrainingDiverged
from multiome.losses.alignment import mean_discrepancy
from multiome.losses.clip import clip_loss
from multiome.model.elbo import AnalyticELBO
from multiome.model.vae import MultiomeVAE
from multiome.nn.fusion import product_of_experts
from multiome.train.compared import Compared
from multiome.train.config import LossWeights, TrainConfig
from multiome.train.optimiser import SampledAdamW
from multiome.train.processes import any_of_all, first_of_all, mean_of_all
from multiome.train.sampling import Sampling
from multiome.train.views import hide_features, part_of, some_or_all, thin
from multiome.types import Batch, Latent

ALIGN_FROM, ALIGN_FULLY = 0.6, 0.75
"""Shares of the planned steps between which the alignment of cells without a partner sets in: drawn together sooner,
while the guidance graph has not yet told which state is which, cell types are matched at random."""
PRIOR_OF_LENDER = 0.5
"""What the Kullback–Leibler term counts in cells of the modality that others borrow components from, RNA, where they
were measured in other cells: it tells more of a cell than the little that all of them can be matched by."""
WARM_UP, LAST_RATE = 50, 0.02
"""Steps until the learning rate is at its peak, and the share of the peak that is left at the last planned step."""
SHARE_EVERY = 10
"""Steps after which encoders see the feature embeddings that the guidance graph has come to make."""
CLIP_EVERY = 2
"""Of so many steps one compares modalities, for all of them: with its second view this is a tenth of a step's work."""


class IntegrationTask(pl.LightningModule):
    """ELBO of all modalities, given all or a random part of them, and CLIP between them.

    With several processes (``world``) each has minibatches of its own; while training, they sample the same features,
    and the losses that compare cells with each other compare those of all processes.
    """

    def __init__(
        self,
        vae: MultiomeVAE,
        config: TrainConfig,
        weights: LossWeights,
        *,
        n_paired: int,
        apart: Sequence[tuple[str, str]] = (),
        n_steps: int = 1,
        world: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.apart, self.n_steps, self.world = apart, n_steps, world
        self.vae, self.config, self.weights = vae, config, weights
        self.paired, self.clip_weight = n_paired > 0, weights.clip_among(n_paired)
        self.log_temperature = nn.Parameter(torch.tensor(2.0))
        self.elbo = AnalyticELBO()
        self.sampling = Sampling(vae, config.features_per_step, seed=seed if world > 1 else None)
        self.optimiser: SampledAdamW | None = None
        tables = self.sampling.tables.values()
        names = [name for name, p in self.named_parameters() if any(p is table for table in tables)]
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(self, names)
        self.noted: dict[str, tuple[Tensor | float, int]] = {}
        self.told: set[str] = set()
        """What the last epoch's steps had of losses: not all steps have all of them."""

    def losses(self, batch: Batch, *, keep: float, feature_dropout: float) -> dict[str, Tensor]:
        """Every term, per cell."""
        vae = self.vae
        counts = {key: vae.channel(key).transform.thins for key in batch.counts}
        n_features = {key: vae.channel(key).likelihood.n_features for key in batch.counts}
        found = hide_features(n_features, feature_dropout, device=self.device)
        views = [thin(batch, keep, counts=counts)]
        compares = len(batch.counts) > 1 and (not self.training or self.global_step % CLIP_EVERY == 0)
        if keep < 1 and self.paired and compares:
            # another thinned view of the modalities that CLIP compares with one before them
            later = replace(batch, counts=dict(islice(batch.counts.items(), 1, None)))
            views.append(thin(later, keep, counts=counts))
        experts = vae.experts(views, found)
        sampled = self.sampling.drawn(n_features, step=self.global_step if self.training else None, device=self.device)
        # of embeddings, a step trains those of the sampled features alone
        optimiser = self.optimiser if self.training and self.sampling.tables else None
        features = vae.features(sampled) if optimiser is None else self.sampling.taken(optimiser, sampled)

        def elbo(chosen: Mapping[str, Tensor]) -> Tensor:  # of cells as these of their modalities tell them
            latent = Latent(experts[0], product_of_experts(experts[0], chosen), features)
            return self.elbo_of(batch, latent, sampled)

        if len(batch.counts) == 1:
            return {"elbo": elbo(batch.observed)}
        if self.training:
            # one pass serves both: some cells are explained by all their modalities, the others by a part of them
            terms = {"elbo": elbo(some_or_all(batch.observed, self.config.part_share))}
        else:
            terms = {"elbo": elbo(batch.observed), "cross": elbo(part_of(batch.observed))}
        if compares:
            terms["clip"] = self.clip(batch, experts[0], experts[-1])
        if self.training and self.apart and self.alignment_weight() > 0:
            terms["align"] = self.align(batch, experts[0])
        return terms

    def elbo_of(self, batch: Batch, latent: Latent, sampled: Mapping[str, Tensor]) -> Tensor:
        """Negative ELBO per cell."""
        prior = self.prior_weight(batch)
        return (
            self.elbo.differentiable_loss(self.vae.model, self.vae.guide, batch, latent, sampled, prior)
            / self.vae.n_cells
        )

    def prior_weight(self, batch: Batch) -> float | Tensor:
        """What the Kullback–Leibler term counts: in all cells alike, or in each."""
        lenders = {key for pair in self.apart for key in pair if key in self.vae.lenders}
        if not lenders:
            return self.weights.prior
        has_one = torch.stack([batch.observed[key] for key in lenders]).any(0)
        return self.weights.prior * torch.where(has_one, PRIOR_OF_LENDER, 1.0)

    def clip(self, batch: Batch, one: Mapping[str, Normal], two: Mapping[str, Normal]) -> Tensor:
        """Mean over all pairs of modalities, each pair on the cells that have both, within their experimental batch."""
        temperature = self.log_temperature.clamp(max=4.6)
        cells = self.compared(batch, one, two)
        pairs = []
        group = torch.unique(cells.batch_index, dim=0, return_inverse=True)[1] if cells.batch_index.shape[1] else None
        for a, b in combinations(batch.counts, 2):
            both = cells.observed[a] & cells.observed[b]
            view_a, view_b = (cells.told_by(m, seen)[both] for m, seen in ((a, 0), (b, 1)))
            pairs.append(clip_loss(view_a, view_b, temperature, None if group is None else group[both]))
        return torch.stack(pairs).mean()

    def compared(self, batch: Batch, *experts: Mapping[str, Normal]) -> Compared:
        """The cells that are each other's company; while training, those of all processes."""
        cells = Compared(batch.observed, batch.batch_index, experts)
        return cells.of_all() if self.training and self.world > 1 else cells

    def alignment_weight(self) -> float:
        """What the alignment of unpaired cells counts in this step."""
        begun = (self.global_step / self.n_steps - ALIGN_FROM) / (ALIGN_FULLY - ALIGN_FROM)
        return self.weights.align * min(max(begun, 0.0), 1.0)

    def align(self, batch: Batch, experts: Mapping[str, Normal]) -> Tensor:
        """Mean over the pairs of modalities that are apart."""
        cells = self.compared(batch, experts)
        pairs = [[cells.told_by(m)[cells.observed[m]] for m in pair] for pair in self.apart]
        return torch.stack([mean_discrepancy(a, b) for a, b in pairs]).mean()

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum; held-out cells score both kinds of ELBO, in the proportion that training mixes them."""
        share = self.config.part_share if "cross" in losses else 0.0
        for_all = CLIP_EVERY if self.training else 1
        weights = {
            "elbo": self.weights.elbo * (1 - share),
            "cross": self.weights.elbo * share,
            "clip": self.clip_weight * for_all,
            "align": self.alignment_weight(),
        }
        return torch.stack([weights[name] * value for name, value in losses.items()]).sum()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        if self.apart and self.vae.graph is not None:
            self.vae.graph.loosen(self.global_step / self.n_steps)
        if batch_idx % SHARE_EVERY == 0:
            self.vae.share()
        if self.optimiser is not None and self.trainer.is_last_batch:  # held-out cells are scored after it
            self.optimiser.settle()
        losses = self.losses(batch, keep=self.config.thinning, feature_dropout=self.config.feature_dropout)
        total = self.total(losses)
        self.check_finite(total, batch, losses)
        self.note({**losses, "total": total}, len(batch))
        return total

    def on_after_backward(self) -> None:
        if self.world > 1 and self.optimiser is not None:  # of all other weights, Lightning's strategy takes care
            mean_of_all([taken.gradient() for taken in self.optimiser.taken.values()])

    @torch.no_grad()
    def note(self, losses: Mapping[str, Tensor], n_cells: int) -> None:
        """Add to the epoch's means, logged at its end: Lightning's own take longer than the optimiser."""
        for name, value in losses.items():
            total, n = self.noted.get(name, (0.0, 0))
            self.noted[name] = total + n_cells * value.detach(), n + n_cells
        if self.trainer.is_last_batch:
            means = {f"train/{name}": total / n for name, (total, n) in self.noted.items()}
            self.log_dict(means, on_step=False, on_epoch=True, prog_bar=True, batch_size=1, sync_dist=self.world > 1)
            self.noted, self.told = {}, set(self.noted)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        if batch_idx == 0:  # the weights have changed places with their average
            self.vae.share()
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(batch_idx)
            losses = self.losses(batch, keep=1, feature_dropout=0)
        total = self.total(losses)
        self.log_dict(
            {f"val/{name}": value for name, value in {**losses, "total": total}.items()},
            on_step=False, on_epoch=True, prog_bar=True, batch_size=len(batch), sync_dist=self.world > 1,
        )  # fmt: skip

    def check_finite(self, total: Tensor, batch: Batch, losses: Mapping[str, Tensor]) -> None:
        """Every process ends where one of them has diverged.

        Raises
        ------
        TrainingDiverged
            If the loss is not finite.
        """
        diverged = not torch.isfinite(total)
        if self.world > 1 and any_of_all(diverged):
            raise TrainingDiverged(first_of_all(self.blame(batch, losses) if diverged else None))
        if diverged:
            raise TrainingDiverged(self.blame(batch, losses))

    @torch.no_grad()
    def blame(self, batch: Batch, losses: Mapping[str, Tensor]) -> str:
        """Which loss and which modality stopped being finite, and what to do."""
        terms = [name for name, value in losses.items() if not torch.isfinite(value)]
        latent = replace(self.vae.encode(batch), features=self.vae.features())
        bad = [k for k, q in latent.per_modality.items() if not torch.isfinite(q.loc[batch.observed[k]]).all()]
        if not bad:
            bad = [k for k, value in self.vae.log_likelihoods(batch, latent).items() if not torch.isfinite(value)]
        return (
            f"Training diverged in step {self.global_step}: loss {', '.join(map(repr, terms)) or 'total'} is not "
            f"finite, through modality {', '.join(map(repr, bad)) or 'unknown'}. Try a lower `train.learning_rate` "
            f"(now {self.config.learning_rate:g}), and look for extreme values in that modality."
        )

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        self.optimiser = SampledAdamW(
            self.parameters(), lr=self.config.learning_rate, weight_decay=self.config.weight_decay
        )
        # a function, which has no state of its own that a checkpoint would have to hold
        rate = torch.optim.lr_scheduler.LambdaLR(self.optimiser, lambda step: self.rate(step))  # noqa: PLW0108
        return {"optimizer": self.optimiser, "lr_scheduler": {"scheduler": rate, "interval": "step"}}

    def rate(self, step: int) -> float:
        """Share of the peak learning rate: up over the first steps, then down in a line over all that are planned."""
        left = max(1 - step / self.n_steps, 0.0)
        return min(1.0, (step + 1) / WARM_UP) * (LAST_RATE + (1 - LAST_RATE) * left)
