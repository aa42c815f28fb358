"""The four assays of the simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from multiome.datasets.assay import Assay, CellByFeature, Cells, Draw
from multiome.datasets.noise import at_least_one, expectation, negative_binomial, scattered_poisson


@dataclass(frozen=True, eq=False, kw_only=True)
class Fragments(Assay):
    """ATAC: Poisson fragment counts."""

    def rates(self, cells: Cells) -> CellByFeature:
        """Give the share of each peak in the fragments of a cell."""
        return _softmax(self.linear(cells))

    def expected(self, cells: Cells) -> CellByFeature:
        """Give expected fragment counts."""
        return cells.size[self.name][:, None] * self.rates(cells)

    def probability(self, cells: Cells) -> CellByFeature:
        """Give the probability of at least one fragment."""
        return -np.expm1(-self.expected(cells))

    @property
    def scales(self) -> dict[str, Callable[[Cells], CellByFeature]]:
        """Name what can be expected of this assay."""
        return {"counts": self.expected, "rate": self.rates, "probability": self.probability}

    def draw(self, cells: Cells, rng: np.random.Generator) -> Draw:
        """Spread a Poisson number of fragments over the peaks."""
        return Draw(scattered_poisson(cells.size[self.name], self.rates(cells), rng))


@dataclass(frozen=True, eq=False, kw_only=True)
class Transcripts(Assay):
    """RNA: negative binomial, and dropout that takes the more, the fewer molecules there are."""

    dispersion: Float[np.ndarray, " feature"]
    dropout: float | int

    def rates(self, cells: Cells) -> CellByFeature:
        """Give the share of each gene in the molecules of a cell."""
        return _softmax(self.linear(cells))

    def expected(self, cells: Cells) -> CellByFeature:
        """Give expected counts, dropout included."""
        mu = cells.size[self.name][:, None] * self.rates(cells)
        return mu * (1 - self._lost(mu))

    def log_cp10k(self, cells: Cells) -> CellByFeature:
        """Expect log1p of counts per 10,000, taking the counts of the other genes at their expected sum."""
        mu, mean = cells.size[self.name][:, None] * self.rates(cells), self.expected(cells)
        others = (mean.sum(1, keepdims=True) - mean).ravel()
        return (1 - self._lost(mu)) * expectation(
            lambda k, entry: np.log1p(1e4 * k / (k + others[entry])), mu, self.dispersion
        )

    @property
    def scales(self) -> dict[str, Callable[[Cells], CellByFeature]]:
        """Name what can be expected of this assay."""
        return {"counts": self.expected, "rate": self.rates, "log_cp10k": self.log_cp10k}

    def draw(self, cells: Cells, rng: np.random.Generator) -> Draw:
        """Draw molecules, then lose some."""
        mu = cells.size[self.name][:, None] * self.rates(cells)
        kept = rng.random(mu.shape) >= self._lost(mu)
        return Draw(at_least_one(negative_binomial(mu, self.dispersion, rng) * kept, mu, rng))

    def _lost(self, mu: CellByFeature) -> CellByFeature:
        return self.dropout * np.exp(-mu)


@dataclass(frozen=True, eq=False, kw_only=True)
class Antibodies(Assay):
    """Protein: background everywhere (its level may differ by batch), foreground in the cells that carry the protein.

    ``base`` is the log ambient level, ``shift`` moves it; a cell is positive with a probability that rises with the
    lagged standardised log rate of the gene, and its level then saturates.
    """

    fold: Float[np.ndarray, " feature"]
    threshold: Float[np.ndarray, " feature"]
    dispersion: Float[np.ndarray, " feature"]
    steepness: float = 6.0

    def foreground(self, cells: Cells) -> CellByFeature:
        """Give the probability that the cell carries the protein."""
        return 1 / (1 + np.exp(-self.steepness * (cells.lagged @ self.effect - self.threshold)))

    def rates(self, cells: Cells) -> CellByFeature:
        """Give the expected share of each protein in the counts of a cell."""
        levels = self._levels(cells)
        mean = levels[0] + self.foreground(cells) * levels[1]
        return mean / mean.sum(1, keepdims=True)

    def expected(self, cells: Cells) -> CellByFeature:
        """Give expected counts, averaged over carrying the protein or not."""
        background, foreground = self._levels(cells)
        return cells.size[self.name][:, None] * (background + self.foreground(cells) * foreground)

    def clr(self, cells: Cells) -> CellByFeature:
        """Expect log1p minus the cell's mean of log1p."""
        background, foreground = self._levels(cells)
        size, positive = cells.size[self.name][:, None], self.foreground(cells)
        without, within = (
            expectation(lambda k, entry: np.full(len(entry), np.log1p(k)), size * level, self.dispersion)
            for level in (background, background + foreground)
        )
        value = without + positive * (within - without)
        return value - value.mean(1, keepdims=True)

    @property
    def scales(self) -> dict[str, Callable[[Cells], CellByFeature]]:
        """Name what can be expected of this assay."""
        return {"counts": self.expected, "rate": self.rates, "clr": self.clr, "foreground": self.foreground}

    def draw(self, cells: Cells, rng: np.random.Generator) -> Draw:
        """Draw who carries the protein, then counts."""
        background, foreground = self._levels(cells)
        member = rng.random(background.shape) < self.foreground(cells)
        mu = cells.size[self.name][:, None] * (background + member * foreground)
        return Draw(at_least_one(negative_binomial(mu, self.dispersion, rng), mu, rng), foreground=member)

    def _levels(self, cells: Cells) -> tuple[CellByFeature, CellByFeature]:
        ambient = np.exp(self.base)
        above = np.tanh(cells.lagged @ self.effect - self.threshold)
        return np.exp(self.base + self.shift[cells.batch]), ambient * self.fold * np.exp(0.5 * above)


@dataclass(frozen=True, eq=False, kw_only=True)
class Bisulfite(Assay):
    """Methylation: few sites are covered (Poisson), and their calls are beta-binomial."""

    share: Float[np.ndarray, " feature"]
    """Of the reads, per site."""
    concentration: float = 10.0

    def rates(self, cells: Cells) -> CellByFeature:
        """Give methylated fractions."""
        return 1 / (1 + np.exp(-self.linear(cells)))

    def expected(self, cells: Cells) -> CellByFeature:
        """Give expected methylated calls at the expected coverage."""
        return cells.size[self.name][:, None] * self.share * self.rates(cells)

    @property
    def scales(self) -> dict[str, Callable[[Cells], CellByFeature]]:
        """Name what can be expected of this assay."""
        return {"counts": self.expected, "fraction": self.rates}

    def draw(self, cells: Cells, rng: np.random.Generator) -> Draw:
        """Draw coverage, then methylated calls among it."""
        coverage = scattered_poisson(
            cells.size[self.name], np.broadcast_to(self.share, (len(cells), len(self.share))), rng
        )
        fraction = self.rates(cells)[coverage.nonzero()]
        chance = rng.beta(fraction * self.concentration, (1 - fraction) * self.concentration)
        calls = coverage.copy()
        calls.data = rng.binomial(coverage.data.astype(np.int64), chance).astype(np.float32)
        calls.eliminate_zeros()
        return Draw(calls, coverage=coverage)


def _softmax(x: CellByFeature) -> CellByFeature:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)
