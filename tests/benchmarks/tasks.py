"""The tasks: fixed splits of real data. Tune on ``load(name, dev=True)``, a split inside the training cells, only."""

from __future__ import annotations

from dataclasses import dataclass, replace

import anndata as ad
import h5py
import mudata as md
import numpy as np
import scipy.sparse as sp

from tests.benchmarks.catalogue import TASKS, data_folder


@dataclass(frozen=True)
class Task:
    """Modalities of the same cells, with boolean training and test masks over those cells."""

    name: str
    mods: dict[str, ad.AnnData]
    train: np.ndarray
    test: np.ndarray

    def part(self, mod: str, which: str) -> ad.AnnData:
        """A copy of one modality's ``"train"`` or ``"test"`` cells."""
        return self.mods[mod][getattr(self, which)].copy()

    def mdata(self, which: str) -> md.MuData:
        """All modalities of the ``"train"`` or ``"test"`` cells."""
        return md.MuData({mod: self.part(mod, which) for mod in self.mods})

    def labels(self, column: str, which: str) -> np.ndarray:
        """One annotation of the ``"train"`` or ``"test"`` cells."""
        return self.mods["rna"].obs[column].astype(str).to_numpy()[getattr(self, which)]

    def dev(self, share: float = 0.15) -> Task:
        """The same task inside the training cells: a random share of them is scored, the test cells are gone."""
        n = int(self.train.sum())
        train, test = random_test(n, int(share * n), seed=1)
        return replace(self, mods={mod: self.part(mod, "train") for mod in self.mods}, train=train, test=test)


def load(name: str, *, dev: bool = False) -> Task:
    """A task by its name in the catalogue."""
    mods = read(TASKS[name].file)
    donor = mods["rna"].obs["batch"].astype(str).to_numpy() if "batch" in mods["rna"].obs else None
    everyone = np.ones(mods["rna"].n_obs, dtype=bool)
    match name:
        case "snare_paired":
            task = Task(name, mods, *random_test(len(everyone), 1000, seed=0))
        case "reap_protein":
            mods["prot"] = mods["prot"][:, ~mods["prot"].var["is_control"].astype(bool)].copy()
            task = Task(name, mods, donor == "PBMC_donor2", donor == "PBMC_donor3")
        case "bmmc_cite":
            task = Task(name, mods, donor == "s1d1", donor == "s1d2")
        case _:
            task = Task(name, mods, everyone, everyone)
    if not dev:
        return task
    if not TASKS[name].dev:
        raise ValueError(f"{name!r} has no development split: it is scored on the cells it was fitted on.")
    return task.dev()


def read(file: str) -> dict[str, ad.AnnData]:
    """One AnnData per modality of an ``.h5mu`` file, values as CSR."""
    with h5py.File(data_folder() / file) as f:
        mods = {name: ad.io.read_elem(f["mod"][name]) for name in f["mod"]}
    for a in mods.values():
        a.X = sp.csr_matrix(a.X, dtype=np.float32)
    return mods


def random_test(n: int, n_test: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and test mask of a random split."""
    test = np.zeros(n, dtype=bool)
    test[np.random.default_rng(seed).permutation(n)[:n_test]] = True
    return ~test, test
