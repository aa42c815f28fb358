"""Whether the cells bear out a guidance graph: what tells, without a true pairing, if an integration can be trusted.

Cells of two modalities are laid beside each other with the help of the graph, so that any graph's edges agree with the
result, a false one's too. Its decoys had the same help. Over groups of similar cells, the counts of the two ends of an
edge, as they were measured, correlate the better the truer the edge and the better the cells correspond; the score says
how much more often an edge does so than a decoy.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from scipy.stats import norm, rankdata
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from multiome.data.dataset import CellDataset
from multiome.data.panels import filled
from multiome.errors import MultiomeWarning
from multiome.graph.decoys import ENOUGH_DECOYS, MIN_DECOYS
from multiome.graph.edges import FeatureEdges
from multiome.model.vae import MultiomeVAE
from multiome.predict.cell_states import CellStates

MIN_GROUPS, MAX_GROUPS, CELLS_PER_GROUP = 5, 20, 100
"""Groups of cells, and how many cells of the smaller modality each has on average."""
MIN_CELLS = 10
"""Cells of either modality in a group that counts."""
MOST_DECOYS = 0.5
"""As a share of the edges, that is advised."""
NEEDED, FEWEST, MOST = 0.6, 3, 5
"""Share of the groups that must count, and between which numbers. Already with 3, p of false edges is uniform."""
LEVEL = 0.01
"""With a larger p, a warning."""
FEW_EDGES = "so few edges cannot show it: judge by cell types that you know in both"


def consistency(
    vae: MultiomeVAE, cells: CellDataset, edges: FeatureEdges, states: CellStates, *, seed: int
) -> pd.DataFrame:
    """The agreement of each pair of modalities; `Multiome.consistency` says what the columns mean."""
    rows = []
    for a, b in edges.pairs():
        found = edges.between(a, b)
        decoy = edges.is_decoy[found.edge]
        n_both = int((cells.observed(a) & cells.observed(b)).sum())
        wanted = n_wanted(cells, states, (a, b))
        r, moves, n_groups = agreement(vae, cells, edges, states, pair=(a, b), wanted=wanted, seed=seed)
        score, p = np.nan, np.nan
        if n_groups >= np.clip(round(NEEDED * wanted), FEWEST, MOST) and decoy.sum() >= MIN_DECOYS:
            score, p = compare(r, decoy, np.sqrt(np.abs(edges.weight[found.edge])) * moves)
        counted = int((~decoy).sum()), int(decoy.sum()), n_both, n_groups
        rows.append((a, b, *counted, float(score), float(p)))
    return pd.DataFrame(rows, columns=["modality", "other", "edges", "decoys", "both", "groups", "score", "p"])


def compare(
    r: Float[np.ndarray, " edge"], decoy: Bool[np.ndarray, " edge"], weight: Float[np.ndarray, " edge"]
) -> tuple[float, float]:
    """How much more often an edge's r is above a decoy's than below, both by their weights; and p, by normal scores.

    Where true edges are few but strong, normal scores tell more than ranks (van der Waerden 1952).
    """
    normal = norm.ppf((rankdata(r) - 0.5) / len(r))
    edges, decoys = (np.where(some, weight, 0) / weight[some].sum() for some in (~decoy, decoy))
    difference = edges - decoys
    scatter = np.sqrt((difference**2).sum() * (normal**2).mean())
    order = np.argsort(r)
    below = np.concatenate([[0], decoys[order].cumsum()])
    above, not_below = (below[np.searchsorted(r[order], r, side=side)] for side in ("left", "right"))
    score = edges @ (above - (1 - not_below))
    return float(score), float(norm.sf(difference @ normal / max(scatter, 1e-9)))


def n_wanted(cells: CellDataset, states: CellStates, pair: tuple[str, str]) -> int:
    """Into how many groups to cut the cells."""
    n_smaller = min(int((cells.rows[key][states.rows] >= 0).sum()) for key in pair)
    return int(np.clip(n_smaller / CELLS_PER_GROUP, MIN_GROUPS, MAX_GROUPS))


def agreement(
    vae: MultiomeVAE,
    cells: CellDataset,
    edges: FeatureEdges,
    states: CellStates,
    *,
    pair: tuple[str, str],
    wanted: int,
    seed: int,
) -> tuple[Float[np.ndarray, " edge"], Float[np.ndarray, " edge"], int]:
    """Correlation of every edge's ends over groups of cells, times its sign; how much both change; how many groups.

    Of two ends that hardly differ between groups, noise is most of what correlates. Groups have cells of both.
    """
    n = {key: np.bincount(states.member[cells.rows[key][states.rows] >= 0], minlength=len(states.size)) for key in pair}
    means = KMeans(min(wanted, len(states.size)), n_init=3, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different states than groups
        group = means.fit_predict(states.hidden, sample_weight=states.size.astype(float))
    kept = [g for g in range(group.max() + 1) if min(n[key][group == g].sum() for key in pair) >= MIN_CELLS]
    found = edges.between(*pair)
    if not kept:
        return np.zeros(len(found.edge)), np.ones(len(found.edge)), 0
    level = {key: levels(vae, cells, states, group, key)[kept] for key in pair}
    one, other = (standardised(level[key])[:, ends] for key, ends in zip(pair, (found.a, found.b), strict=True))
    moves = spread(vae, level, pair[0])[found.a] * spread(vae, level, pair[1])[found.b]
    return (one * other).mean(0) * np.sign(edges.weight[found.edge]), moves, len(kept)


def spread(vae: MultiomeVAE, level: Mapping[str, Float[np.ndarray, "group feature"]], key: str) -> np.ndarray:
    """How much each feature changes between groups, in logarithms; of values in units of their own, alike for all."""
    if has_units(vae, key):
        return np.ones(level[key].shape[1])
    return np.maximum(level[key].std(0), 1e-3)


def levels(
    vae: MultiomeVAE, cells: CellDataset, states: CellStates, group: Int[np.ndarray, " state"], key: str
) -> Float[np.ndarray, "group feature"]:
    """What was measured in each group: log counts per exposure, logit fractions of calls, or means of other values."""
    together = np.equal.outer(np.arange(group.max() + 1), group).astype(float)
    counts, _ = states.sums(cells, key)
    summed = (counts.T @ together.T).T
    if cells.matrices[key].coverage is not None:
        covered = (states.sums(cells, key, coverage=True)[0].T @ together.T).T
        return np.log((summed + 0.5) / (covered - summed + 0.5))
    exposure = together @ states.exposures(cells, key)
    size = np.maximum(exposure, 1e-9)
    if has_units(vae, key):
        return summed / size
    if exposure.shape[1] == 1:
        return np.log((summed + 0.5 + 0.2 * summed.mean(0)) / size)
    level = np.log((summed + 0.5 + 0.2 * exposure * summed.sum(0) / np.maximum(exposure.sum(0), 1e-9)) / size)
    return filled(level, exposure > 0, relative=False)  # a group without a cell that was measured in it says nothing


def has_units(vae: MultiomeVAE, key: str) -> bool:
    """Whether values are neither counts nor fractions."""
    return not vae.channel(key).transform.thins


def standardised(x: Float[np.ndarray, "group feature"]) -> Float[np.ndarray, "group feature"]:
    """Mean 0 and standard deviation 1; 0 where nothing changes."""
    x = x - x.mean(0)
    return x / np.maximum(x.std(0), 1e-9)


def warn_inconsistent(table: pd.DataFrame, apart: Collection[tuple[str, str]]) -> None:
    """Warn of modalities without a common cell whose correspondence the cells do not bear out."""
    for _, row in table.iterrows():
        reason = doubt(row)
        if reason and (row["modality"], row["other"]) in apart:
            warnings.warn(
                f"{row['modality']!r} and {row['other']!r} were measured in different cells, and {reason}. Do not "
                f"trust their alignment. See `model.consistency`; {advice(row)}.",
                MultiomeWarning,
                stacklevel=5,
            )


def advice(row: pd.Series) -> str:
    """What to do about a doubt."""
    check = (
        "check the names of features, the genome build of coordinates, and whether both were measured in the same "
        "kinds of cells"
    )
    now = row["decoys"] / row["edges"]
    told = not np.isnan(row["p"]) or row["decoys"] < MIN_DECOYS  # else cells are too few, which decoys do not help
    if row["edges"] * MOST_DECOYS < MIN_DECOYS:
        return FEW_EDGES
    if row["decoys"] >= ENOUGH_DECOYS or now >= 0.9 * MOST_DECOYS or not told:
        return check
    share = min(np.ceil(10 * ENOUGH_DECOYS / row["edges"]) / 10, MOST_DECOYS)
    return f"a fit with more decoys, `TrainConfig(decoys={share:g})`, can tell more. Else {check}"


def verdict(row: pd.Series) -> str:
    """What a row of the table says, in a few words."""
    pair = f"{row['modality']!r} and {row['other']!r}"
    if np.isnan(row["p"]):
        return f"whether cells bear out {pair} cannot be told"
    told = f"with a score of {row['score']:.3f} (p = {row['p']:.2g})"
    if row["p"] <= LEVEL:
        return f"cells bear out {pair} {told}"
    if row["decoys"] < ENOUGH_DECOYS:
        return f"whether cells bear out {pair} cannot be told from {row['decoys']:,} decoys, {told}"
    return f"cells do not bear out {pair}, {told}"


def doubt(row: pd.Series) -> str:
    """Why, by its row of the table, two modalities of different cells may be matched wrongly; else nothing."""
    if row["p"] <= LEVEL:
        return ""
    if np.isnan(row["p"]) and row["decoys"] < MIN_DECOYS:
        return (
            f"it cannot be told whether they were matched rightly: {row['edges']:,} edges of the guidance graph and "
            f"{row['decoys']:,} decoys are too few"
        )
    if np.isnan(row["p"]):
        return (
            f"it cannot be told whether they were matched rightly: {row['groups']} groups of similar cells have at "
            f"least {MIN_CELLS} of both, where {FEWEST} are needed with few cells and {MOST} with many. Either cells "
            "of one hardly lie beside cells of the other, or there are too few"
        )
    if row["decoys"] < ENOUGH_DECOYS:
        return (
            f"it cannot be told whether they were matched rightly: {row['edges']:,} edges agree with the counts no "
            f"better than {row['decoys']:,} false ones by enough to show it (score {row['score']:.3f}, "
            f"p = {row['p']:.2g})"
        )
    return (
        f"the cells do not bear out the guidance graph that matched them: its {row['edges']:,} edges agree with the "
        f"counts hardly better than {row['decoys']:,} false ones (score {row['score']:.3f}, p = {row['p']:.2g}), or "
        "too few cells to show it"
    )
