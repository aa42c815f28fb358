"""Write which cells look like none of the training's: `Multiome.novelty` from file to file."""

from __future__ import annotations

from pathlib import Path

from multiome.cli.checks import UsageError, check_inputs, check_output
from multiome.cli.links import write_table

TABLES = (".csv", ".tsv")
"""Endings of the tables that are written."""


def novelty(
    model: Path,
    data: Path,
    *,
    out: Path,
    modality: str | None = None,
    min_features: float = 0.5,
    drop_empty: bool = False,
    overwrite: bool = False,
) -> None:
    """Write how unlike the training cells each cell is: new cell types, other species, features of other names.

    Parameters
    ----------
    model
        A fitted model.
    data
        Raw counts of at least one modality that the model knows (.h5mu, .h5ad or .zarr).
    out
        File for the table (.csv or .tsv): columns cell, novelty, unlike_training.
    modality
        Judge by this modality alone.
    min_features
        Least share of the model's features that must be there; those that are missing contribute nothing.
    drop_empty
        Treat cells without a single count as not measured, instead of raising an error.
    overwrite
        Replace the output if it exists.
    """
    if out.suffix not in TABLES:
        raise UsageError(f"--out {out} must end in {' or '.join(TABLES)}.")
    check_output(out, overwrite=overwrite, inputs=(model, data))
    check_inputs(model, data=[data])
    from multiome.api import Multiome

    table = Multiome.load(model).novelty(data, modality=modality, min_features=min_features, drop_empty=drop_empty)
    write_table(table.rename_axis("cell").reset_index(), out, overwrite=overwrite)
    print(f"Wrote {out}: {table['unlike_training'].sum():,} of {len(table):,} cells are unlike the training cells")
