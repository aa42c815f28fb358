"""How deep cells are: their totals over the features that training counted, scaled up for those that are missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp
from jaxtyping import Float

from multiome.data.panels import Panels
from multiome.data.spec import ModalitySpec


def depth_of(values: sp.csr_matrix, names: pd.Index, spec: ModalitySpec, panels: Panels | None = None) -> np.ndarray:
    """Total over the features that training counted, scaled up for those that are missing, in each cell's own panel."""
    if not spec.has_depth:
        return np.ones(values.shape[0], dtype=np.float32)
    weight, share = counted(names, spec)
    return scaled_up(values @ weight, share, panels)


def counted(names: pd.Index, spec: ModalitySpec) -> tuple[Float[np.ndarray, " stored"], Float[np.ndarray, " stored"]]:
    """1 for each of the data's features that training counted, and its share of the depth there."""
    weight, share = np.zeros(len(names), dtype=np.float32), np.zeros(len(names))
    if spec.has_depth:
        place = names.get_indexer(list(spec.features + spec.other_features))
        weight[place[place >= 0]] = 1
        share[place[place >= 0]] = np.asarray(spec.share)[place >= 0]
    return weight, share


def scaled_up(
    total: Float[np.ndarray, " cell"], share: Float[np.ndarray, " stored"], panels: Panels | None
) -> Float[np.ndarray, " cell"]:
    """Totals over the features that are there as if over all that training counted, in each cell's own panel."""
    there = share.sum() if panels is None else panels.worth(share)
    return (total / np.maximum(there, 1e-6)).astype(np.float32)
