"""Cells that a fitted model is shown: every modality that both know, in the model's order of features."""

from __future__ import annotations

import anndata as ad
import numpy as np

from multiome.data.build import assemble, without_empty
from multiome.data.cells import Cells, cells_of
from multiome.data.checks import check_share
from multiome.data.covariates import query_batch_index
from multiome.data.dataset import CellDataset
from multiome.data.keys import only_key, wanted_keys
from multiome.data.matrix import read_matrix
from multiome.data.opened import Data, opened
from multiome.data.spec import DataSpec
from multiome.data.stored import stored
from multiome.data.survey import query_matrix
from multiome.errors import UnknownName, check_flag, listed


def read_query(
    data: Data | Cells,
    spec: DataSpec,
    *,
    modality: str | None = None,
    target: str | None = None,
    min_features: float = 0.5,
    drop_empty: bool = False,
) -> tuple[Cells, CellDataset]:
    """Cells to show a fitted model: every modality that both know, or the one that is named, never the ``target``.

    Raises
    ------
    UnknownName
        If no modality of the data was trained on, or none but the target.
    """
    check_share("min_features", min_features)
    check_flag("drop_empty", drop_empty)
    data = opened(data)
    if isinstance(data, ad.AnnData):
        key = spec.key(modality) if modality is not None else only_key(spec)
        cells, wanted = cells_of(data, key), {key: key}
        batches = query_batch_index(cells, spec)
    else:
        cells = cells_of(data)
        wanted = wanted_keys(list(cells.mods), spec, modality)
        batches = query_batch_index(cells, spec)  # a modality that is not looked at may still say which batch
        if modality is not None:
            (theirs,) = wanted.values()
            batches = batches[cells.obs_names.get_indexer(cells.mods[theirs].obs_names)]
            cells = only(cells, theirs)
    held = list(wanted)
    wanted = {key: theirs for key, theirs in wanted.items() if key != target}
    if not wanted:
        raise UnknownName(f"The data hold {listed(held)} only; nothing to predict {target!r} from.")
    view = Cells(
        cells.obs_names,
        cells.obs,
        {key: cells.mods[theirs] for key, theirs in wanted.items()},
        {key: cells.rows[theirs] for key, theirs in wanted.items()},
    )
    matrices = {}
    for key, adata in view.mods.items():
        s = spec.modalities[key]
        values = stored(key, adata, s.modality)
        matrices[key] = (
            read_matrix(key, adata, s, min_features=min_features, drop_empty=drop_empty)
            if values is None
            else query_matrix(key, adata, values, s, min_features=min_features, drop_empty=drop_empty)
        )
    return view, assemble(without_empty(view, matrices), spec, matrices, batches)


def only(cells: Cells, key: str) -> Cells:
    """The cells of one modality, in its own order; what ``mdata.obs`` says of them stays known."""
    names = cells.mods[key].obs_names
    return Cells(names, cells.obs.reindex(names), {key: cells.mods[key]}, {key: np.arange(len(names))})
