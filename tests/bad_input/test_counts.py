"""Values that cannot be trained on are named errors before training."""

from __future__ import annotations

from dataclasses import replace

import mudata as md
import numpy as np
import pytest
import scipy.sparse as sp

import multiome as mo
from multiome.errors import InvalidCounts, InvalidPairing, MultiomeWarning, UnknownName
from multiome.likelihoods.bernoulli import Bernoulli
from tests.bad_input.cells import Trained, refused

pytestmark = pytest.mark.usefixtures("never_trains")


@pytest.mark.parametrize(
    ("value", "problem"),
    [(0.5, "not whole numbers"), (-1.0, "negative"), (np.nan, "NaN or infinite"), (np.inf, "NaN or infinite")],
)
@pytest.mark.parametrize("form", [sp.csr_matrix, np.asarray], ids=["sparse", "dense"])
def test_values_that_are_no_counts(rna, value, problem, form):
    x = rna.X.toarray()
    x[3, 5] = value
    rna.X = form(x)
    refused(
        InvalidCounts,
        rf"'rna' .*{problem}.*1 values, the first {value:g} at cell 'cell3', 'gene5'",
        md.MuData({"rna": rna}),
    )


@pytest.mark.parametrize("value", [0.5, -1.0])
def test_the_normal_likelihood_is_offered_and_works(rna, value):
    rna.X = rna.X.toarray() + value
    mdata = md.MuData({"rna": rna})
    refused(InvalidCounts, r"modalities=\{'rna': \.\.\.continuous\(\)\}", mdata)
    with pytest.raises(Trained):
        mo.fit(mdata, modalities={"rna": mo.RNA.continuous()})


@pytest.mark.parametrize("dtype", [object, complex])
def test_values_that_are_no_numbers(rna, dtype):
    rna.layers["odd"] = rna.X.toarray().astype(dtype)
    refused(
        InvalidCounts,
        r"'rna': layer 'odd' must hold numbers, but its dtype is .*astype\('float32'\)",
        md.MuData({"rna": rna}),
        modalities={"rna": mo.RNA.with_layer("odd")},
    )


def test_values_too_large_for_a_variance(rna):
    rna.X = rna.X.toarray()
    rna.X[2, 4] = -1e20
    refused(
        InvalidCounts,
        r"'rna' holds values above 1e\+15.*first -1e\+20 at cell 'cell2', 'gene4'",
        md.MuData({"rna": rna}),
        modalities={"rna": mo.RNA.continuous()},
    )


def test_presence_cannot_be_fitted_on_counts(rna):
    refused(
        InvalidCounts,
        "'rna': the model describes presence, 0 or 1, but there are counts up to",
        md.MuData({"rna": rna}),
        modalities={"rna": replace(mo.ATAC, likelihood=Bernoulli)},
    )


def test_layers_with_raw_counts_are_offered(rna):
    rna.layers["raw"] = rna.X.copy()
    rna.X = rna.X.toarray() * 0.5
    mdata = md.MuData({"rna": rna})
    refused(InvalidCounts, r"There are layers 'raw'.*with_layer", mdata)
    with pytest.raises(Trained):
        mo.fit(mdata, modalities={"rna": mo.RNA.with_layer("raw")})


def test_a_cell_without_a_single_count(rna, atac):
    x = atac.X.toarray()
    x[[4, 9]] = 0
    atac.X = sp.csr_matrix(x)
    mdata = md.MuData({"rna": rna, "atac": atac})
    refused(InvalidCounts, r"'atac': 2 of 30 cells .*'cell4', 'cell9'.*drop_empty=True", mdata)
    with pytest.raises(Trained):
        mo.fit(mdata, drop_empty=True)


def test_a_modality_of_empty_cells_cannot_be_dropped_cell_by_cell(rna, atac):
    atac.X = sp.csr_matrix(atac.shape, dtype=np.float32)
    with pytest.warns(MultiomeWarning, match="zero in every cell"):
        refused(
            InvalidPairing, "'atac' has no cell with a count", md.MuData({"rna": rna, "atac": atac}), drop_empty=True
        )


def test_coverage_below_methylated_calls(met):
    calls, coverage = met.X.toarray(), met.layers["coverage"].toarray()
    calls[2, 0], coverage[2, 0] = 3, 1
    met.X, met.layers["coverage"] = sp.csr_matrix(calls), sp.csr_matrix(coverage)
    refused(
        InvalidCounts,
        r"'met': methylated calls exceed the coverage by 1 values, the first 2 at cell 'cell2', 'site0'",
        md.MuData({"met": met}),
    )


def test_coverage_that_is_missing_or_no_counts(met):
    met.layers["coverage"] = met.layers["coverage"] * 0.75
    refused(InvalidCounts, r"'met' \(layer 'coverage'\).*not whole numbers", md.MuData({"met": met}))
    del met.layers["coverage"]
    refused(
        UnknownName,
        r"layer 'coverage' of 'met' \(methylation needs its total calls\); there is none",
        md.MuData({"met": met}),
    )
    met.layers["total"] = met.X * 2
    with pytest.raises(Trained):
        mo.fit(md.MuData({"met": met}), modalities={"met": replace(mo.METHYLATION, coverage_layer="total")})


def test_calls_that_are_read_from_the_coverage(met):
    """They would all be methylated."""
    modality = mo.METHYLATION.with_layer("coverage")
    refused(
        InvalidCounts, "'met': layer 'coverage' cannot hold both", md.MuData({"met": met}), modalities={"met": modality}
    )
    met.X = met.X * 0.5
    with pytest.raises(InvalidCounts, match=r"Pass raw counts with") as told:
        mo.fit(md.MuData({"met": met}))
    assert "There are layers" not in str(told.value)


def test_counts_in_raw_are_mentioned(rna):
    rna.raw = rna.copy()
    rna.X = rna.X * 0.5
    refused(InvalidCounts, r"\.raw may hold the counts", md.MuData({"rna": rna}))


def test_a_layer_of_data_without_any(rna):
    refused(
        UnknownName, r"'cnts' of 'rna'; it has no layers, only \.X\. .* leave the layer out", md.MuData({"rna": rna}),
        modalities={"rna": mo.RNA.with_layer("cnts")},
    )  # fmt: skip


def test_features_that_are_zero_everywhere_are_kept_and_mentioned_once(rna, atac):
    x = rna.X.toarray()
    x[:, [3, 7]] = 0
    rna.X = sp.csr_matrix(x)
    with pytest.warns(MultiomeWarning) as told, pytest.raises(Trained):
        mo.fit(md.MuData({"rna": rna, "atac": atac}))
    mentions = [str(w.message) for w in told if "zero in every cell" in str(w.message)]
    assert len(mentions) == 1
    assert mentions[0].startswith("'rna': 2 of 12 features are zero in every cell. They are kept and do no harm")
