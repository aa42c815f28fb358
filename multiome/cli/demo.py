"""``multiome demo``: what the package does, on simulated data whose truth is known."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from multiome.cli.checks import check_devices
from multiome.cli.files import write
from multiome.files import draft
from multiome.train.config import TrainConfig

FILES = ("simulated.h5mu", "model.multiome", "scores.tsv", "umap.png")
PATTERNS = {
    ("rna", "atac", "prot", "met"): 0.20,
    ("rna", "prot", "met"): 0.15,
    ("rna", "prot"): 0.25,
    ("rna", "atac"): 0.15,
    ("rna", "met"): 0.10,
    ("atac", "prot"): 0.07,
    ("atac",): 0.08,
}
"""Shares of cells: half lack ATAC, a third protein, more than half methylation, some RNA."""


def demo(*, out: Path = Path("demo"), n_cells: int = 1500, seed: int = 0, train: TrainConfig = TrainConfig()) -> None:
    """Simulate four modalities with gaps, fit, embed, translate, impute, and score all of it against the truth.

    Parameters
    ----------
    out
        Folder for simulated.h5mu (with the embedding), model.multiome, scores.tsv and umap.png. Files of an earlier
        demo are replaced; a folder that holds anything else is refused.
    n_cells
        Simulated cells.
    seed
        Of the simulation and of the model.
    train
        Optimisation.
    """
    check_folder(out)
    check_devices(train)
    from multiome.api import fit
    from multiome.cli.demo_scores import NAMES, as_frame, score_all
    from multiome.cli.demo_table import table
    from multiome.datasets.simulate import simulate
    from multiome.pl import layout, umap

    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:4.0f} s] {text}", flush=True)

    sim = simulate(n_cells=n_cells, pairing=PATTERNS, seed=seed)
    mdata, measured = sim.mdata, sim.truth.measured
    mdata.obs["measured"] = [" + ".join(NAMES[m] for m in measured if row[m]) for _, row in measured.iterrows()]
    say(f"Simulated {n_cells:,} cells in {mdata.obs['batch'].nunique()} batches:")
    for modality, adata in mdata.mod.items():
        print(f"         {NAMES[modality]:12} {adata.n_vars:5,} features in {adata.n_obs / n_cells:4.0%} of the cells")

    if not sys.stderr.isatty():
        train = replace(train, progress_bar=False)
    model = fit(mdata, batch_key="batch", train=train, seed=seed)
    say(f"Fitted a model in {int(model.history['epoch'].max()) + 1} epochs.")
    mdata.obsm["X_multiome"] = model.embed(mdata)
    mdata.obsm["X_umap"] = layout(mdata.obsm["X_multiome"], seed=seed)
    figure = umap(
        mdata.obsm["X_umap"],
        mdata.obs,
        ["cell_type", "batch", "measured", "pseudotime"],
        titles=["Cell type", "Batch", "Measured modalities", "Pseudotime (grey: not on the trajectory)"],
    )
    say("Embedded all cells; scoring predictions of what was withheld.")
    scores = score_all(sim, model)

    out.mkdir(exist_ok=True)
    write(mdata, out / "simulated.h5mu")
    model.save(out / "model.multiome", overwrite=True)
    with draft(out / "scores.tsv") as beside:
        as_frame(scores).to_csv(beside, sep="\t", index=False, float_format="%.4f")
    with draft(out / "umap.png") as beside:
        figure.savefig(beside, dpi=150)
    say("Done.")
    print(f"\n{table(scores)}\n\nWrote {', '.join(str(out / name) for name in FILES)}")


def check_folder(out: Path) -> None:
    """A demo writes into a folder of its own.

    Raises
    ------
    FileExistsError
        If the folder holds anything but an earlier demo, or is a file.
    """
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file; choose another folder with --out.")
    if not out.absolute().parent.is_dir():
        raise FileNotFoundError(f"The folder {out.absolute().parent} does not exist; make it first.")
    others = sorted(p.name for p in out.iterdir() if p.name not in FILES) if out.is_dir() else []
    if others:
        raise FileExistsError(
            f"{out} holds files that no demo wrote ({others[0]!r}); choose another folder with --out."
        )
