"""Proteins from RNA: folds of small data, a mosaic, and another experiment with another panel of antibodies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd

import multiome as mo
from tests.benchmarks.catalogue import TASKS
from tests.benchmarks.panel_catalogue import ECCITE, N_FOLDS
from tests.benchmarks.tasks import Task, load, read


@dataclass(frozen=True)
class Folds:
    """The same cells, split as often as there are folds."""

    name: str
    folds: tuple[Task, ...]


def cite_folds(name: str, *, dev: bool = False) -> Folds:
    """Random folds; for development, each inside the training cells of one."""
    mods = read(TASKS[name].file)
    fold = np.random.default_rng(0).permutation(mods["rna"].n_obs) % N_FOLDS
    tasks = (Task(name, mods, fold != k, fold == k) for k in range(N_FOLDS))
    return Folds(name, tuple(task.dev() if dev else task for task in tasks))


def reap_mosaic(name: str, *, dev: bool = False) -> Task:
    """The split of `reap_protein`, under another name: `mosaic` says what is fitted."""
    return replace(load("reap_protein", dev=dev), name=name)


def mosaic(task: Task) -> md.MuData:
    """RNA of all cells, proteins of the training cells: the scored cells have no protein row."""
    used = task.train | task.test
    return md.MuData({"rna": task.mods["rna"][used].copy(), "prot": task.part("prot", "train")})


def reap_to_eccite(name: str, *, dev: bool = False) -> Task:
    """REAP-seq trains, ECCITE-seq is scored, both with the genes and the proteins that they share.

    For development, a random 15 % of the REAP-seq cells are scored, with the same features.
    """
    reap, eccite = read(TASKS[name].file), read(ECCITE)
    reap["prot"] = reap["prot"][:, ~reap["prot"].var["is_control"].astype(bool)].copy()
    pairs = one_each(mo.match_proteins(reap["prot"].var_names, eccite["prot"].var_names), reap["prot"])
    genes = reap["rna"].var_names.intersection(eccite["rna"].var_names)
    mods = {
        "rna": stacked(reap["rna"][:, genes], eccite["rna"][:, genes]),
        "prot": stacked(reap["prot"][:, pairs["name"]], renamed(eccite["prot"][:, pairs["other"]], pairs["name"])),
    }
    first = np.arange(mods["rna"].n_obs) < reap["rna"].n_obs
    task = Task(name, mods, first, ~first)
    return task.dev() if dev else task


def one_each(pairs: pd.DataFrame, trained: ad.AnnData) -> pd.DataFrame:
    """One pair per antigen: of several clones the one that varies most in training; the first of the scored panel.

    "Most" is the variance of counts over their mean, so that a clone that hardly binds does not win by noise.
    """
    x = trained[:, pairs["name"]].X.toarray().astype(float)
    varied = pairs.assign(dispersion=x.var(0) / np.maximum(x.mean(0), 1e-12))
    best = varied.sort_values("dispersion", ascending=False, kind="stable")
    keys = best["antigen"].fillna(best["other"])
    return best[~keys.duplicated()].sort_index().drop(columns="dispersion").reset_index(drop=True)


def renamed(a: ad.AnnData, names: pd.Series) -> ad.AnnData:
    """The same values under other names."""
    a = a.copy()
    a.var_names = names.to_numpy()
    return a


def stacked(a: ad.AnnData, b: ad.AnnData) -> ad.AnnData:
    """Cells of both, which have the same features in the same order."""
    return ad.concat([a, b], keys=["reap", "eccite"], index_unique="-", label="experiment")
