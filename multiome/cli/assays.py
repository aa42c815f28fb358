"""What each key of the data is, from the options ``--modalities``, ``--layer`` and ``--continuous``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from multiome.data.keys import resolve_modalities
from multiome.errors import unknown
from multiome.modalities.base import Modality
from multiome.modalities.registry import MODALITIES


def assays(
    keys: Sequence[str] | None,
    *,
    kinds: Mapping[str, str] | None,
    layers: Mapping[str, str] | None,
    continuous: Sequence[str] | None,
) -> dict[str, Modality] | None:
    """The ``modalities`` argument of `fit`, for data of these keys, or without; None leaves all to their names.

    Raises
    ------
    UnknownName
        If an option names a key that is not there, or that ``--modalities`` leaves out.
    """
    given = {key: MODALITIES[kind] for key, kind in kinds.items()} if kinds else None
    if not layers and not continuous:
        return given
    chosen = resolve_modalities(list(given or ["rna"]) if keys is None else keys, given)
    for option, named in (("--layer", layers or {}), ("--continuous", continuous or ())):
        for key in named:
            if key not in chosen:
                raise unknown("modality", key, list(chosen), where=f" in {option}")
    for key, layer in (layers or {}).items():
        chosen[key] = chosen[key].with_layer(layer)
    for key in continuous or ():
        chosen[key] = chosen[key].continuous()
    return chosen
