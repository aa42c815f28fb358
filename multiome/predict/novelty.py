"""How unlike the training cells a cell is: by what it shows that no similar training cell does.

Two things tell. *Residuals*: a cell is compared with the one of some 256 training states that lies nearest to it in the
latent space; the sum over features of squared Pearson residuals, each clipped, is set beside what it is on average in
held-out cells. A new cell type has genes that none of the old ones has, wherever its latent state comes to lie. And
the *distance* to the three nearest training states, which tells new combinations of what is known. What is usual of
either depends on depth, by which logarithms are standardised, again on held-out cells. Residuals of a modality count
by how well they tell that held-out cells were compared with another training state than the nearest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from multiome.graph.archive import BinaryFile

MIN_CELLS, MAX_CELLS = 30, 1_000
"""Held-out cells that say what is usual of a modality; with fewer, nothing is said."""
LOW, HIGH = -3.0, 6.0
"""Residuals are clipped: one gene's outburst is no cell type."""
DISPERSION = 0.2
"""Squared coefficient of variation that counts of cells alike may have, at most: more would hide what is new."""
USUAL = 0.99
"""Share of held-out cells that are not flagged."""
CAUTION = 20
"""The fewer cells say what is usual, the farther above theirs a score must be: ``1 + CAUTION / n`` times as high."""
LEAST_WEIGHT = 0.4
"""Modalities that tell less than this share of what the best one does, or less than it at all, are left out."""
KINDS = ("standards", "distances", "parts")
ARRAYS = ("square", "depth", "centre", "spread")
CLIP = 8.0
"""A standardised score counts at most so much beside those of other modalities."""


@dataclass(frozen=True, eq=False)
class Standard:
    """What is usual of one modality."""

    square: Float[np.ndarray, " feature"]
    """Mean squared residual of each feature."""
    depth: Float[np.ndarray, " two"]
    """Mean and standard deviation of the log depth."""
    centre: Float[np.ndarray, " three"]
    """Coefficients of the log ratio on the standardised log depth, highest power first."""
    spread: Float[np.ndarray, " two"]
    """Coefficients of the logarithm of its standard deviation."""
    weight: float = 1.0
    """How many standard deviations higher cells score when compared with another state than the nearest."""

    @classmethod
    def of(cls, square: np.ndarray, ratio: np.ndarray, depth: np.ndarray) -> Standard:
        """Fitted to held-out cells; a depth that does not vary explains nothing."""
        moments = np.array([depth.mean(), max(depth.std(), 1e-6)])
        x = (depth - moments[0]) / moments[1]
        varies = depth.std() > 1e-6
        centre = np.polyfit(x, ratio, 2) if varies else np.array([0, 0, ratio.mean()])
        left = np.abs(ratio - np.polyval(centre, x))
        # the mean of |e| is 0.8 standard deviations of a normal e, that of log|e| lies 0.635 below log of the latter
        spread = np.polyfit(x, np.log(left + 1e-6), 1) if varies else np.array([0, np.log(left + 1e-6).mean()])
        spread[-1] += 0.635
        return cls(square, moments, centre, spread)

    def score(self, ratio: np.ndarray, depth: np.ndarray) -> Float[np.ndarray, " cell"]:
        """In standard deviations above what is usual at that depth; depths beyond those seen count as the outermost."""
        x = np.clip((depth - self.depth[0]) / self.depth[1], -3, 3)
        return (ratio - np.polyval(self.centre, x)) / np.exp(np.polyval(self.spread, x))


def part(key: str, held: str) -> str:
    """What the residuals of a modality are called where a state is told by some modalities."""
    return f"{key} | {held}"


@dataclass(frozen=True, eq=False)
class Usual:
    """What is usual of every modality, and together."""

    standards: Mapping[str, Standard]
    """Of residuals, by modality."""
    distances: Mapping[str, Standard]
    """Of distances, by the modalities that a state is told by: their keys in order, joined by blanks."""
    correlation: float
    """Of the residual scores of two modalities of a cell."""
    threshold: float
    """The score that one of a hundred held-out cells exceeds."""
    parts: Mapping[str, Standard] = field(default_factory=dict)
    """Of residuals, by modality and by the modalities that a state is told by (`part`), where that differs from the
    ``standards``: these are of held-out cells with all that they have."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """By the modalities that a state is told by, where enough held-out cells have them."""

    def standard(self, key: str, held: str) -> Standard:
        """Of a modality's residuals where a state is told by some modalities, their keys joined by blanks."""
        return self.parts.get(part(key, held), self.standards[key])

    def join(
        self, residual: Mapping[str, Float[np.ndarray, " cell"]], distance: Float[np.ndarray, " cell"]
    ) -> Float[np.ndarray, " cell"]:
        """One score per cell; each part is NaN where a cell lacks it, and so is the score where it lacks all."""
        each = np.array([*residual.values(), distance])
        known = ~np.isnan(each)
        each = np.clip(np.nan_to_num(each), -CLIP, CLIP)
        weight = np.array([[self.standards[key].weight] for key in residual]).reshape(-1, 1) * known[:-1]
        alone, together = (weight**2).sum(0), weight.sum(0) ** 2
        spread = np.sqrt(alone + self.correlation * (together - alone))
        told = spread > 0
        total = np.where(told, (weight * each[:-1]).sum(0) / np.where(told, spread, 1), 0) + each[-1]
        n_parts = told.astype(int) + known[-1]
        return np.where(n_parts > 0, total / np.sqrt(np.maximum(n_parts, 1)), np.nan)

    def write(self, file: BinaryFile) -> None:
        """Write into an open binary file, such as a member of a larger archive."""
        parts = {
            "joint": np.array([self.correlation, self.threshold]),
            "sets": np.array(list(self.thresholds), dtype=str),
            "thresholds": np.array(list(self.thresholds.values())),
        }
        for kind in KINDS:
            held: Mapping[str, Standard] = getattr(self, kind)
            parts[kind] = np.array(list(held), dtype=str)
            parts[f"{kind} weight"] = np.array([standard.weight for standard in held.values()])
            for i, standard in enumerate(held.values()):
                parts |= {f"{kind} {i} {name}": np.asarray(getattr(standard, name), np.float64) for name in ARRAYS}
        np.savez_compressed(file, **parts)  # type: ignore[arg-type]

    @classmethod
    def read(cls, file: BinaryFile) -> Usual:
        """Read what `write` wrote."""
        with np.load(file, allow_pickle=False) as stored:
            held = [
                {
                    str(key): Standard(
                        **{name: stored[f"{kind} {i} {name}"].astype(np.float64) for name in ARRAYS},
                        weight=float(stored[f"{kind} weight"][i]),
                    )
                    for i, key in enumerate(stored.get(kind, ()))
                }
                for kind in KINDS
            ]
            correlation, threshold = map(float, stored["joint"])
            known = {}
            if "sets" in stored:  # before, sets had one threshold and no parts
                known = dict(zip(map(str, stored["sets"]), map(float, stored["thresholds"]), strict=True))
        standards, distances, parts = held
        return cls(standards, distances, correlation, threshold, parts, known)
