"""Write predictions: `Multiome.translate`, `Multiome.impute` and `Multiome.denoise` from file to file."""

from __future__ import annotations

from pathlib import Path

import anndata as ad

from multiome.cli.checks import check_inputs, check_interval, check_output

FORMATS = (".h5ad", ".zarr")
"""Of predictions."""


def translate(
    model: Path,
    data: Path,
    *,
    source: str,
    target: str,
    out: Path,
    scale: str | None = None,
    depth: float | str = "predicted",
    features: list[str] | None = None,
    batch: list[str] | None = None,
    seed: int = 0,
    min_features: float = 0.5,
    drop_empty: bool = False,
    overwrite: bool = False,
) -> None:
    """Write the expected values of one modality in cells where another was measured.

    Parameters
    ----------
    model
        A fitted model.
    data
        Cells with the source modality (.h5mu, .h5ad or .zarr).
    source
        The measured modality: a key of the data that the model was fitted on, or the kind of assay where only one key
        is of that kind.
    target
        The modality to predict, named in the same way.
    out
        File for the result (.h5ad or .zarr): expected values, cells of the source x features.
    scale
        counts (default), log_cp10k (RNA), clr, foreground or background_removed (protein), probability (ATAC),
        fraction (methylation, its default) or values (data that are not counts, their default).
    depth
        Total counts to predict at: predicted (from the source's depth and batch), reference (the training median), or a
        number.
    features
        Only these features of the target; repeat the option for several.
    batch
        Predict as if measured in this experimental batch; repeat the option where there are several covariates. By
        default each cell's own; one that training did not have gets the average effect, with a warning.
    seed
        Of the draws.
    min_features
        Least share of the model's features that must be there; those that are missing contribute nothing.
    drop_empty
        Treat cells without a single count as not measured, instead of raising an error.
    overwrite
        Replace the output if it exists.
    """
    check_output(out, overwrite=overwrite, suffixes=FORMATS, inputs=(model, data))
    check_inputs(model, data=[data])
    from multiome.api import Multiome

    predicted = Multiome.load(model).translate(
        data,
        source=source,
        target=target,
        scale=scale,
        depth=depth,
        features=features,
        batch=batch,
        seed=seed,
        min_features=min_features,
        drop_empty=drop_empty,
        out=out,
        overwrite=overwrite,
    )
    tell(predicted, out)


def impute(
    model: Path,
    data: Path,
    *,
    target: str,
    out: Path,
    scale: str | None = None,
    n_samples: int = 100,
    interval: float | None = None,
    depth: float | str = "predicted",
    features: list[str] | None = None,
    batch: list[str] | None = None,
    seed: int = 0,
    min_features: float = 0.5,
    drop_empty: bool = False,
    overwrite: bool = False,
) -> None:
    """Predict a modality from every other one that a cell has, with uncertainty.

    Parameters
    ----------
    model
        A fitted model.
    data
        Cells with at least one modality that the model knows (.h5mu, .h5ad or .zarr); the target itself, where
        measured, is not looked at.
    target
        The modality to predict: a key of the data that the model was fitted on, or a kind of assay such as protein.
    out
        File for the result (.h5ad or .zarr): X the mean, layer std the standard deviation of a new measurement.
    scale
        counts (default), log_cp10k (RNA), clr, foreground or background_removed (protein), probability (ATAC),
        fraction (methylation, its default) or values (data that are not counts, their default).
    n_samples
        Posterior predictive draws; more draws give smoother intervals. The draws of a cell, unlike its mean, depend
        on which cells and features are predicted with it: of few draws, ``std`` and ends of intervals differ.
    interval
        Also write the ends of the central interval of this probability (say 0.9), as layers lower and upper.
    depth
        Total counts to predict at: predicted (from the source's depth and batch), reference (the training median), or a
        number.
    features
        Only these features of the target; repeat the option for several.
    batch
        Predict as if measured in this experimental batch; repeat the option where there are several covariates. By
        default each cell's own; one that training did not have gets the average effect, with a warning.
    seed
        Of the draws.
    min_features
        Least share of the model's features that must be there; those that are missing contribute nothing.
    drop_empty
        Treat cells without a single count as not measured, instead of raising an error.
    overwrite
        Replace the output if it exists.
    """
    check_output(out, overwrite=overwrite, suffixes=FORMATS, inputs=(model, data))
    check_interval(interval, n_samples)
    check_inputs(model, data=[data])
    from multiome.api import Multiome

    predicted = Multiome.load(model).impute(
        data,
        target,
        scale=scale,
        n_samples=n_samples,
        depth=depth,
        features=features,
        batch=batch,
        seed=seed,
        min_features=min_features,
        drop_empty=drop_empty,
        out=out,
        interval=interval,
        overwrite=overwrite,
    )
    tell(predicted, out)


def denoise(
    model: Path,
    data: Path,
    *,
    modality: str,
    out: Path,
    scale: str | None = None,
    n_samples: int = 0,
    interval: float | None = None,
    depth: float | str = "own",
    features: list[str] | None = None,
    batch: list[str] | None = None,
    seed: int = 0,
    min_features: float = 0.5,
    drop_empty: bool = False,
    overwrite: bool = False,
) -> None:
    """Smooth a modality that was measured, by all that was measured of each cell.

    Parameters
    ----------
    model
        A fitted model.
    data
        Cells with the modality (.h5mu, .h5ad or .zarr); what else was measured of them is used, too.
    modality
        The modality to smooth: a key of the data that the model was fitted on, or a kind of assay such as protein.
    out
        File for the result (.h5ad or .zarr): X the mean, and, with draws, layer std the standard deviation of another
        measurement.
    scale
        counts (default), log_cp10k (RNA), clr, foreground or background_removed (protein), probability (ATAC),
        fraction (methylation, its default) or values (data that are not counts, their default).
    n_samples
        Draws, which intervals need; by default none, so that any number of cells fits into memory.
    interval
        Also write the ends of central intervals of this probability (say 0.9): of the smoothed value, without the noise
        of counting, as layers expected_lower and expected_upper, and of a second count of the same library as lower
        and upper.
    depth
        Total counts to predict at: own (as deep as the cell was measured), reference (the training median), or a
        number.
    features
        Only these features; repeat the option for several.
    batch
        Predict as if measured in this experimental batch; repeat the option where there are several covariates. By
        default each cell's own; one that training did not have gets the average effect, with a warning.
    seed
        Of the draws.
    min_features
        Least share of the model's features that must be there; those that are missing contribute nothing.
    drop_empty
        Treat cells without a single count as not measured, instead of raising an error.
    overwrite
        Replace the output if it exists.
    """
    check_output(out, overwrite=overwrite, suffixes=FORMATS, inputs=(model, data))
    check_interval(interval, n_samples)
    check_inputs(model, data=[data])
    from multiome.api import Multiome

    predicted = Multiome.load(model).denoise(
        data,
        modality,
        scale=scale,
        n_samples=n_samples,
        depth=depth,
        features=features,
        batch=batch,
        seed=seed,
        min_features=min_features,
        drop_empty=drop_empty,
        out=out,
        interval=interval,
        overwrite=overwrite,
    )
    tell(predicted, out)


def tell(predicted: ad.AnnData, out: Path) -> None:
    """Say what was written."""
    scale = predicted.uns["multiome"]["scale"]
    print(f"Wrote {out}: {predicted.n_obs:,} cells x {predicted.n_vars:,} features, {scale}")
