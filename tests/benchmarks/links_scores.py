"""What links are scored by: known truth where they were simulated, tables of enhancers where they were not."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import hypergeom
from sklearn.metrics import roc_auc_score

from tests.benchmarks.links_catalogue import TABLES
from tests.benchmarks.scores import Scores

TOP, LEAST = 0.1, 20
"""The share of the pairs that are the strongest, and how many they are at least."""
N_BINS = 10
"""Groups of pairs of about the same distance, or counts."""


def simulated(links: pd.DataFrame, true: np.ndarray) -> Scores:
    """Scores, p and q of all candidates, of which it is known whether they are true."""
    found, strict = (links["q"].to_numpy() < level for level in (0.1, 0.05))
    return {
        "auroc": auroc(np.abs(links["score"].to_numpy()), true),
        "false_q10": false_share(found, true),
        "false_q05": false_share(strict, true),
        "n_q10": float(found.sum()),
        "power_q10": float(found[true].mean()),
        "false_p05": float((links["p"].to_numpy()[~true] < 0.05).mean()),
    }


def real(score: np.ndarray, pairs: pd.DataFrame) -> Scores:
    """How often the strongest pairs stand in each table; of those tested by perturbation, whether true ones are ahead.

    The test takes pairs for independent, which those of one gene or one enhancer are not: p is somewhat too small.
    """
    chosen, found = strongest(score), {}
    for table in TABLES:
        known = pairs[table].to_numpy(bool)
        alike = {f"at_{name}": over_alike(chosen, known, pairs[name].to_numpy()) for name in ("distance", "counts")}
        scored = enrichment(chosen, known) | alike
        found |= {f"{table}_{name}": value for name, value in scored.items()}
    tested = pairs["perturbed"].notna().to_numpy()
    held = pairs["perturbed"][tested].to_numpy(bool)
    return found | ({"perturbed_auroc": auroc(score[tested], held)} if 0 < held.sum() < len(held) else {})


def auroc(score: np.ndarray, true: np.ndarray) -> float:
    """Probability that a true pair is ahead of a false one."""
    return float(roc_auc_score(true, score))


def false_share(found: np.ndarray, true: np.ndarray) -> float:
    """Share of what was found that is false; 0 where nothing was."""
    return float((~true[found]).mean()) if found.any() else 0.0


def strongest(score: np.ndarray) -> np.ndarray:
    """A mask of the pairs with the largest scores, of equal ones some at random."""
    n = min(len(score), max(LEAST, round(TOP * len(score))))
    order = np.lexsort((np.random.default_rng(0).random(len(score)), -score))
    chosen = np.zeros(len(score), dtype=bool)
    chosen[order[:n]] = True
    return chosen


def enrichment(chosen: np.ndarray, known: np.ndarray) -> Scores:
    """Known pairs among the chosen: share, odds ratio (half a pair added to each cell of the table), one-sided p."""
    hits, n_chosen, n_known = int((chosen & known).sum()), int(chosen.sum()), int(known.sum())
    others, rest = n_known - hits, len(known) - n_chosen
    odds = (hits + 0.5) / (n_chosen - hits + 0.5) * (rest - others + 0.5) / (others + 0.5)
    p = hypergeom.sf(hits - 1, len(known), n_known, n_chosen)
    return {"precision": hits / n_chosen, "odds": float(odds), "p": float(p)}


def over_alike(chosen: np.ndarray, known: np.ndarray, trait: np.ndarray) -> float:
    """Known pairs among the chosen, over how many pairs with a similar trait would be: 1 if it explains all of them."""
    cuts = np.unique(np.quantile(trait, np.linspace(0, 1, N_BINS + 1)[1:-1]))
    group = np.searchsorted(cuts, trait, side="right")
    n = np.maximum(np.bincount(group), 1)
    expected = (np.bincount(group, known) / n)[group[chosen]].sum()
    return float(known[chosen].sum() / expected) if expected else 0.0
