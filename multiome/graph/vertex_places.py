"""Where the vertices of a graph lie: one row per vertex, also for those whose place is not known."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from multiome.errors import MultiomeWarning
from multiome.graph.checks import PLACE_DTYPES
from multiome.graph.coordinates import plain_chromosomes
from multiome.graph.findings import share
from multiome.graph.parts import Parts

MANY_APART = 0.5
"""Share of the features that lie elsewhere in another graph beyond which the two hardly belong together."""
NOWHERE = {"chrom": "", "start": -1, "end": -1, "strand": "."}
"""The place of a vertex that has none."""


def nowhere(n: int) -> dict[str, np.ndarray]:
    """Columns of ``n`` places that are not known."""
    return {name: np.full(n, NOWHERE[name], dtype=dtype) for name, dtype in PLACE_DTYPES.items()}


def place_vertices(genes: pd.DataFrame, features: pd.DataFrame, *, n_genes: int, n_features: int) -> pd.DataFrame:
    """Places of genes, and then of features, from those that are known.

    Parameters
    ----------
    genes, features
        Places as in `coordinates`, their rows numbered as the genes and the features are.
    n_genes, n_features
        How many there are, also without a place.

    Returns
    -------
    One row per gene and then per feature. Chromosomes are spelt as the features spell them.
    """
    known = pd.concat([features.set_axis(features.index + n_genes), genes])
    spelling = known.drop_duplicates("chrom").set_index("chrom")["written"]
    known["chrom"] = known["chrom"].map(spelling)
    places = nowhere(n_genes + n_features)
    for name, column in places.items():
        column[known.index] = known[name]
    return pd.DataFrame(places)


def places_by_modality(vertices: pd.MultiIndex, places: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
    """Of each modality the features that have a place, as tables indexed by name; empty without places."""
    if places is None:
        return {}
    known = (places["chrom"] != "").to_numpy()
    key, name = (vertices.get_level_values(level) for level in ("modality", "feature"))
    table = places.set_axis(name.rename(None), axis=0)
    return {one: table[known & (key == one)] for one in key[known].unique()}


def join_places(
    graphs: Sequence[Parts], positions: Sequence[np.ndarray], n_vertices: int
) -> tuple[pd.DataFrame | None, tuple[str, ...]]:
    """Places of united vertices, and a sentence if graphs contradict each other; the first graph that knows is right.

    Parameters
    ----------
    graphs
        What is united.
    positions
        Of each graph's vertices among the united ones.
    n_vertices
        How many those are.

    Returns
    -------
    Places, None where no graph has any, and sentences for the report.
    """
    if all(graph.places is None for graph in graphs):
        return None, ()
    united, spelling = pd.DataFrame(nowhere(n_vertices)), pd.Series({"": ""})
    n_both = n_apart = 0
    for graph, position in zip(graphs, positions, strict=True):
        if graph.places is None:
            continue
        written = graph.places["chrom"]
        new = graph.places.assign(chrom=plain_chromosomes(written))
        spelling = pd.concat([spelling, written.set_axis(new["chrom"])])
        spelling = spelling[~spelling.index.duplicated()]
        old = united.iloc[position].reset_index(drop=True)
        both = (old["chrom"] != "") & (new["chrom"] != "")
        same = (old[["chrom", "start", "end"]] == new[["chrom", "start", "end"]]).all(axis=1)
        opposite = (old["strand"] != new["strand"]) & (old["strand"] != ".") & (new["strand"] != ".")
        n_both, n_apart = n_both + int(both.sum()), n_apart + int((both & (~same | opposite)).sum())
        taken = ((old["chrom"] == "") | (same & (old["strand"] == "."))).to_numpy()
        united.iloc[position[taken]] = new[taken]
    united["chrom"] = united["chrom"].map(spelling)  # one spelling for all graphs: the first one's
    if not n_apart:
        return united, ()
    told = (
        f"{share(n_apart, n_both)} features whose place several graphs know lie elsewhere in a later one; the first "
        "was kept. They may be of different assemblies or annotations."
    )
    if n_apart > MANY_APART * n_both:
        warnings.warn(told, MultiomeWarning, stacklevel=4)  # of `one | other`
    return united, (told,)
