"""A model fitted on the training cells of a task, and its scores; bootstrap intervals where the task asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import multiome as mo
from tests.benchmarks import scores
from tests.benchmarks.baselines import protein_predictions
from tests.benchmarks.catalogue import TASKS
from tests.benchmarks.tasks import Task

Fit = Callable[..., mo.Multiome]
Found = tuple[scores.Scores, dict[str, Any]]
"""Scores, and what else belongs into the record."""


def paired(task: Task, fit: Fit, *, graph: mo.GuidanceGraph | None = None) -> Found:
    """SNARE-seq: alignment of the test cells, types, and translation both ways."""
    model = fit(task.mdata("train"), graph=graph)
    rna, atac = task.part("rna", "test"), task.part("atac", "test")
    truth = task.labels("cell_type", "test")
    found = scores.alignment(
        reference=model.embed(task.part("rna", "train"), modality="rna"),
        labels=task.labels("cell_type", "train"),
        rna=model.embed(rna, modality="rna"),
        atac=model.embed(atac, modality="atac"),
        truth=truth,
    )
    found |= scores.recovered_types(model.embed(task.mdata("test")), truth)
    found |= scores.chromatin(np.asarray(model.translate(rna, source="rna", target="atac").X), atac.X)
    rates = model.translate(rna, source="rna", target="atac", depth="reference")
    found["atac_peak_auroc_rates"] = scores.chromatin(np.asarray(rates.X), atac.X)["atac_peak_auroc_depth_free"]
    back = model.translate(atac, source="atac", target="rna", scale="log_cp10k")
    return found | scores.expression(np.asarray(back.X), rna[:, back.var_names].X), {}


def proteins(task: Task, fit: Fit) -> Found:
    """Proteins of the test cells from RNA."""
    model = fit(task.mdata("train"))
    predicted = model.translate(task.part("rna", "test"), source="rna", target="prot", scale="clr")
    values, counts = np.asarray(predicted[:, task.mods["prot"].var_names].X), task.part("prot", "test").X
    rival = TASKS[task.name].intervals_beside
    if rival is None:
        return scores.proteins(values, counts), {}
    beside = protein_predictions(task)[rival]
    return scores.proteins(values, counts), {
        "intervals": {
            "multiome": scores.protein_intervals(values, counts),
            rival: scores.protein_intervals(beside, counts),
            f"multiome - {rival}": scores.protein_intervals(values, counts, beside=beside),
        }
    }


def culture(task: Task, fit: Fit) -> Found:
    """Serum or 2i medium, from both modalities and from methylation alone."""
    mdata, label = task.mdata("train"), task.labels("culture", "test")
    model = fit(mdata, modalities={"rna": mo.RNA.continuous(), "met": mo.METHYLATION})
    joint, met = model.embed(mdata), model.embed(mdata, modality="met")
    return scores.culture(joint, label, "joint") | scores.culture(met, label, "met"), {}


def donors(task: Task, fit: Fit) -> Found:
    """Whether donors mix and types stay apart."""
    mdata = task.mdata("train")
    z = fit(mdata, batch_key="batch").embed(mdata)
    return scores.integration(z, task.labels("batch", "test"), task.labels("cell_type", "test")), {}
