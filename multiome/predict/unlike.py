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
from torch.distributions import Normal

from multiome.data.build import read_query
from multiome.data.dataset import CellDataset
from multiome.data.opened import Data
from multiome.errors import MultiomeError, MultiomeWarning, listed
from multiome.nn.fusion import product_of_experts
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
    usual = Usual({key: standards[key] for key in keys}, usual_distances(fitted, some), correlation, np.inf)
    joint = usual.join(*scores_of(fitted, usual, some))
    known = joint[~np.isnan(joint)]
    return replace(usual, threshold=float(np.quantile(known, USUAL)) * (1 + CAUTION / len(known)))


@torch.no_grad()
def usual_distances(fitted: Fitted, cells: CellDataset) -> dict[str, Standard]:
    """Of every set of modalities that enough of the held-out cells have."""
    batch = cells.take(np.arange(len(cells))).to(fitted.device)
    experts = fitted.vae.encode(batch).per_modality
    found = {}
    for n in range(1, len(experts) + 1):
        for keys in combinations(fitted.vae.keys, n):
            there = torch.stack([batch.observed[key] for key in keys]).all(0)
            if there.sum() >= MIN_CELLS:
                q = product_of_experts({key: experts[key] for key in keys}, batch.observed)
                depth = log_depth(fitted, batch, keys)
                kept = there.cpu().numpy()
                found[" ".join(keys)] = Standard.of(np.ones(1), distance(fitted, q.loc)[kept], depth[kept])
    return found


@torch.no_grad()
def scores_of(
    fitted: Fitted, usual: Usual, cells: CellDataset
) -> tuple[dict[str, Float[np.ndarray, " cell"]], Float[np.ndarray, " cell"]]:
    """How unusual each cell's values of every modality are, and how far it lies from training states; in one pass.

    NaN where a modality was not measured, or it is not known how far is usual.
    """
    keys = [key for key in cells.matrices if key in usual.standards]
    scores, far = {key: np.full(len(cells), np.nan) for key in keys}, np.full(len(cells), np.nan)
    for index in blocks(cells, compared_at_once(cells)):
        batch = cells.take(index).to(fitted.device)
        q = posterior(fitted, cells, batch)
        for key in keys:
            value, known, depth = residuals(fitted, cells, batch, q, key)
            standard, there = usual.standards[key], cells.observed(key)[index]
            score = standard.score(log_ratio(value, known, torch.from_numpy(standard.square).float()), depth)
            scores[key][index] = np.where(there, score, np.nan)
        far[index] = distance_score(fitted, usual, batch, q)
    return scores, far


def distance_score(fitted: Fitted, usual: Usual, batch: Batch, q: Normal) -> Float[np.ndarray, " cell"]:
    """How far each cell lies from training states, by all of its modalities; NaN where that is not known."""
    keys = [key for key in fitted.vae.keys if key in batch.observed]
    score, far = np.full(len(batch), np.nan), distance(fitted, q.loc)
    patterns, member = np.unique(
        np.column_stack([batch.observed[key].cpu().numpy() for key in keys]), axis=0, return_inverse=True
    )
    for i, pattern in enumerate(patterns):
        held = [key for key, there in zip(keys, pattern, strict=True) if there]
        standard, rows = usual.distances.get(" ".join(held)), member.ravel() == i
        if standard is not None:
            score[rows] = standard.score(far[rows], log_depth(fitted, batch, held)[rows])
    return score


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
    joint = usual.join(*scores_of(fitted, usual, cells))
    if np.isnan(joint).all():
        return pd.DataFrame()
    unlike = np.nan_to_num(joint, nan=-np.inf) > usual.threshold
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
