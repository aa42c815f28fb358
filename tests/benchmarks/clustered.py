"""What the ARI of clusters of cells without a partner is made of: ``python -m tests.benchmarks.clustered``.

Clusters of both modalities together and of either alone, as a mean over random parts of the cells, since one clustering
moves by chance; and how often the nearest other cells of a cell's own modality have its type. With ``--embedding`` one
that another method made: an ``.npz`` file with ``rna`` and ``atac``, cells in the task's order.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import multiome as mo
from multiome.metrics import clusters
from tests.benchmarks.bounds import by_own_cells
from tests.benchmarks.steps import STEPS

TASK = "snare_unpaired"
PART, N_PARTS = 0.85, 5


def embedded(task, seed: int) -> list[np.ndarray]:
    """Both modalities in the latent space of a model with default settings."""
    train = mo.TrainConfig(progress_bar=False)
    model = mo.fit(task.mdata(), graph=task.graph, batch_key=task.batch_key, seed=seed, train=train)
    return [model.embed(a, modality=key) for key, a in task.mods.items()]


def told(z: np.ndarray, labels: np.ndarray) -> str:
    """ARI in random parts of the cells: mean and standard deviation."""
    rng = np.random.default_rng(0)
    chosen = [rng.random(len(z)) < PART for _ in range(N_PARTS)]
    found = np.array([clusters(z[some], labels[some])["ari"] for some in chosen])
    return f"{found.mean():.3f} ± {found.std(ddof=1):.3f}"


def main(argv: Sequence[str] | None = None) -> None:
    """Print one line per embedding."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--embedding", type=Path, nargs="*", default=[])
    parser.add_argument("--dev", action="store_true", help="the six libraries for development")
    given = parser.parse_args(argv)
    warnings.filterwarnings("ignore")
    task = STEPS[TASK].load(TASK, dev=given.dev)
    labels = {key: task.labels(key) for key in task.mods}
    z = {f"seed {seed}": embedded(task, seed) for seed in given.seeds}
    for path in given.embedding:
        with np.load(path) as file:
            z[str(path)] = [file[key] for key in task.mods]
    print("| embedding | ARI of both | of one alone | own type among the nearest of the same modality |")
    print("|---|---|---|---|", flush=True)
    for name, both in z.items():
        alone = {
            key: (told(one, labels[key]), by_own_cells(one, labels[key])) for key, one in zip(labels, both, strict=True)
        }
        print(
            f"| {name} | {told(np.vstack(both), np.concatenate(list(labels.values())))} | "
            f"{', '.join(f'{key} {ari}' for key, (ari, _) in alone.items())} | "
            f"{', '.join(f'{key} {share:.3f}' for key, (_, share) in alone.items())} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
