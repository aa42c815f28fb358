"""What is true of simulated cells, and the best predictions that this truth allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import anndata as ad
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from multiome.datasets.assay import Assay, Cells
from multiome.errors import MultiomeError, UnknownName, unknown

Selection: TypeAlias = Sequence[str] | Sequence[int] | Sequence[bool] | np.ndarray | pd.Index | pd.Series


@dataclass(frozen=True, eq=False, kw_only=True)
class Truth:
    """Everything about all simulated cells, also in the modalities that `Simulation.mdata` withholds."""

    obs: pd.DataFrame
    """``cell_type``, ``pseudotime`` (NaN off the trajectory) and ``batch`` of every cell."""
    measured: pd.DataFrame
    """Cells x modalities: which of them `Simulation.mdata` contains."""
    z: Float[np.ndarray, "cell latent"]
    tf_activity: pd.DataFrame
    """Cells x TFs, standardised."""
    size: pd.DataFrame
    """Cells x modalities: expected total count (methylation: coverage; protein: capture, which scales the total)."""
    foreground: Bool[np.ndarray, "cell protein"] | None
    """Which cells carry which protein; None without protein."""
    edges: pd.DataFrame
    """Every regulatory edge: source_modality, source, target_modality, target, sign, weight (absolute), distance."""
    decoys: pd.DataFrame
    """Peaks within 100 kb of a gene that do nothing to it; same columns, weight 0."""
    counts: Mapping[str, ad.AnnData]
    """The observed counts of all cells in every modality."""
    assays: Mapping[str, Assay]
    """The observation model with its parameters."""
    cells: Cells
    """What the assays see of the cells."""

    def withheld(self, modality: str) -> pd.Index:
        """Names of the cells that lack the modality in `Simulation.mdata`."""
        self._assay(modality)
        return self.obs.index[~self.measured[modality]]

    def rates(self, modality: str, cells: Selection | None = None, *, batch_free: bool = False) -> pd.DataFrame:
        """Give depth-free rates: shares of a cell's counts that sum to 1, or methylated fractions.

        Parameters
        ----------
        modality
            Key of the modality.
        cells
            Names, positions or a boolean mask; all cells by default.
        batch_free
            Without the feature-wise batch effects.
        """
        assay = self._assay(modality)
        rows = self._rows(cells)
        return self._frame(modality, rows, (assay.without_batch() if batch_free else assay).rates(self.cells[rows]))

    def expected(self, modality: str, cells: Selection | None = None, *, scale: str = "counts") -> pd.DataFrame:
        """Make the best prediction that z, batch and depth of a cell allow, also where it was not measured.

        Its score bounds what any model can reach, up to luck: it knows all but the noise of the observation.

        Parameters
        ----------
        modality
            Key of the modality.
        cells
            Names, positions or a boolean mask; all cells by default.
        scale
            ``"counts"`` at the cell's true depth; ``"rate"``: shares that sum to 1; ``"log_cp10k"`` (RNA) and ``"clr"``
            (protein): expectation of the transformed counts; ``"probability"`` (ATAC) that a fragment is seen;
            ``"fraction"`` (methylation); ``"foreground"`` (protein): probability to carry it.
        """
        assay, rows = self._assay(modality), self._rows(cells)
        if scale not in assay.scales:
            raise unknown("scale", scale, list(assay.scales), where=f" of {modality!r}")
        return self._frame(modality, rows, assay.scales[scale](self.cells[rows]))

    def draw(self, modality: str, cells: Selection | None = None, *, seed: int = 0) -> ad.AnnData:
        """Observe the cells once more: new counts, same truth; which cells carry a protein is drawn anew, too."""
        assay, rows = self._assay(modality), self._rows(cells)
        draw = assay.draw(self.cells[rows], np.random.default_rng(seed))
        layers = {} if draw.coverage is None else {"coverage": draw.coverage}
        return ad.AnnData(draw.x, obs=self.obs.iloc[rows].copy(), var=self.counts[modality].var.copy(), layers=layers)

    def _assay(self, modality: str) -> Assay:
        if modality not in self.assays:
            raise unknown("modality", modality, list(self.assays))
        return self.assays[modality]

    def _rows(self, cells: Selection | None) -> np.ndarray:
        if cells is None:
            return np.arange(len(self.obs))
        chosen = np.asarray(cells)
        if chosen.dtype == bool and chosen.shape != (len(self.obs),):
            raise MultiomeError(f"`cells` as a mask must have shape ({len(self.obs)},), got {chosen.shape}.")
        if chosen.dtype == bool or np.issubdtype(chosen.dtype, np.integer):
            return np.arange(len(self.obs))[chosen]
        rows = self.obs.index.get_indexer(chosen)
        if (rows < 0).any():
            raise UnknownName(
                f"`cells`: {(rows < 0).sum()} of {len(rows)} names were not simulated "
                f"(first: {chosen[rows < 0][:3].tolist()})."
            )
        return rows

    def _frame(self, modality: str, rows: np.ndarray, value: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(value, index=self.obs.index[rows], columns=self.counts[modality].var_names)
