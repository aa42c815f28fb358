"""Which edges of a guidance graph the data bear out, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float
from sklearn.isotonic import IsotonicRegression

from multiome.data.cells import FEW_SHARED
from multiome.errors import MultiomeError, check_whole, listed
from multiome.graph.decoys import ENOUGH_DECOYS, MIN_DECOYS
from multiome.graph.vertex_places import places_by_modality
from multiome.predict.consistency import LEVEL, doubt
from multiome.predict.edge_effects import RESPONDS
from multiome.predict.fitted import Fitted
from multiome.predict.links import Links
from multiome.predict.multiple_tests import bh


def find_links(fitted: Fitted, *, source: str, target: str, window: int | None) -> Links:
    """`Multiome.links` says what the arguments mean."""
    graph, evidence = fitted.knowledge()
    ends = fitted.spec.key(source), fitted.spec.key(target)
    edges, effect = evidence.edges, evidence.effect
    found = edges.between(*ends) if ends[0] != ends[1] else None
    if found is None or not len(found.edge):
        pairs = listed(f"{a} and {b}" for a, b in edges.pairs())
        raise MultiomeError(f"The guidance graph has no edge between {ends[0]!r} and {ends[1]!r}; it joins {pairs}.")
    decoy = edges.is_decoy[found.edge]
    score = effect[found.edge].astype(float)
    weight = np.abs(edges.weight[found.edge]).astype(float)
    p = p_values(score[~decoy], score[decoy])
    if window is not None:  # near peaks have large weights, whose scores are larger even where the edge is false
        scaled = score / spread(weight, score[decoy], weight[decoy])
        p = np.maximum(p, p_values(scaled[~decoy], scaled[decoy]))
    known = graph.edges.iloc[edges.row[found.edge[~decoy]]]
    names = (np.asarray(fitted.spec.modalities[key].features, dtype=object) for key in ends)
    table = pd.DataFrame(
        {
            **{end: name[of[~decoy]] for end, name, of in zip(("source", "target"), names, found[1:], strict=True)},
            "score": score[~decoy],
            "p": p,
            "distance": known["distance"].to_numpy(float),
            "weight": known["weight"].to_numpy(float),
            "sign": known["sign"].to_numpy(int),
        }
    )
    notes = [f"p: against {decoy.sum():,} decoys, false edges that the model was trained with"]
    if decoy.sum() < MIN_DECOYS:
        notes = [f"no p: {decoy.sum():,} decoys are too few to compare with (`train.decoys` of `fit` is their share)"]
    notes += doubts(fitted, ends)
    features = {end: pd.Index(fitted.spec.modalities[end].features) for end in ends}
    if window is not None:
        reach = check_window(window, table["distance"], ends)
        n_unknown = int(table["distance"].isna().sum())
        table = table[table["distance"] <= reach].reset_index(drop=True)
        notes.append(f"of the graph's edges, those of at most {reach:,} base pairs")
        if n_unknown:
            notes.append(f"{n_unknown:,} edges of unknown distance are left out")
    table.insert(4, "q", bh(table["p"].to_numpy()))
    places = places_by_modality(graph.vertices, graph.places)
    genes = [fitted.spec.modalities[key].kind == RESPONDS for key in ends]
    gene_end: Literal["source", "target"] | None = "source" if genes[0] else "target" if genes[1] else None
    return Links(table, *ends, places=places, notes=tuple(notes), features=features, gene_end=gene_end)


def doubts(fitted: Fitted, ends: tuple[str, str]) -> list[str]:
    """A note where the cells do not bear out the graph: how they were matched, or paired, or the graph may be wrong."""
    table = fitted.knowledge()[1].consistency
    row = table[table["modality"].isin(ends) & table["other"].isin(ends)].iloc[0]
    n_smaller = min(fitted.spec.modalities[key].n_cells for key in ends)
    if row["both"] <= FEW_SHARED * n_smaller:
        reason = doubt(row)
        return [f"do not trust these: hardly a cell has both modalities, and {reason}"] if reason else []
    if row["p"] > LEVEL and row["decoys"] < ENOUGH_DECOYS:
        return [
            f"it cannot be told whether the cells bear out the guidance graph: {row['edges']:,} edges agree with the "
            f"counts no better than {row['decoys']:,} decoys by enough to show it (score {row['score']:.3f}, "
            f"p = {row['p']:.2g})"
        ]
    if row["p"] > LEVEL:
        return [
            f"the cells do not bear out the guidance graph: its edges agree with the counts hardly better than false "
            f"ones (score {row['score']:.3f}, p = {row['p']:.2g}). Are the cells of both modalities paired by the "
            "right names, is the graph of their genome, and are there enough cells?"
        ]
    return []


def check_window(window: object, distance: pd.Series, ends: Sequence[str]) -> int:
    """Base pairs that edges of the graph may span.

    Raises
    ------
    MultiomeError
        If it is no whole number, the graph has no distances, or none so short.
    """
    reach = check_whole("window", window, least=0)
    if distance.isna().all():
        raise MultiomeError(
            f"The guidance graph knows no distances between {ends[0]!r} and {ends[1]!r}; leave `window` out."
        )
    if distance.min() > reach:
        raise MultiomeError(
            f"No edge between {ends[0]!r} and {ends[1]!r} spans at most {reach:,} base pairs; the shortest spans "
            f"{int(distance.min()):,}."
        )
    return reach


def p_values(score: Float[np.ndarray, " edge"], null: Float[np.ndarray, " decoy"]) -> Float[np.ndarray, " edge"]:
    """Share of the decoys whose score is as large, the edge itself counted among them; NaN with too few decoys."""
    if len(null) < MIN_DECOYS:
        return np.full(len(score), np.nan)
    larger = len(null) - np.searchsorted(np.sort(np.abs(null)), np.abs(score), side="left")
    return (1 + larger) / (1 + len(null))


def spread(
    weight: Float[np.ndarray, " edge"], null: Float[np.ndarray, " decoy"], null_weight: Float[np.ndarray, " decoy"]
) -> Float[np.ndarray, " edge"]:
    """Root mean square score of decoys of each weight: of all curves that rise with the weight, the nearest to theirs.

    Pools of neighbours in weight would have to be small where there are few decoys, and then say little (isotonic
    regression; Barlow et al. 1972).
    """
    if not len(null):
        return np.ones(len(weight))
    rising = IsotonicRegression(out_of_bounds="clip").fit(null_weight, null.astype(float) ** 2)
    return np.sqrt(np.maximum(rising.predict(weight), 1e-24))
