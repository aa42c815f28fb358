"""A model fitted with a guidance graph, and its scores; simple methods beside it where the seed draws the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anndata as ad
import mudata as md
import numpy as np

from multiome import GuidanceGraph
from multiome.metrics import label_transfer
from tests.benchmarks import ours, scores
from tests.benchmarks.graph_baselines import embedded, gene_values
from tests.benchmarks.graph_catalogue import PAIRS
from tests.benchmarks.graph_scores import company, confidence
from tests.benchmarks.graph_scores import unpaired as unpaired_scores
from tests.benchmarks.graph_tasks import Partial, Unpaired
from tests.benchmarks.ours import Fit, Found
from tests.benchmarks.scores import Scores
from tests.benchmarks.simulated_tasks import Four, TypeInOne, types
from tests.benchmarks.tasks import Task

Embedded = Mapping[str, np.ndarray]


def paired(task: Task, fit: Fit) -> Found:
    """The paired task, with a graph."""
    return ours.paired(task, fit, graph=GuidanceGraph.from_genome(task.mods["rna"], task.mods["atac"]))


def unpaired(task: Unpaired, fit: Fit) -> Found:
    """Each modality embedded alone."""
    model = fit(task.mdata(), graph=task.graph, batch_key=task.batch_key)
    return unpaired_scores(task, *(model.embed(a, modality=mod) for mod, a in task.mods.items())), {}


def partly_paired(task: Partial, fit: Fit) -> Found:
    """Held-out cells from RNA alone and from ATAC alone; training cells that have RNA lend their labels."""
    model, whole = fit(task.mdata(), graph=task.graph), task.task
    lenders = whole.mods["rna"][task.measured("rna")]
    found = scores.alignment(
        reference=model.embed(lenders.copy(), modality="rna"),
        labels=types(lenders),
        rna=model.embed(whole.part("rna", "test"), modality="rna"),
        atac=model.embed(whole.part("atac", "test"), modality="atac"),
        truth=whole.labels("cell_type", "test"),
    )
    return found, {}


def four(task: Four, fit: Fit) -> Found:
    """Transfer between every two modalities, beside that of a model that saw the same cells with all modalities."""

    def transfers(z: Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]]) -> dict[tuple[str, str], float]:
        return {
            (a, b): label_transfer(z[a, b][0], task.labels(a), z[a, b][1], task.labels(b))["transfer"] for a, b in PAIRS
        }

    def pairs(model: Any) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
        z = {mod: model.embed(task.separate[mod].copy(), modality=mod) for mod in task.separate.mod}
        return {(a, b): (z[a], z[b]) for a, b in PAIRS}

    found = transfers(pairs(fit(task.separate, graph=task.graph, batch_key="batch")))
    paired = transfers(pairs(fit(task.together, graph=task.graph, batch_key="batch")))

    def shares(found: Mapping[tuple[str, str], float]) -> Scores:
        share = [found[pair] / paired[pair] for pair in PAIRS]
        each = {f"transfer_{a}_{b}": found[a, b] for a, b in PAIRS}
        return {"worst_pair_share": min(share), "mean_pair_share": float(np.mean(share))} | each

    values = {mod: gene_values(task.separate[mod], mod, task.graph) for mod in task.separate.mod}
    simple: dict[str, dict] = {}
    for a, b in PAIRS:
        for method, z in embedded(values[a], values[b]).items():
            simple.setdefault(method, {})[a, b] = z
    beside = {method: shares(transfers(z)) for method, z in simple.items()}
    return shares(found) | {f"paired_{a}_{b}": paired[a, b] for a, b in PAIRS}, {"beside": beside}


def type_in_one(task: TypeInOne, fit: Fit) -> Found:
    """A type that only ATAC has, queried from RNA; and one that only RNA has, queried from ATAC."""
    found: Scores = {}
    beside: dict[str, Scores] = {}
    for lender, other in (("rna", "atac"), ("atac", "rna")):
        mods = task.without(lender)
        model = fit(md.MuData({mod: a.copy() for mod, a in mods.items()}), graph=task.graph, batch_key="batch")
        z = {mod: model.embed(a, modality=mod) for mod, a in mods.items()}
        found |= newcomers(task, lender, other, mods, z)
        values = {mod: gene_values(a, mod, task.graph) for mod, a in mods.items()}
        for method, (rna, atac) in embedded(values["rna"], values["atac"]).items():
            simple = newcomers(task, lender, other, mods, {"rna": rna, "atac": atac})
            beside[method] = beside.get(method, {}) | simple
    return found, {"beside": beside}


def newcomers(task: TypeInOne, lender: str, other: str, mods: Mapping[str, ad.AnnData], z: Embedded) -> Scores:
    """How many cells of a type that the lender does not have take a wrong one for sure, and how the others fare."""
    labels, truth = types(mods[lender]), types(mods[other])
    agreed, new = confidence(z[lender], labels, z[other]), truth == task.missing
    sure = agreed & company(z[lender], z[other])
    return {
        f"wrong_in_{other}": float(sure[new].mean()),
        f"agreed_in_{other}": float(agreed[new].mean()),
        f"confident_in_{other}": float(sure[~new].mean()),
        f"transfer_to_{other}": label_transfer(z[lender], labels, z[other][~new], truth[~new])["transfer"],
    }
