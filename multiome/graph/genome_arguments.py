"""Arguments of a graph from a genome: which modality is which, how far edges reach, what sign they have."""

from __future__ import annotations

import pandas as pd

from multiome.errors import InvalidGraph, check_whole
from multiome.graph.coordinates import NAME, any_strand

METHYLATION_KEYS = {"met", "meth", "methylation", "dnam", "bs"}
"""Keys (in any case) whose features silence the genes at whose promoters they lie."""
RNA_KEYS = {"rna", "gex", "gene", "genes", "gene expression"}
"""Keys (in any case) whose features are genes."""
PLACE_KEYS = METHYLATION_KEYS | {"atac", "peaks", "peak", "chromatin", "scatac"}
"""Keys (in any case) whose features are intervals of the genome, and no genes."""

MOST_BASES = 100_000_000
SWAP = 'Swap them: genes come first, as in from_genome(mdata["rna"], mdata["atac"], keys=("rna", "atac")).'


def check_bases(name: str, value: object, *, usual: str) -> int:
    """A number of base pairs, as `int`.

    Raises
    ------
    MultiomeError
        If it is no whole number of at least 0.
    InvalidGraph
        If it is more than most chromosomes have.
    """
    bases = check_whole(name, value, least=0)
    if bases > MOST_BASES:
        raise InvalidGraph(
            f"`{name}` must be at most {MOST_BASES:,} base pairs, which is longer than most chromosomes, "
            f"got {bases:,}; a usual one is {usual}."
        )
    return bases


def check_order(genes: pd.DataFrame, features: pd.DataFrame, keys: tuple[str, str]) -> None:
    """Genes come first.

    Raises
    ------
    InvalidGraph
        If the keys are those of peaks and of genes; or if the first features are named by intervals, as peaks are, and
        none is on a strand, and the second are named otherwise.
    """
    first, second = (key.lower() for key in keys)
    if (first in PLACE_KEYS and second not in PLACE_KEYS) or (second in RNA_KEYS and first not in RNA_KEYS):
        raise InvalidGraph(f"`keys` are {keys!r}, so peaks or sites come first and genes second. {SWAP}")
    intervals, others = (table.index.str.match(NAME.pattern) for table in (genes, features))
    if intervals.mean() > 0.5 > others.mean() and not any_strand(genes):
        raise InvalidGraph(
            f"The first features, of {keys[0]!r}, are named as peaks are ({genes.index[intervals][0]!r}), the second, "
            f"of {keys[1]!r}, as genes are ({features.index[~others][0]!r}). {SWAP}"
        )


def place_signs(signs: tuple[int, int] | None, key: str) -> tuple[int, int]:
    """Signs at promoters and in gene bodies; by default those of the kind of features.

    Raises
    ------
    InvalidGraph
        If they are not two of -1, 0 and 1, or both are 0.
    """
    if signs is None:
        return (-1, 0) if key.lower() in METHYLATION_KEYS else (1, 1)
    pair = tuple(signs) if isinstance(signs, tuple | list) else ()
    if len(pair) != 2 or not all(sign in (-1, 0, 1) for sign in pair) or not any(pair):
        raise InvalidGraph(f"`signs` must be two of -1, 0 and 1 (promoter, body), not both 0, got {signs!r}.")
    return int(pair[0]), int(pair[1])
