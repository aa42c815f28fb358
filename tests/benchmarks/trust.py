"""Whether what a model says of its own predictions holds: ``python -m tests.benchmarks.trust --help``.

Every part prints a Markdown table, one row per data set: the mean over seeds, and in brackets a 95 % interval by
bootstrap over the scored cells (the mean of the seeds' ends). Cells that are scored were never fitted.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.stats import spearmanr
from sklearn.neighbors import NearestNeighbors

import multiome as mo
from multiome.metrics import auroc, bootstrap, clr, log_cp10k, pearson, pit_coverage
from multiome.metrics.ranking import auroc_per_feature
from tests.benchmarks.denoised import halves, poisson_deviance, smoothed
from tests.benchmarks.tasks import Task, load, read
from tests.benchmarks.two_components import probability_high

Row = dict[str, Any]
N_FEATURES, N_CELLS = 1_000, 500
"""Features and cells looked at, drawn at random where there are more."""
N_DEPTHS = 5
"""Groups of cells of like depth, within which open chromatin is ranked where depth is to say nothing."""
LEVEL = 0.9
LOW, HIGH = " low", " high"
"""What the columns of an interval's ends are called, after the score's."""


def fit(mdata: md.MuData, seed: int) -> mo.Multiome:
    """With default settings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mo.MultiomeWarning)  # features that training cells lack
        return mo.fit(mdata, seed=seed, train=mo.TrainConfig(progress_bar=False))


@lru_cache
def fitted(name: str, dev: bool, seed: int) -> tuple[Task, mo.Multiome]:
    """A task and its model, which several parts look at."""
    task = load(name, dev=dev)
    return task, fit(task.mdata("train"), seed)


def cells_of(dev: bool) -> str:
    """Whose cells are scored."""
    return "training donor" if dev else "other cells"


def some(names: Sequence[str], n: int) -> list[str]:
    """In their order."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(names))[:n])
    return [names[i] for i in chosen]


def spanned(name: str, score: Callable[[np.ndarray], float], n_cells: int, *, n: int = 200) -> Row:
    """A score of all cells, and an interval around it that is as wide as that over cells drawn again.

    Not that interval itself: cells drawn again are fewer different ones, of which shares and ranks of features scatter
    more, so that all of it can lie on one side of the score.
    """
    value, (low, high) = float(score(np.arange(n_cells))), bootstrap(score, n_cells, n=n)
    ends = np.array([value - (high - low) / 2, value + (high - low) / 2])
    if 0 <= value <= 1:  # shares and ranks end there; differences are below 0
        ends = ends.clip(0, 1)
    return {name: value, name + LOW: float(ends[0]), name + HIGH: float(ends[1])}


def coverage(seed: int) -> Iterator[Row]:
    """Share of measured values inside 90 % intervals (randomised transform), and of features within 0.84 to 0.96."""
    for name, target, source, dev in (
        ("reap_protein", "prot", "rna", True),
        ("reap_protein", "prot", "rna", False),
        ("bmmc_cite", "prot", "rna", True),
        ("bmmc_cite", "prot", "rna", False),
        ("snare_paired", "rna", "atac", True),
        ("snare_paired", "atac", "rna", True),
    ):
        task, model = fitted(name, dev, seed)
        yield {"data": name, "cells": cells_of(dev)} | covered(task.mdata("test"), model, source, target)
    sim = mo.datasets.simulate(n_cells=1500, modalities=("rna", "met"), seed=seed)
    test = np.arange(1500) % 5 == 0
    model = fit(sim.mdata[~test].copy(), seed)
    yield {"data": "simulated", "cells": cells_of(False)} | covered(sim.mdata[test].copy(), model, "rna", "met")


def covered(data: md.MuData, model: mo.Multiome, source: str, target: str) -> Row:
    """Of one prediction."""
    chosen = some(list(data.obs_names), N_CELLS)
    features = some(list(model.spec.modalities[target].features), N_FEATURES)
    predicted = model.impute(data[source][chosen].copy(), target, features=features)
    u = predicted.pit(data[target][chosen].copy())
    row: Row = {"target": target, "n": f"{len(chosen)} x {len(features)}"}
    for key in ("covered", "features_near"):
        row |= spanned(key, lambda rows, key=key: pit_coverage(u[rows], LEVEL)[key], len(u), n=100)
    return row


def sharpness(seed: int) -> Iterator[Row]:
    """Of the proteins called predictable, those whose intervals score better than the same one for all cells."""
    for name in ("reap_protein", "bmmc_cite"):
        for dev in (True, False):
            task, model = fitted(name, dev, seed)
            table = model.evaluate(task.mdata("test"), reference=task.mdata("train"), per="feature")
            table = table.query("target == 'prot' and score == 'interval_score' and predictable")
            proteins = table.query("method == 'multiome'")["feature"].tolist()
            predicted = model.impute(task.part("rna", "test"), "prot", features=proteins)
            truth = task.part("prot", "test")[:, proteins].X.toarray()
            training = task.part("prot", "train")[:, proteins].X.toarray()
            low, high = predicted.interval(LEVEL)
            ours = per_value(low, high, truth)
            theirs = per_value(*np.quantile(training, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0), truth)
            share_better = partial(better, ours, theirs)
            row = {"data": name, "cells": cells_of(dev), "proteins": float(len(proteins))}
            yield row | spanned("better", share_better, len(truth))


def better(ours: np.ndarray, theirs: np.ndarray, rows: np.ndarray) -> float:
    """Share of the proteins of which the mean score of these cells is smaller."""
    return float((ours[rows].mean(0) < theirs[rows].mean(0)).mean())


def per_value(low: np.ndarray, high: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The interval score (Gneiting and Raftery 2007) of every value; small is good."""
    outside = np.maximum(low - values, 0) + np.maximum(values - high, 0)
    return np.broadcast_to(high - low, values.shape) + 2 / (1 - LEVEL) * outside


def denoise(seed: int) -> Iterator[Row]:
    """Poisson deviance per cell of one half of the counts, given the other half."""
    for name, keys in (
        ("reap_protein", ("rna", "prot")),
        ("bmmc_cite", ("rna", "prot")),
        ("snare_paired", ("rna", "atac")),
    ):
        task, model = fitted(name, True, seed)
        rows = slice(0, N_CELLS)
        given, scored = {}, {}
        for key in task.mods:
            part = task.part(key, "test")[rows].copy()
            part.X, scored[key] = halves(part.X, seed=seed)
            given[key] = part
        for key in keys:
            smooth = model.denoise(md.MuData(given), key)
            features = list(smooth.features)
            truth = scored[key][:, given[key].var_names.get_indexer(features)].toarray()
            ours, best = poisson_deviance(smooth.mean, truth), {}
            own, training = given[key][:, features].X, task.part(key, "train")[:, features].X
            for method, values in smoothed(own, training, key).items():
                family = method.split()[0].rstrip(",")
                found = poisson_deviance(values, truth)
                if family not in best or found.mean() < best[family].mean():
                    best[family] = found
            closest = min(best.values(), key=np.mean)
            yield {
                "data": name, "target": key, "multiome": float(ours.mean()),
                **{family: float(found.mean()) for family, found in best.items()},
                **spanned("multiome less the best of them", partial(mean_of, ours - closest), len(truth)),
            }  # fmt: skip


def cells(seed: int) -> Iterator[Row]:
    """AUROC by which cells of a type that training lacked are told from other cells, and shares that are flagged."""
    for name, mods, labels, types in sets_with_types():
        for one in types:
            yield {"data": name, "type": one} | left_out(mods, *removed(labels, one, seed), seed=seed)


def simulated_cells(seed: int) -> Iterator[Row]:
    """The same for every simulated type, beside what the true latent states tell: types may overlap.

    Three of them are the root and the branches of a trajectory.
    """
    sim = mo.datasets.simulate(n_cells=1500, modalities=("rna", "atac", "prot"), seed=seed)
    labels = sim.mdata.obs["cell_type"].astype(str).to_numpy()
    on = sim.truth.obs["pseudotime"].notna().to_numpy()
    for one in np.unique(labels):
        new, test = removed(labels, one, seed)
        train, scored = ~new & ~test, new | test
        distance = NearestNeighbors(n_neighbors=3).fit(sim.truth.z[train]).kneighbors(sim.truth.z[scored])[0].mean(1)
        yield {
            "trajectory": "on" if on[new].all() else "off", "type": one,
            **left_out(dict(sim.mdata.mod), new, test, seed=seed),
            "AUROC of true states": auroc(distance, new[scored]),
        }  # fmt: skip


def removed(labels: np.ndarray, one: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells of a type, and cells of all types that training does not see either."""
    return labels == one, np.random.default_rng(seed).random(len(labels)) < 0.2


def left_out(mods: dict[str, ad.AnnData], new: np.ndarray, test: np.ndarray, *, seed: int) -> Row:
    """Fit without the cells of a type and without those of other types to compare them with, and score both."""
    data = md.MuData({key: part.copy() for key, part in mods.items()})
    model = fit(data[~new & ~test].copy(), seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mo.MultiomeWarning)
        found = model.novelty(data)
    scored = new | test
    score, flag = found["novelty"].to_numpy(), found["unlike_training"].to_numpy()
    s, is_new = score[scored], new[scored]
    return {
        **spanned("AUROC", lambda rows: auroc(s[rows], is_new[rows]), len(s)),
        "flagged, new": flag[new].mean(), "flagged, others": flag[test & ~new].mean(), "n": float(new.sum()),
    }  # fmt: skip


def sets_with_types() -> Iterator[tuple[str, dict[str, ad.AnnData], np.ndarray, list[str]]]:
    """Modalities, labels, and the types to leave out: coarse ones, which have no close relative among the others."""
    mods = read("bmmc_cite_small.h5mu")
    coarse = {"Naive CD20": "B", "B1 B": "B", "Transitional": "B", "NK": "NK", "ILC": "NK", "CD14": "CD14+ Mono"}
    yield "bmmc_cite", mods, coarsened(mods, coarse), ["B", "NK", "CD14+ Mono"]
    mods = read("snareseq_mouse_cortex_rna_atac.h5mu")
    yield "snare", mods, coarsened(mods, {"In": "In"}), ["Ast", "In", "OliM", "E6Tle4"]


def coarsened(mods: dict[str, ad.AnnData], names: dict[str, str]) -> np.ndarray:
    """Labels, of which those that begin alike are one."""
    labels = mods["rna"].obs["cell_type"].astype(str)
    return np.array([next((to for start, to in names.items() if label.startswith(start)), label) for label in labels])


def features(seed: int) -> Iterator[Row]:
    """Rank correlation of each feature's reliability, as training says it, with what cells never seen show.

    Genes and peaks are scored as reliability is defined: predicted at a reference depth, peaks among cells of like
    depth ("depth" is "reference"); and, since predictions have another depth by default, as these are. The ceiling is
    what the true scores would reach, given how far the scores of two halves of these cells agree (Spearman-Brown):
    scores of few cells, or of features with few counts, are mostly noise.
    """
    for name, target, source, dev, depth in (
        ("reap_protein", "prot", "rna", True, "predicted"),
        ("reap_protein", "prot", "rna", False, "predicted"),
        ("bmmc_cite", "prot", "rna", False, "predicted"),
        ("snare_paired", "rna", "atac", False, "reference"),
        ("snare_paired", "rna", "atac", False, "predicted"),
        ("snare_paired", "atac", "rna", False, "reference"),
        ("snare_paired", "atac", "rna", False, "predicted"),
    ):
        task, model = fitted(name, dev, seed)
        scale = {"prot": "clr", "rna": "log_cp10k", "atac": "probability"}[target]
        test = task.part(source, "test")
        predicted = model.translate(test, source=source, target=target, scale=scale, depth=depth)
        truth = task.part(target, "test")
        transform = {"prot": clr, "rna": log_cp10k, "atac": sp.csr_array}[target]
        at = truth.var_names.get_indexer(predicted.var_names)
        values = sp.csr_array(transform(truth.X))[:, at].toarray()
        strata = groups(np.asarray(truth.X.sum(1)).ravel(), N_DEPTHS if depth == "reference" else 1)
        said = predicted.var["reliability"].to_numpy(float)

        def score(rows: np.ndarray, *, least: int = 10, x=predicted.X, y=values, target=target, strata=strata):
            if target != "atac":
                return pearson(x[rows], y[rows])
            seen = y[rows] > 0
            often = np.flatnonzero(seen.sum(0) >= least)
            found = np.full(seen.shape[1], np.nan)
            found[often] = auroc_per_feature(x[np.ix_(rows, often)], seen[:, often], strata=strata[rows])
            return found

        everything = np.arange(len(values))
        reached, first = score(everything), np.random.default_rng(0).permutation(len(values)) % 2 == 0
        known = ~np.isnan(reached) & ~np.isnan(said)
        halved = [score(everything[part], least=5)[known] for part in (first, ~first)]

        def agreement(rows: np.ndarray, score=score, said=said, known=known) -> float:
            return rank_correlation(said[known], score(rows)[known])

        yield {
            "data": name, "target": target, "cells": cells_of(dev), "depth": depth,
            "n": float(known.sum()), **spanned("Spearman", agreement, len(values), n=50),
            "ceiling": ceiling(*halved), "said": float(said[known].mean()), "reached": float(reached[known].mean()),
        }  # fmt: skip


def groups(depth: np.ndarray, n: int) -> np.ndarray:
    """So many groups of cells of like depth."""
    return np.argsort(np.argsort(depth, kind="stable")) * n // len(depth)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's, where both are known."""
    known = ~np.isnan(a) & ~np.isnan(b)
    return float(spearmanr(a[known], b[known])[0])


def ceiling(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation that true scores would have with those of all cells, of which ``a`` and ``b`` are of halves."""
    r = max(rank_correlation(a, b), 0.0)
    return float(np.sqrt(2 * r / (1 + r)))


def foreground(seed: int) -> Iterator[Row]:
    """Brier score of the probability that a cell carries a protein, beside a mixture of two normals per protein."""
    sim = mo.datasets.simulate(n_cells=1500, modalities=("rna", "prot"), seed=seed)
    test = np.arange(1500) % 5 == 0
    model = fit(sim.mdata[~test].copy(), seed)
    held_out = sim.mdata[test].copy()
    proteins = list(model.spec.modalities["prot"].features)
    at = sim.mdata["prot"].var_names.get_indexer(proteins)
    truth = sim.truth.foreground[test][:, at]
    counts = sim.mdata["prot"][:, proteins].X.toarray()
    by_count = model.denoise(held_out, "prot", scale="foreground").mean
    methods = {
        "denoise (RNA and its own count)": by_count,
        "impute (RNA)": model.impute(held_out["rna"], "prot", scale="foreground", n_samples=1).mean,
        "two components per protein": probability_high(np.log1p(counts[~test]), np.log1p(counts[test])),
        "share of cells": np.broadcast_to(sim.truth.foreground[~test][:, at].mean(0), truth.shape),
    }
    for method, p in methods.items():
        calibration = {
            f"carry, said {low:.1f} to {low + 0.2:.1f}": share(truth[(p >= low) & (p < low + 0.2 + 1e-9)])
            for low in (0.0, 0.2, 0.4, 0.6, 0.8)
        }
        brier = spanned("Brier", partial(mean_of, (p - truth) ** 2), len(truth))
        yield {"method": method} | brier | calibration


def mean_of(values: np.ndarray, rows: np.ndarray) -> float:
    """Of these cells."""
    return float(values[rows].mean())


def share(member: np.ndarray) -> float:
    """NaN of none."""
    return float(member.mean()) if member.size else float("nan")


PARTS: dict[str, Callable[[int], Iterator[Row]]] = {
    part.__name__: part for part in (coverage, sharpness, denoise, cells, simulated_cells, features, foreground)
}


def main(argv: Sequence[str] | None = None) -> None:
    md.set_options(pull_on_update=False)
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.trust", description=__doc__)
    parser.add_argument("--parts", default=",".join(PARTS), help="comma-separated (default: %(default)s)")
    parser.add_argument("--seeds", default="0,1,2", help="comma-separated (default: %(default)s)")
    given = parser.parse_args(argv)
    rows: dict[str, list[Row]] = {name: [] for name in given.parts.split(",")}
    for seed in given.seeds.split(","):
        fitted.cache_clear()
        for name, found in rows.items():
            for row in PARTS[name](int(seed)):
                found.append(row)
                print(json.dumps({"part": name, "seed": int(seed)} | row), file=sys.stderr, flush=True)
    for name, found in rows.items():
        print(f"\n{PARTS[name].__doc__}\n\n{markdown(averaged(pd.DataFrame(found)))}", flush=True)


def averaged(table: pd.DataFrame) -> pd.DataFrame:
    """The mean over seeds, by the columns that are no numbers."""
    keys = [column for column in table if not pd.api.types.is_float_dtype(table[column])]
    return table.groupby(keys, sort=False).mean().reset_index()


def markdown(table: pd.DataFrame) -> str:
    """Rows of a table in Markdown; the ends of an interval stand in brackets behind their score."""
    columns = [name for name in table if not name.endswith((LOW, HIGH))]
    lines = [columns, ["---"] * len(columns)]
    for _, row in table.iterrows():
        lines.append([cell(row, name) for name in columns])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(row: pd.Series, name: str) -> str:
    """One score as it stands in the table."""
    value = row[name]
    if not isinstance(value, float):
        return str(value)
    ends = f" ({row[name + LOW]:.3f} to {row[name + HIGH]:.3f})" if name + LOW in row else ""
    return f"{value:.3f}{ends}"


if __name__ == "__main__":
    main()
