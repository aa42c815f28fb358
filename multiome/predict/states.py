"""What every prediction needs: latent states, depth and experimental batch of a block of cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.distributions import Normal

from multiome.data.cells import Cells
from multiome.data.covariates import UNSEEN
from multiome.data.dataset import CellDataset
from multiome.predict.arguments import Depth
from multiome.predict.block import Block, Borrowed, Told, as_column
from multiome.predict.elsewhere import elsewhere
from multiome.predict.embed import block_size, blocks, parts, posterior
from multiome.predict.fitted import Fitted
from multiome.predict.scale import WHOLE_CELL
from multiome.types import Batch

NOVELTY = ("novelty", "unlike_training")
"""Columns that say how unlike the training cells a cell is; those that data bring are of another model."""


@dataclass(frozen=True)
class Query:
    """Cells whose ``target`` is to be predicted from the other modalities."""

    fitted: Fitted
    target: str
    view: Cells
    cells: CellDataset
    depth: Depth
    """``"predicted"``, ``"reference"``, or a total count per cell."""
    features: pd.Index
    predicted_in: np.ndarray
    """The experimental batches in which the target is predicted (cells x covariates), maybe not the cells' own."""
    nothing: np.ndarray
    """Cells without any source."""
    unlike: pd.DataFrame = field(default_factory=pd.DataFrame)
    """How unlike the training cells each cell is, as columns of ``.obs``; none where nothing is known."""
    measured_in: np.ndarray | None = None
    """Where the target's own values are among what is known: the experimental batch in which they were measured."""

    @property
    def obs(self) -> pd.DataFrame:
        """The cells' annotation, and how unlike the training cells they are: what this model says, or nothing."""
        columns = {name: values.to_numpy() for name, values in self.unlike.items()}
        annotation = self.view.obs.drop(columns=list(NOVELTY), errors="ignore")
        return annotation.loc[self.view.obs_names].assign(**columns)

    @property
    def var(self) -> pd.DataFrame:
        """What is known of how well the wanted features can be predicted, by their names."""
        table = self.fitted.reliability
        known = None if table is None or self.measured_in is not None else table[table["modality"] == self.target]
        if known is None or known.empty:
            return pd.DataFrame(index=self.features)
        return known.drop(columns="modality").set_index("feature").loc[self.features].rename_axis(None)

    @property
    def total(self) -> np.ndarray | None:
        """The total count of each cell that was asked for; None where it is predicted, or the cell's own."""
        spec = self.fitted.spec.modalities[self.target]
        if not spec.has_depth or (isinstance(self.depth, str) and self.depth != "reference"):
            return None
        return np.full(len(self.cells), spec.median_depth if isinstance(self.depth, str) else self.depth)

    def of_each(self) -> tuple[Query, ...]:
        """The same question to each of the models whose predictions are averaged."""
        return (self, *(replace(self, fitted=other) for other in self.fitted.others))

    def only(self, features: pd.Index) -> Query:
        """The same of some of the features."""
        return replace(self, features=features)

    @cached_property
    def feature_index(self) -> Tensor | None:
        """The wanted features in the model's order, None if they are all of them."""
        every = pd.Index(self.fitted.spec.modalities[self.target].features)
        if self.features.equals(every):
            return None
        return torch.from_numpy(every.get_indexer(self.features).astype(np.int64)).to(self.fitted.device)

    def features_of(self, part: slice) -> Tensor | None:
        """Some of the wanted features in the model's order, None if they are all of them."""
        if part == slice(None):
            return self.feature_index
        if self.feature_index is not None:
            return self.feature_index[part]
        return torch.arange(len(self.features), device=self.fitted.device)[part]

    @property
    def block_size(self) -> int:
        """Cells that are predicted at a time: fewer where there are many features, unless on a GPU."""
        return block_size(len(self.features) if self.fitted.device.type == "cpu" else 1)

    def blocks(self, size: int | None = None) -> Iterator[Block]:
        """Everything known of the cells, so many at a time; by default, as many as are predicted."""
        for index in blocks(self.cells, self.block_size if size is None else size):
            batch = self.cells.take(index).to(self.fitted.device)
            q = posterior(self.fitted, self.cells, batch)
            predicted_in = torch.from_numpy(self.predicted_in[index]).to(batch.index.device)
            yield self.block(index, replace(batch, batch_index=predicted_in), q)

    def block(self, index: np.ndarray, batch: Batch, q: Normal) -> Block:
        """Some cells, whose target is predicted in the experimental batches that ``batch`` says."""
        loc, scale = self.log_depth(index, q, batch.batch_index.cpu().numpy())
        centre = self.fitted.shrinkage.centre(self.fitted.vae, batch.batch_index, self.target)
        return Block(index, batch, q, as_column(loc), as_column(scale), centre, self.borrowed(batch))

    def in_some_batch(self, block: Block) -> Block:
        """Cells of no batch that training had in one of those that it had, at random; all others as they are."""
        index = block.batch.batch_index
        if not (index == UNSEEN).any():
            return block
        drawn = index.clone()
        noted = self.fitted.spec.modalities[self.target].cells_per_level
        for i, covariate in enumerate(self.fitted.spec.covariates):
            share = torch.tensor(noted[i] if noted else covariate.n_cells, dtype=torch.float32)
            levels = torch.multinomial(share, len(index), replacement=True).to(index.device)
            drawn[:, i] = torch.where(index[:, i] == UNSEEN, levels, index[:, i])
        return self.block(block.index, replace(block.batch, batch_index=drawn), block.q)

    def decode(self, block: Block, z: Tensor, noise: Tensor | float, scale: str) -> tuple[Any, Tensor]:
        """The distribution of the target at given states, and each cell's total count (cell x 1).

        It covers the wanted features, or all of them where the scale relates a feature to all others (CLR).
        """
        ((_, p, total),) = self.decoded(block, self.at(block, z), noise, scale, [slice(None)])
        return p, total

    def decode_parts(
        self, block: Block, told: Told, noise: Tensor | float, scale: str
    ) -> Iterator[tuple[slice, Any, Tensor]]:
        """The same, some of the wanted features after the other: which these are, and what `decode` says of them.

        All at once where that is no slower.
        """
        each = parts(len(block.index), len(self.features))
        if len(each) == 1 or scale in WHOLE_CELL or block.borrowed or self.fitted.device.type != "cpu":
            each = [slice(None)]
        return self.decoded(block, told, noise, scale, each)

    def decoded(
        self, block: Block, told: Told, noise: Tensor | float, scale: str, each: Sequence[slice]
    ) -> Iterator[tuple[slice, Any, Tensor]]:
        """Each part of the wanted features, and what is said of it."""
        vae, spec = self.fitted.vae, self.fitted.spec.modalities[self.target]
        channel, depth = vae.channel(self.target), block.exposure(noise)
        total, own = depth * spec.median_depth, None
        if told.measured is not None:
            wanted = None if scale in WHOLE_CELL else self.feature_index
            own = told.measured, self.recorded(block, wanted), vae.exposure(block.batch, self.target, wanted)
        for part in each:
            features = None if scale in WHOLE_CELL else self.features_of(part)
            # every site covered once: fractions do not depend on it
            exposure = depth if spec.coverage_layer is None else depth.expand(-1, len(self.features[part]))
            p = told.decoded(channel, exposure, features)
            if own is not None:
                before, recorded, seen = own
                measured = before.decoded(channel, seen if seen.shape[1] == 1 else seen[:, part], features)
                p = channel.likelihood.given(measured, recorded[:, part], wanted=p)
            yield part, p, total

    def at(self, block: Block, z: Tensor) -> Told:
        """What the trunk says of the cells at given states, of which any of the features can be decoded."""
        told = self.told(block.batch, z, block.centre, borrowed=block.borrowed)
        if self.measured_in is None:
            return told
        index = torch.from_numpy(self.measured_in[block.index]).to(block.batch.index.device)
        there = replace(block.batch, batch_index=index)
        centre = self.fitted.shrinkage.centre(self.fitted.vae, index, self.target)
        return replace(told, measured=self.told(there, z, centre, borrowed=self.borrowed(there)))

    def calibrated(self, p: Any, scale: str) -> Any:
        """What `decode` gave, as dispersed as held-out cells were: what measurements are drawn from.

        Expectations are not taken of it. That of a logarithm depends on the dispersion, and on the likelihood's form
        far from where it was fitted.
        """
        precision = self.precision
        if precision is None or self.measured_in is not None:
            return p
        features = None if scale in WHOLE_CELL else self.feature_index
        factor = precision if features is None else precision[features]
        return self.fitted.vae.channel(self.target).likelihood.dispersed(p, factor)

    @cached_property
    def precision(self) -> Tensor | None:
        """By what the inverse dispersion of each feature of the model is multiplied; None where nothing is known."""
        precision = self.fitted.calibration.precisions.get(self.target)
        if precision is None:
            return None
        return torch.from_numpy(precision.of(self.fitted.spec.modalities[self.target].features)).to(self.fitted.device)

    def borrowed(self, batch: Batch) -> list[Borrowed]:
        """For features that cells' own batches were not measured in: the cells in another batch, and its centre."""
        spec, vae = self.fitted.spec, self.fitted.vae
        return [
            Borrowed(those, replace(batch, batch_index=index), self.fitted.shrinkage.centre(vae, index, self.target))
            for those, index in elsewhere(spec.modalities[self.target], batch.batch_index)
        ]

    def told(self, batch: Batch, z: Tensor, centre: Tensor | None, *, borrowed: Sequence[Borrowed]) -> Told:
        """What the trunk says of cells at given states, before their own values of the target are known."""

        def h(batch: Batch, centre: Tensor | None) -> Tensor:
            return self.fitted.shrinkage.apply(self.fitted.vae.hidden(z, batch), centre, self.target)

        return Told(h(batch, centre), [(other.features, h(other.batch, other.centre)) for other in borrowed])

    def recorded(self, block: Block, features: Tensor | None) -> Tensor:
        """The target's own values (cell x feature); NaN in features that the data, or the cell's panel, lack."""
        values = block.batch.counts[self.target].dense(features)
        found = torch.from_numpy(self.cells.matrices[self.target].found).to(values.device)
        values = values.masked_fill(~(found if features is None else found[features]), torch.nan)
        known = block.batch.known(self.target, features)
        return values if known is None else values.masked_fill(~known, torch.nan)

    def shown(self, values: Tensor, scale: str) -> Tensor:
        """The wanted features of what `decode` covered."""
        features = self.feature_index if scale in WHOLE_CELL else None
        return (values if features is None else values[:, features]).cpu()

    def log_depth(self, index: np.ndarray, q: Normal, predicted_in: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log exposure of the target and its standard deviation: predicted, the training median, or as given."""
        spec = self.fitted.spec.modalities[self.target]
        nothing = np.zeros(len(index))
        if isinstance(self.depth, np.ndarray):
            return np.log(self.depth[index] / spec.median_depth), nothing
        if not spec.has_depth or self.depth == "reference":
            return nothing, nothing
        if self.depth == "own":
            return np.log(self.cells.exposure[self.target][self.cells.rows[self.target][index]]), nothing
        sources = {}
        for key in self.cells.matrices:
            rows = self.cells.rows[key][index]
            there = rows >= 0
            sources[key] = np.full(len(rows), np.nan)
            sources[key][there] = np.log(self.cells.exposure[key][rows[there]])
        state = q.loc.cpu().double().numpy()
        own = self.cells.batch_index[index]
        return self.fitted.depth.predict(self.target, sources, own, state, predicted_in=predicted_in)
