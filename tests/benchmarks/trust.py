"""Whether what a model says of its own predictions holds: ``python -m tests.benchmarks.trust --help``.

Every part prints a Markdown table, one row per data set: the mean over seeds. Cells that are scored were never fitted.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.stats import spearmanr

import multiome as mo
from multiome.metrics import auroc, clr, log_cp10k, pearson, pit_coverage
from multiome.metrics.ranking import auroc_per_feature
from tests.benchmarks.denoised import halves, poisson_deviance, smoothed
from tests.benchmarks.tasks import load, read
from tests.benchmarks.two_components import probability_high

Row = dict[str, Any]
N_FEATURES, N_CELLS = 1_000, 500
"""Features and cells looked at, drawn at random where there are more."""


def fit(mdata: md.MuData, seed: int) -> mo.Multiome:
    """With default settings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mo.MultiomeWarning)  # features that training cells lack
        return mo.fit(mdata, seed=seed, train=mo.TrainConfig(progress_bar=False))


def some(names: Sequence[str], n: int) -> list[str]:
    """In their order."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(names))[:n])
    return [names[i] for i in chosen]


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
        task = load(name, dev=dev)
        model = fit(task.mdata("train"), seed)
        yield covered(name, "training donor" if dev else "other cells", task.mdata("test"), model, source, target)
        if target == "prot":
            yield narrower(name, "training donor" if dev else "other cells", task, model)
    sim = mo.datasets.simulate(n_cells=1500, modalities=("rna", "met"), seed=seed)
    test = np.arange(1500) % 5 == 0
    model = fit(sim.mdata[~test].copy(), seed)
    yield covered("simulated", "other cells", sim.mdata[test].copy(), model, "rna", "met")


def covered(name: str, cells: str, data: md.MuData, model: mo.Multiome, source: str, target: str) -> Row:
    """Of one prediction."""
    chosen = some(list(data.obs_names), N_CELLS)
    features = some(list(model.spec.modalities[target].features), N_FEATURES)
    predicted = model.impute(data[source][chosen].copy(), target, features=features)
    found = pit_coverage(predicted.pit(data[target][chosen].copy()))
    return {"data": name, "target": target, "cells": cells, "score": "covered, features near"} | {
        "value": found["covered"], "second": found["features_near"]
    }  # fmt: skip


def narrower(name: str, cells: str, task: Any, model: mo.Multiome) -> Row:
    """Of the proteins called predictable, those whose intervals are better than the same one for all cells."""
    table = model.evaluate(task.mdata("test"), reference=task.mdata("train"), per="feature")
    table = table.query("target == 'prot' and score == 'interval_score' and predictable")
    wide = table.pivot_table(index="feature", columns="method", values="value")
    return {"data": name, "target": "prot", "cells": cells, "score": "interval score below unconditional; proteins"} | {
        "value": float((wide["multiome"] < wide["mean"]).mean()), "second": float(len(wide))
    }  # fmt: skip


def denoise(seed: int) -> Iterator[Row]:
    """Poisson deviance per cell of one half of the counts, given the other half."""
    for name, keys in (
        ("reap_protein", ("rna", "prot")),
        ("bmmc_cite", ("rna", "prot")),
        ("snare_paired", ("rna", "atac")),
    ):
        task = load(name, dev=True)
        model = fit(task.mdata("train"), seed)
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
            row = {"data": name, "target": key, "multiome": poisson_deviance(smooth.mean, truth)}
            own, training = given[key][:, features].X, task.part(key, "train")[:, features].X
            for method, values in smoothed(own, training, key).items():
                name_of_method, _, _ = method.partition(" ")
                best = row.get(name_of_method, np.inf)
                row[name_of_method] = min(best, poisson_deviance(values, truth))
            yield row


def cells(seed: int) -> Iterator[Row]:
    """AUROC by which cells of a type that training lacked are told from other cells, and shares that are flagged."""
    for name, mods, labels, types in sets_with_types(seed):
        for one in types:
            new, test = labels == one, np.random.default_rng(seed).random(len(labels)) < 0.2
            data = md.MuData({key: part.copy() for key, part in mods.items()})
            model = fit(data[~new & ~test].copy(), seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", mo.MultiomeWarning)
                found = model.novelty(data)
            scored = new | test
            score, flag = found["novelty"].to_numpy(), found["unlike_training"].to_numpy()
            yield {
                "data": name, "type": one, "cells": int(new.sum()), "AUROC": auroc(score[scored], new[scored]),
                "flagged, new": flag[new].mean(), "flagged, others": flag[test & ~new].mean(),
            }  # fmt: skip


def sets_with_types(seed: int) -> Iterator[tuple[str, dict[str, ad.AnnData], np.ndarray, list[str]]]:
    """Modalities, labels, and the types to leave out: coarse ones, which have no close relative among the others."""
    sim = mo.datasets.simulate(n_cells=1500, modalities=("rna", "atac", "prot"), seed=seed).mdata
    labels = sim.obs["cell_type"].astype(str).to_numpy()
    yield "simulated", dict(sim.mod), labels, list(np.unique(labels)[:3])
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

    The ceiling is what the true scores would reach, given how far the scores of two halves of these cells agree
    (Spearman-Brown): scores of few cells, or of features with few counts, are mostly noise.
    """
    for name, target, source, dev in (
        ("reap_protein", "prot", "rna", True),
        ("reap_protein", "prot", "rna", False),
        ("bmmc_cite", "prot", "rna", False),
        ("snare_paired", "rna", "atac", False),
        ("snare_paired", "atac", "rna", False),
    ):
        task = load(name, dev=dev)
        model = fit(task.mdata("train"), seed)
        scale = {"prot": "clr", "rna": "log_cp10k", "atac": "probability"}[target]
        predicted = model.translate(task.part(source, "test"), source=source, target=target, scale=scale)
        truth = task.part(target, "test")
        transform = {"prot": clr, "rna": log_cp10k, "atac": sp.csr_array}[target]
        values = sp.csr_array(transform(truth.X))[:, truth.var_names.get_indexer(predicted.var_names)].toarray()
        reached = score_per_feature(predicted.X, values, target)
        first = np.random.default_rng(0).permutation(len(values)) % 2 == 0
        halves_of = [score_per_feature(predicted.X[part], values[part], target, least=5) for part in (first, ~first)]
        said = predicted.var["reliability"].to_numpy(float)
        known = ~np.isnan(reached) & ~np.isnan(said)
        yield {
            "data": name, "target": target, "cells": "training donor" if dev else "other cells",
            "features": int(known.sum()), "Spearman": float(spearmanr(said[known], reached[known])[0]),
            "ceiling": ceiling(*(half[known] for half in halves_of)),
            "mean said": float(said[known].mean()), "mean reached": float(reached[known].mean()),
        }  # fmt: skip


def score_per_feature(predicted: np.ndarray, values: np.ndarray, target: str, *, least: int = 10) -> np.ndarray:
    """AUROC of peaks that at least so many cells show, else Pearson's r."""
    if target != "atac":
        return pearson(predicted, values)
    seen = values > 0
    return np.where(seen.sum(0) >= least, auroc_per_feature(predicted, seen), np.nan)


def ceiling(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation that true scores would have with those of all cells, of which ``a`` and ``b`` are of halves."""
    known = ~np.isnan(a) & ~np.isnan(b)
    r = max(float(spearmanr(a[known], b[known])[0]), 0.0)
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
        yield {"method": method, "Brier": float(((p - truth) ** 2).mean()), **calibration}


def share(member: np.ndarray) -> float:
    """NaN of none."""
    return float(member.mean()) if member.size else float("nan")


PARTS: dict[str, Callable[[int], Iterator[Row]]] = {
    part.__name__: part for part in (coverage, denoise, cells, features, foreground)
}


def main(argv: Sequence[str] | None = None) -> None:
    md.set_options(pull_on_update=False)
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.trust", description=__doc__)
    parser.add_argument("--parts", default=",".join(PARTS), help="comma-separated (default: %(default)s)")
    parser.add_argument("--seeds", default="0,1,2", help="comma-separated (default: %(default)s)")
    given = parser.parse_args(argv)
    for name in given.parts.split(","):
        part = PARTS[name]
        table = pd.DataFrame([row for seed in given.seeds.split(",") for row in part(int(seed))])
        keys = [column for column in table if not pd.api.types.is_float_dtype(table[column])]
        mean = table.groupby(keys, sort=False).mean().reset_index() if keys else table
        print(f"\n{part.__doc__}\n\n{markdown(mean)}", flush=True)


def markdown(table: pd.DataFrame) -> str:
    """Rows of a table in Markdown."""
    lines = [list(table.columns), ["---"] * table.shape[1]]
    lines += [[f"{x:.3f}" if isinstance(x, float) else str(x) for x in row] for row in table.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
