"""Which edges of a guidance graph the data bear out, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float

from multiome.errors import MultiomeError, check_whole, listed
from multiome.graph.edges import FeatureEdges
from multiome.graph.guidance import GuidanceGraph
from multiome.predict.fitted import Fitted
from multiome.predict.links import Links
from multiome.predict.multiple_tests import false_discovery_rate

MIN_DECOYS = 20
"""With fewer, there is no p."""


def find_links(fitted: Fitted, *, source: str, target: str, window: int | None) -> Links:
    """`Multiome.links` says what the arguments mean."""
    if fitted.graph is None:
        raise MultiomeError(
            "The model was fitted without a guidance graph, so there are no candidates for links; "
            "fit(mdata, graph=GuidanceGraph.from_genome(...)) takes one."
        )
    if fitted.evidence is None:
        raise MultiomeError(
            "The model was saved by a version of multiome that did not ask the data about the graph's edges; "
            "fit it again."
        )
    reach = None if window is None else check_whole("window", window, least=0)
    ends = fitted.spec.key(source), fitted.spec.key(target)
    edges, effect = fitted.evidence.edges, fitted.evidence.effect
    found = edges.between(*ends) if ends[0] != ends[1] else None
    if found is None or not len(found.index):
        pairs = listed(f"{a} and {b}" for a, b in edges.pairs())
        raise MultiomeError(f"The guidance graph has no edge between {ends[0]!r} and {ends[1]!r}; it joins {pairs}.")
    decoy = edges.is_decoy[found.index]
    score = effect[found.index].astype(float)
    known = fitted.graph.edges.iloc[edges.row[found.index][~decoy]]
    names = (np.asarray(fitted.spec.modalities[key].features, dtype=object) for key in ends)
    table = pd.DataFrame(
        {
            **{end: name[of[~decoy]] for end, name, of in zip(("source", "target"), names, found[1:], strict=True)},
            "score": score[~decoy],
            "p": p_values(score[~decoy], score[decoy]),
            "distance": known["distance"].to_numpy(float),
            "weight": known["weight"].to_numpy(float),
            "sign": known["sign"].to_numpy(int),
        }
    )
    notes = [f"p: against {decoy.sum():,} decoys, false edges that the model was trained with"]
    if decoy.sum() < MIN_DECOYS:
        notes = [f"no p: {decoy.sum():,} decoys are too few to compare with (`train.decoys` of `fit` sets their share)"]
    if reach is not None:
        near = within_reach(table["distance"], reach, graph=fitted.graph)
        table, notes = table[near].reset_index(drop=True), [*notes, f"at most {reach:,} base pairs away"]
    table.insert(4, "q", false_discovery_rate(table["p"].to_numpy()))
    return Links(table, *ends, places=places_of(fitted.graph, ends), notes=tuple(notes))


def p_values(score: Float[np.ndarray, " edge"], null: Float[np.ndarray, " decoy"]) -> Float[np.ndarray, " edge"]:
    """Share of the decoys whose score is as large, the edge itself counted among them; NaN with too few decoys."""
    if len(null) < MIN_DECOYS:
        return np.full(len(score), np.nan)
    larger = len(null) - np.searchsorted(np.sort(np.abs(null)), np.abs(score), side="left")
    return (1 + larger) / (1 + len(null))
