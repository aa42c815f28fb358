"""What each key of the data is, from the options ``--modalities``, ``--layer`` and ``--continuous``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import anndata as ad
import mudata as md

from multiome.data.keys import resolve_modalities
from multiome.errors import unknown
from multiome.modalities.base import Modality
from multiome.modalities.registry import MODALITIES


def assays(
    data: md.MuData | ad.AnnData,
    *,
    kinds: Mapping[str, str] | None,
    layers: Mapping[str, str] | None,
    continuous: Sequence[str] | None,
) -> dict[str, Modality] | None:
    """The ``modalities`` argument of `fit`; None leaves all of it to the names of the keys.

    Raises
    ------
    UnknownName
        If an option names a key that is not there, or that ``--modalities`` leaves out.
    """
    given = {key: MODALITIES[kind] for key, kind in kinds.items()} if kinds else None
    if not layers and not continuous:
        return given
    keys = list(data.mod) if isinstance(data, md.MuData) else list(given or ["rna"])
    chosen = resolve_modalities(keys, given)
    for option, named in (("--layer", layers or {}), ("--continuous", continuous or ())):
        for key in named:
            if key not in chosen:
                raise unknown("modality", key, list(chosen), where=f" in {option}")
    for key, layer in (layers or {}).items():
        chosen[key] = chosen[key].with_layer(layer)
    for key in continuous or ():
        chosen[key] = chosen[key].continuous()
    return chosen
