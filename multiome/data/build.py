"""`MuData` to `DataSpec` and `CellDataset`: the cells of a fit."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import anndata as ad
import numpy as np
import scipy.sparse as sp

from multiome.data.batch_panels import cells_per_level, lacking, mention_zero_filled
from multiome.data.cells import Cells, cells_of, check_pairing
from multiome.data.checks import empty_cells, mention_unmeasured, mention_unseen
from multiome.data.covariates import batch_index, check_levels, check_shared_levels, read_covariates, settled
from multiome.data.dataset import CellDataset
from multiome.data.depth import depth_of
from multiome.data.keys import resolve_modalities
from multiome.data.matrix import Matrix
from multiome.data.opened import Data, opened
from multiome.data.other_scale import size_of
from multiome.data.panels import Panels, depth_shares, describe, panel_totals
from multiome.data.panels_on_disk import panels_of
from multiome.data.raw import check_presence, checked_panels, halve
from multiome.data.some_cells import some_cells
from multiome.data.spec import DataSpec, ModalitySpec
from multiome.data.stored import StoredRows, stored
from multiome.data.survey import from_survey
from multiome.errors import InvalidPairing, MultiomeWarning, check_flag
from multiome.modalities.base import Modality


def prepare(
    data: Data,
    *,
    modalities: Mapping[str, Modality] | None,
    batch_key: str | Sequence[str] | None,
    drop_empty: bool,
    joined: Collection[tuple[str, str]] = (),
) -> tuple[DataSpec, CellDataset]:
    """Check training data, run every modality's recipe, and return the spec with the cells.

    ``joined`` are pairs of modalities that need not share cells, because a guidance graph joins their features.
    """
    check_flag("drop_empty", drop_empty)
    cells = cells_of(opened(data), next(iter(modalities), "rna") if isinstance(modalities, Mapping) else "rna")
    chosen = resolve_modalities(list(cells.mods), modalities)
    cells = settled(cells, batch_key)
    cells = replace(cells, mods={k: cells.mods[k] for k in chosen}, rows={k: cells.rows[k] for k in chosen})
    check_sizes(cells)
    cells = measured(cells)
    specs, matrices = {}, {}
    for key, modality in chosen.items():
        values = stored(key, cells.mods[key], modality)
        if values is None:
            specs[key], matrices[key] = prepare_modality(key, cells.mods[key], modality, drop_empty=drop_empty)
        else:
            specs[key], matrices[key] = prepare_stored(key, cells.mods[key], values, modality, drop_empty=drop_empty)
    cells = measured(without_empty(cells, matrices))
    check_pairing(cells, joined)  # of what is left: rows of zeros pair nothing
    covariates = read_covariates(cells, batch_key)
    check_levels(covariates)
    check_shared_levels(cells, covariates)
    spec = DataSpec(specs, covariates, len(cells.obs_names))
    dataset = assemble(cells, spec, matrices, batch_index(cells.obs, covariates))
    specs = {key: replace(s, cells_per_level=cells_per_level(key, dataset, spec)) for key, s in specs.items()}
    for key in [key for key, modality in chosen.items() if modality.takes_panels]:
        mention_zero_filled(key, dataset, spec)
        specs[key] = replace(specs[key], lacking=lacking(key, dataset, spec))
    return replace(spec, modalities=specs), dataset


def check_sizes(cells: Cells) -> None:
    """Every modality has cells and features."""
    for key, adata in cells.mods.items():
        if not adata.n_obs or not adata.n_vars:
            raise InvalidPairing(
                f"{key!r} has {adata.n_obs} cells and {adata.n_vars} features; there is nothing to learn from."
            )


def measured(cells: Cells) -> Cells:
    """The cells that have any of the modalities."""
    some = np.any([cells.observed(key) for key in cells.mods], axis=0)
    if some.all():
        return cells
    rows = {key: position[some] for key, position in cells.rows.items()}
    return Cells(cells.obs_names[some], cells.obs[some], cells.mods, rows)


def without_empty(cells: Cells, matrices: Mapping[str, Matrix]) -> Cells:
    """Empty cells count as not measured."""
    rows = {}
    for key, matrix in matrices.items():
        position = cells.rows[key].copy()
        there = position >= 0
        position[there] = np.where(matrix.empty[position[there]], -1, position[there])
        rows[key] = position
    return replace(cells, rows=rows)


def prepare_modality(
    key: str, adata: ad.AnnData, modality: Modality, *, drop_empty: bool
) -> tuple[ModalitySpec, Matrix]:
    """Run the recipe of one modality on its training cells."""
    values, coverage, panels = checked_panels(key, adata, modality)
    if panels is not None:
        adata, values, panels = without_unmeasured(key, adata, values, panels)
    recorded = values if coverage is None else coverage
    seen = np.bincount(recorded.indices[recorded.data != 0], minlength=values.shape[1]) > 0  # zeros may be stored
    mention_unseen(key, int((~seen).sum()), values.shape[1])
    choices = modality.recipe(modality, values, adata.var)
    if choices.halved:
        values = halve(values)
    check_presence(key, values, choices.likelihood.__name__)
    chosen, rest = np.flatnonzero(choices.selected), np.flatnonzero(~choices.selected)
    order = np.concatenate([chosen, rest])
    total = feature_totals(values, panels)[order] if modality.has_depth else np.ones(len(order))
    names = adata.var_names.astype(str)
    largest, is_whole = (None, None) if modality.is_count else size_of(values.data)
    draft = ModalitySpec(
        kind=modality.name,
        likelihood=choices.likelihood.__name__,
        transform=modality.transform.__name__,
        features=tuple(names[chosen]),
        other_features=tuple(names[rest]) if modality.has_depth else (),
        share=tuple((total / max(total.sum(), 1e-12)).astype(float).tolist()) if modality.has_depth else (),
        median_depth=1.0,
        n_cells=adata.n_obs,
        has_depth=modality.has_depth,
        layer=modality.layer,
        coverage_layer=modality.coverage_layer,
        halved=choices.halved,
        n_components=modality.n_components,
        notes=choices.notes if panels is None else (*choices.notes, describe(panels)),
        n_panels=1 if panels is None else int(panels.used.sum()),
        largest=largest,
        is_whole=is_whole,
    )
    depth = depth_of(values, names, draft, panels)
    if len(rest):
        values = values[:, chosen]
        coverage = None if coverage is None else coverage[:, chosen]
        panels = None if panels is None else panels.columns(chosen)
    total_of_cell = np.diff(values.indptr) if coverage is not None else np.asarray(values.sum(1)).ravel()
    empty = (
        empty_cells(key, total_of_cell, adata.obs_names, drop_empty=drop_empty)
        if modality.is_count
        else np.zeros(adata.n_obs, dtype=bool)
    )
    if empty.all():
        raise InvalidPairing(f"{key!r} has no cell with a count; leave it out with `modalities`.")
    median = float(np.median(depth[~empty])) if modality.has_depth else 1.0
    found = np.ones(len(chosen), dtype=bool)
    n_cells = int((~empty).sum())
    spec = replace(draft, median_depth=median, n_cells=n_cells, n_components=modality.components_of(n_cells))
    return spec, Matrix(values, coverage, depth, found, empty, panels)


def prepare_stored(
    key: str, adata: ad.AnnData, values: StoredRows, modality: Modality, *, drop_empty: bool
) -> tuple[ModalitySpec, Matrix]:
    """The same of a modality that stays on disk: the recipe is run on some of its cells."""
    with warnings.catch_warnings():  # features that some cells lack may be in others: all are looked at below
        warnings.filterwarnings("ignore", message=".*features are zero in every cell", category=MultiomeWarning)
        panels = panels_of(key, adata.var_names, values) if modality.takes_panels else None
        some = some_cells(key, adata, values, modality, panels)
        draft, _ = prepare_modality(key, some, replace(modality, layer=None), drop_empty=True)
    spec, matrix, n_unseen = from_survey(key, adata, values, modality, draft, n_seen=some.n_obs, drop_empty=drop_empty)
    mention_unseen(key, n_unseen, adata.n_vars)
    return spec, matrix


def without_unmeasured(
    key: str, adata: ad.AnnData, values: sp.csr_matrix, panels: Panels
) -> tuple[ad.AnnData, sp.csr_matrix, Panels | None]:
    """Without the features that are in nobody's panel; no panels where cells do not differ in the others."""
    there = panels.anywhere
    mention_unmeasured(key, adata.var_names[~there], len(there))
    chosen = np.flatnonzero(there)
    panels = panels.columns(chosen)
    return adata[:, chosen], values[:, chosen], panels if panels.used.sum() > 1 else None


def feature_totals(values: sp.csr_matrix, panels: Panels | None) -> np.ndarray:
    """What each feature adds to the depth of all cells; where panels differ, were it measured in all of them."""
    return np.asarray(values.sum(0)).ravel() if panels is None else depth_shares(panel_totals(values, panels), panels)


def assemble(cells: Cells, spec: DataSpec, matrices: Mapping[str, Matrix], batches: np.ndarray) -> CellDataset:
    """Matrices and the obs map together."""
    exposure = {k: np.maximum(m.depth / spec.modalities[k].median_depth, 1e-3) for k, m in matrices.items()}
    return CellDataset(matrices, cells.rows, exposure, batches)
