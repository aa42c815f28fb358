"""Read, call, write: the functions of `multiome.api` with paths in place of values."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from multiome.cli.checks import check_checkpoint, check_devices, check_inputs, check_output
from multiome.cli.files import copy_with, kind_of
from multiome.data.opened import keys_of
from multiome.model.config import ModelConfig
from multiome.train.config import LossWeights, TrainConfig

FORMATS = (".h5mu", ".h5ad", ".zarr")
"""Of data."""
Kind = Literal["rna", "atac", "protein", "methylation"]


def fit(
    mdata: Path,
    *,
    out: Path,
    graph: Path | None = None,
    batch_key: list[str] | None = None,
    modalities: dict[str, Kind] | None = None,
    layer: dict[str, str] | None = None,
    continuous: list[str] | None = None,
    config: ModelConfig = ModelConfig(),
    train: TrainConfig = TrainConfig(),
    loss: LossWeights = LossWeights(),
    seed: int = 0,
    drop_empty: bool = False,
    overwrite: bool = False,
) -> None:
    """Train a model on paired, partly paired or, with a guidance graph, unpaired cells.

    Parameters
    ----------
    mdata
        Raw counts, one modality per assay (.h5mu or .zarr, or .h5ad for RNA alone). Which cells are paired is what the
        file's own obs map says: a cell that a modality does not list is unmeasured there, never zero.
    out
        File for the fitted model.
    graph
        A guidance graph that Python has written with GuidanceGraph.save: which features belong together. Modalities
        that it joins need not share a single cell.
    batch_key
        Column of the experimental batch (donor, run); repeat the option for several. Looked up in the common obs, then
        in each modality's obs.
    modalities
        What each key is, for example --modalities.peaks atac; keys left out are not used. By default keys such as rna,
        gex, atac, peaks, prot, adt, met are recognised.
    layer
        The layer that holds a modality's values, for example --layer.rna counts; by default they are in X.
    continuous
        A modality whose values are not counts (log-normalised, CLR, qPCR), for example --continuous rna: they get a
        normal likelihood. Repeat the option for several.
    config
        Size of the model.
    train
        Optimisation.
    loss
        What each loss term counts.
    seed
        Same seed, same machine and same number of threads: same result.
    drop_empty
        Treat cells without a single count in a modality as not measured there, instead of raising an error.
    overwrite
        Replace the output if it exists.
    """
    inputs = [mdata] if graph is None else [mdata, graph]
    check_output(out, overwrite=overwrite, inputs=inputs)
    check_checkpoint(train, out)
    check_inputs(*inputs[1:], data=[mdata])
    check_devices(train)
    from multiome.graph.guidance import GuidanceGraph

    knowledge = None if graph is None else GuidanceGraph.load(graph)  # first: it is small, and may be damaged
    keys = keys_of(mdata)
    from multiome.api import fit as fit_model
    from multiome.cli.assays import assays
    from multiome.train.processes import is_first

    model = fit_model(
        mdata,
        graph=knowledge,
        batch_key=batch_key,
        modalities=assays(keys, kinds=modalities, layers=layer, continuous=continuous),
        config=config,
        train=train,
        loss=loss,
        seed=seed,
        drop_empty=drop_empty,
    )
    model.save(out, overwrite=overwrite)
    if is_first():
        print(f"{model}\nWrote {out}")


def embed(
    model: Path,
    data: Path,
    *,
    out: Path,
    key: str = "X_multiome",
    modality: str | None = None,
    min_features: float = 0.5,
    drop_empty: bool = False,
    overwrite: bool = False,
) -> None:
    """Write a copy of the data with the latent state of every cell.

    Parameters
    ----------
    model
        A fitted model.
    data
        Raw counts of at least one modality that the model knows (.h5mu, .h5ad or .zarr).
    out
        File for the copy, of the same kind as the data.
    key
        Where in obsm the latent states go.
    modality
        Embed from this modality alone; its latent states go to the obsm of the modality.
    min_features
        Least share of the model's features that must be there; those that are missing contribute nothing.
    drop_empty
        Treat cells without a single count as not measured, instead of raising an error.
    overwrite
        Replace the output if it exists.
    """
    check_output(out, overwrite=overwrite, inputs=(model,), suffixes=FORMATS)
    check_inputs(model, data=[data])
    check_output(out, overwrite=overwrite, suffixes=[kind_of(data)])
    from multiome.api import Multiome
    from multiome.data.keys import matching_keys

    fitted, keys, theirs = Multiome.load(model), keys_of(data), None
    z = fitted.embed(data, modality=modality, min_features=min_features, drop_empty=drop_empty)
    if keys is not None and modality is not None:
        known = fitted.spec.key(modality)
        theirs = matching_keys(keys, fitted.spec, only=known)[known]
    copy_with(data, out, z, key=key, modality=theirs)
    print(f"Wrote {out}: {z.shape[0]:,} cells x {z.shape[1]} latent dimensions in obsm[{key!r}]")
