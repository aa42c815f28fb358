"""Compare cells with the nearest training state, and learn what is usual from cells that training held out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from multiome.data.dataset import CellDataset
from multiome.data.opened import Data
from multiome.data.query import read_query
from multiome.errors import MultiomeError, MultiomeWarning, listed
from multiome.predict.embed import blocks, posterior
from multiome.predict.fitted import Fitted
from multiome.predict.novelty import (
    CAUTION,
    LEAST_WEIGHT,
    MAX_CELLS,
    MIN_CELLS,
    USUAL,
    Standard,
    Usual,
    part,
)
from multiome.predict.residuals import all_residuals, compared_at_once, log_ratio, residuals, total_of
from multiome.types import Batch

N_NEAREST = 3
MANY, FEW = 0.2, 5
"""Share of the cells, and at least so many, that are unlike the training cells, of which is warned."""


def learn_usual(fitted: Fitted, cells: CellDataset, held_out: np.ndarray, *, seed: int) -> Usual | None:
    """What is usual of each modality that enough held-out cells have, and that tells cells apart; None without any."""
    rows = np.sort(np.random.default_rng(seed).permutation(held_out)[:MAX_CELLS])
    some = cells.part(rows)
    standards, scores = {}, {}
    for key in fitted.spec.modalities:
        there = some.observed(key)
        if there.sum() < MIN_CELLS:
            continue
        square, ratio, depth = all_residuals(fitted, some, key)
        standard = Standard.of(square, ratio[there], depth[there])
        score = standard.score(ratio, depth)
        _, elsewhere, _ = all_residuals(fitted, some, key, square=square, other=True)
        differs = (standard.score(elsewhere, depth) - score)[there]
        standards[key] = replace(standard, weight=max(float(np.median(differs)), 0.0))
        scores[key] = np.where(there, score, np.nan)
    best = max((s.weight for s in standards.values()), default=0.0)
    keys = [key for key, s in standards.items() if s.weight >= max(LEAST_WEIGHT, LEAST_WEIGHT * best)]
    if not keys:
        return None
    pairs = [both_known(scores[a], scores[b]) for a, b in combinations(keys, 2)]
    found = [np.corrcoef(a, b)[0, 1] for a, b in pairs if len(a) >= MIN_CELLS]
    correlation = float(np.clip(np.mean(found), 0, 1)) if found else 0.0
    sets = cells_by_set(fitted, some)
    distances = {held: usual_distance(fitted, those) for held, those in sets.items()}
    usual = Usual({key: standards[key] for key in keys}, distances, correlation, np.inf)
    usual = replace(usual, threshold=exceeded(fitted, usual, some))
    fewer = {
        held: those
        for held, those in sets.items()
        if len(those) < len(some) or len(those.matrices) < len(some.matrices)  # else the same
    }
    parts = {
        part(key, held): usual_part(fitted, those, key, weight=standards[key].weight)
        for held, those in fewer.items()
        for key in keys
        if key in those.matrices
    }
    usual = replace(usual, parts=parts)
    thresholds = {held: exceeded(fitted, usual, fewer[held]) if held in fewer else usual.threshold for held in sets}
    return replace(usual, thresholds=thresholds)


def cells_by_set(fitted: Fitted, cells: CellDataset) -> dict[str, CellDataset]:
    """Of every set of modalities that enough of the held-out cells have: these cells, as if they had nothing else."""
    found = {}
    for n in range(1, len(cells.matrices) + 1):
        for keys in combinations([key for key in fitted.vae.keys if key in cells.matrices], n):
            there = np.all([cells.observed(key) for key in keys], axis=0)
            if there.sum() >= MIN_CELLS:
                found[" ".join(keys)] = cells.only(keys).part(np.flatnonzero(there))
    return found


@torch.no_grad()
def usual_distance(fitted: Fitted, cells: CellDataset) -> Standard:
    """Of cells that all have the same modalities."""
    batch = cells.take(np.arange(len(cells))).to(fitted.device)
    q = posterior(fitted, cells, batch)
    return Standard.of(np.ones(1), distance(fitted, q.loc), log_depth(fitted, batch, list(cells.matrices)))


def usual_part(fitted: Fitted, cells: CellDataset, key: str, *, weight: float) -> Standard:
    """Of the residuals of cells that all have the same modalities."""
    return replace(Standard.of(*all_residuals(fitted, cells, key)), weight=weight)


def exceeded(fitted: Fitted, usual: Usual, cells: CellDataset) -> float:
    """The score that one of a hundred cells like these exceeds."""
    residual, far, _ = scores_of(fitted, usual, cells)
    joint = usual.join(residual, far)
    known = joint[~np.isnan(joint)]
    if not len(known):
        return np.inf
    return float(np.quantile(known, USUAL)) * (1 + CAUTION / len(known))


@torch.no_grad()
def scores_of(
    fitted: Fitted, usual: Usual, cells: CellDataset
) -> tuple[dict[str, Float[np.ndarray, " cell"]], Float[np.ndarray, " cell"], Float[np.ndarray, " cell"]]:
    """How unusual each cell's values of every modality are, how far it lies from training states, and its threshold.

    In one pass. NaN where a modality was not measured, or it is not known how far is usual.
    """
    keys = [key for key in cells.matrices if key in usual.standards]
    scores, far = {key: np.full(len(cells), np.nan) for key in keys}, np.full(len(cells), np.nan)
    threshold = np.full(len(cells), usual.threshold)
    for index in blocks(cells, compared_at_once(cells)):
        batch = cells.take(index).to(fitted.device)
        q = posterior(fitted, cells, batch)
        sets = rows_by_set(fitted, batch)
        for key in keys:
            value, known, depth = residuals(fitted, cells, batch, q, key)
            for held, rows in sets:
                if key in held:
                    standard = usual.standard(key, " ".join(held))
                    ratio = log_ratio(value[rows], known[rows], torch.from_numpy(standard.square).float())
                    scores[key][index[rows]] = standard.score(ratio, depth[rows])
        away = distance(fitted, q.loc)
        for held, rows in sets:
            name = " ".join(held)
            threshold[index[rows]] = usual.thresholds.get(name, usual.threshold)
            if name in usual.distances:
                far[index[rows]] = usual.distances[name].score(away[rows], log_depth(fitted, batch, held)[rows])
    return scores, far, threshold


def rows_by_set(fitted: Fitted, batch: Batch) -> list[tuple[list[str], np.ndarray]]:
    """Modalities that some cells have and no others, and the rows of these; not of those without any."""
    keys = [key for key in fitted.vae.keys if key in batch.observed]
    patterns, member = np.unique(
        np.column_stack([batch.observed[key].cpu().numpy() for key in keys]), axis=0, return_inverse=True
    )
    return [
        ([key for key, there in zip(keys, pattern, strict=True) if there], np.flatnonzero(member.ravel() == i))
        for i, pattern in enumerate(patterns)
        if pattern.any()
    ]


def distance(fitted: Fitted, state: Tensor) -> Float[np.ndarray, " cell"]:
    """Log of the mean distance to the three nearest training states."""
    states = torch.from_numpy(fitted.shrinkage.states.astype(np.float32)).to(state.device)
    near = torch.cdist(state, states).topk(min(N_NEAREST, len(states)), largest=False).values.mean(1)
    return near.clamp_min(1e-6).log().double().cpu().numpy()


def log_depth(fitted: Fitted, batch: Batch, keys: Sequence[str]) -> Float[np.ndarray, " cell"]:
    """Sum of the log depths of some modalities."""
    depth = np.zeros(len(batch))
    for key in keys:
        if fitted.spec.modalities[key].has_depth:
            depth += np.log(np.maximum(total_of(fitted, batch, key), 1))
    return depth


def both_known(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the cells that have both."""
    known = ~np.isnan(a) & ~np.isnan(b)
    return a[known], b[known]


def novelty(
    fitted: Fitted,
    data: Data,
    *,
    modality: str | None = None,
    min_features: float = 0.5,
    drop_empty: bool = False,
) -> pd.DataFrame:
    """See `Multiome.novelty`."""
    if fitted.usual is None:
        raise MultiomeError(
            f"The model does not know what is usual: fewer than {MIN_CELLS} cells were held out when it was fitted, "
            "its modalities hardly tell cells apart, or an older version of multiome saved it."
        )
    view, cells = read_query(data, fitted.spec, modality=modality, min_features=min_features, drop_empty=drop_empty)
    if not len(cells):
        raise MultiomeError("The data hold no cell; there is nothing to compare with the training's.")
    columns = unlike_columns(fitted, cells)
    if columns.empty:
        raise MultiomeError(
            f"What is usual is known of {listed(fitted.usual.standards)}, but the data hold {listed(cells.matrices)}."
        )
    return columns.set_index(view.obs_names)


@torch.no_grad()
def unlike_columns(fitted: Fitted, cells: CellDataset) -> pd.DataFrame:
    """``novelty`` and ``unlike_training`` by all that was measured; no column where nothing is known.

    Warns where many cells are unlike the training's.
    """
    usual = fitted.usual
    if usual is None or not len(fitted.shrinkage.states):
        return pd.DataFrame()
    residual, far, threshold = scores_of(fitted, usual, cells)
    joint = usual.join(residual, far)
    if np.isnan(joint).all():
        return pd.DataFrame()
    unlike = np.nan_to_num(joint, nan=-np.inf) > threshold
    n = int((~np.isnan(joint)).sum())
    if unlike.sum() > max(MANY * n, FEW):
        warnings.warn(
            f"{unlike.sum():,} of {n:,} cells show what no similar training cell does (1 of 100 like those of the "
            "training would): other cell types, another species or tissue, or features in another order or of other "
            "names. Predictions for them rest on nothing like them; see .obs['novelty'] of the result.",
            MultiomeWarning,
            stacklevel=5,
        )
    return pd.DataFrame({"novelty": joint.astype(np.float32), "unlike_training": unlike})
