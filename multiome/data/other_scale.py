"""Values as a fitted model counts them, and a word where they look like those of another scale."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse as sp

from multiome.data.raw import halve
from multiome.data.spec import ModalitySpec
from multiome.errors import MultiomeWarning
from multiome.modalities.atac import looks_like_cut_sites

MIN_TO_TELL = 200
"""So few counts of 1 to 4 do not tell fragments from cut sites, nor so few values counts from others."""
FAR = 3.0
"""Values so many times as large as the largest of training are not on its scale."""


def as_fitted(key: str, values: sp.csr_matrix, spec: ModalitySpec) -> sp.csr_matrix:
    """Counts on the scale of the model: cut sites halved if training had those. Says so where they look different."""
    mention_other_counts(key, values.data, spec)
    mention_other_values(key, values.data, spec)
    return halve(values) if spec.halved else values


def mention_other_counts(key: str, values: np.ndarray, spec: ModalitySpec) -> None:
    """Say so where counts look like cut sites and training had fragments, or the reverse."""
    if spec.modality.name == "atac" and spec.likelihood == "Poisson":
        small = values[(values >= 1) & (values <= 4)]
        if len(small) >= MIN_TO_TELL and looks_like_cut_sites(small) != spec.halved:
            ours, theirs = ("cut sites", "fragments") if spec.halved else ("fragments", "cut sites")
            warnings.warn(
                f"{key!r}: the model was fitted on counts of {ours}, but these look like {theirs} (even counts are "
                f"{'rare' if spec.halved else 'the rule'}), so they are read as "
                f"{'half' if spec.halved else 'twice'} of what was measured. Count them as for training.",
                MultiomeWarning,
                stacklevel=7,
            )


def size_of(values: np.ndarray) -> tuple[float, bool]:
    """What a spec notes of values that are no counts: the largest absolute one, and whether all are whole numbers."""
    return float(np.abs(values).max(initial=0.0)), bool((values == np.round(values)).all())


def mention_other_values(key: str, values: np.ndarray, spec: ModalitySpec) -> None:
    """Say so where values that are no counts lie elsewhere than those of training, as counts beside logarithms do."""
    if spec.modality.is_count or spec.largest is None or np.count_nonzero(values) < MIN_TO_TELL:
        return
    largest, is_whole = size_of(values)
    counts_instead = is_whole and not spec.is_whole
    if counts_instead or largest > FAR * spec.largest:
        warnings.warn(
            f"{key!r}: the model was fitted on values up to {spec.largest:.3g}, but these go up to "
            f"{largest:.3g}{' and are whole numbers, as counts are' if counts_instead else ''}. Transform them "
            "as those of training were; what is predicted from others means nothing.",
            MultiomeWarning,
            stacklevel=7,
        )
