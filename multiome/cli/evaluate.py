"""Score predictions beside simple methods: `Multiome.evaluate` from file to file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from multiome.cli.checks import UsageError, check_inputs, check_interval, check_output
from multiome.cli.links import write_table
from multiome.data.opened import keys_of

if TYPE_CHECKING:
    import pandas as pd


def evaluate(
    model: Path,
    data: Path,
    *,
    reference: Path | None = None,
    out: Path | None = None,
    plot: Path | None = None,
    per: Literal["all", "feature"] = "all",
    level: float = 0.9,
    n_samples: int = 100,
    max_cells: int = 2000,
    seed: int = 0,
    min_features: float = 0.5,
    drop_empty: bool = False,
    overwrite: bool = False,
) -> None:
    """Score every direction of prediction that some cells allow, beside simple methods on the same cells.

    Parameters
    ----------
    model
        A fitted model.
    data
        Cells that the model was not fitted on, in which at least two modalities were measured (.h5mu or .zarr).
    reference
        Cells to train simple methods on, usually those that the model was fitted on (.h5mu or .zarr): mean, nearest
        cells, ridge regression. Without it the model stands alone, and a score says little.
    out
        File for the table (.csv or .tsv); a summary is printed in any case.
    plot
        File for a picture of the scores (.png, .pdf or .svg); needs the reference.
    per
        all, one row per direction, method and score; or feature, one per feature besides.
    level
        Probability of the intervals.
    n_samples
        Draws that they are made of.
    max_cells
        At most so many cells per direction, drawn at random.
    seed
        Of draws, and of which cells.
    min_features
        Least share of the model's features that must be there; those that are missing contribute nothing.
    drop_empty
        Treat cells without a single count as not measured, instead of raising an error.
    overwrite
        Replace the outputs if they exist.
    """
    inputs = [path for path in (model, data, reference) if path is not None]
    for option, path, known in (("--out", out, (".csv", ".tsv")), ("--plot", plot, (".png", ".pdf", ".svg"))):
        if path is not None:
            if path.suffix not in known:
                raise UsageError(f"{option} {path} must end in {', '.join(known[:-1])} or {known[-1]}.")
            check_output(path, overwrite=overwrite, inputs=inputs)
    if plot is not None and (reference is None or per != "all"):
        raise UsageError("--plot compares methods: it needs --reference, and --per all.")
    check_interval(level, n_samples, option="level")
    check_inputs(model, data=inputs[1:])
    for path in inputs[1:]:
        if keys_of(path) is None:
            raise UsageError(
                f"{path} holds one modality; evaluate needs cells in which several were measured (.h5mu or .zarr)."
            )
    if max_cells < 10:
        raise UsageError(f"--max_cells must be at least 10, got {max_cells}.")
    from multiome.api import Multiome

    table = Multiome.load(model).evaluate(
        data,
        reference=reference,
        per=per,
        level=level,
        n_samples=n_samples,
        max_cells=max_cells,
        seed=seed,
        min_features=min_features,
        drop_empty=drop_empty,
    )
    print(summary(table))
    if out is not None:
        write_table(table, out, overwrite=overwrite)
        print(f"Wrote {out}: {len(table):,} rows")
    if plot is not None and table["method"].nunique() == 1:
        print(f"No {plot}: no simple method could be trained on the reference, so there is nothing to compare.")
    elif plot is not None:
        from multiome.files import draft
        from multiome.pl import evaluation

        with draft(plot) as beside:
            evaluation(table).savefig(beside, dpi=150, format=plot.suffix[1:])
        print(f"Wrote {plot}")


def summary(table: pd.DataFrame) -> str:
    """The table as people read it: a column per method; of features, their mean."""
    shown = table.pivot_table(
        index=["source", "target", "n_cells", "score"], columns="method", values="value", aggfunc="mean", sort=False
    )
    return shown.to_string(float_format=lambda x: f"{x:.3f}", na_rep="")
