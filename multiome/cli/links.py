"""Write which features belong together: `Multiome.links` and `Links.regulons` from file to file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from multiome.cli.checks import UsageError, check_inputs, check_output
from multiome.errors import MultiomeError

SEPARATORS = {".tsv": "\t", ".csv": ","}
DRAWN = (".bedpe", ".interact", ".longrange")
"""Files that genome browsers draw."""


def links(
    model: Path,
    *,
    out: Path,
    source: str = "atac",
    target: str = "rna",
    window: float | None = None,
    q: float | None = None,
    motifs: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Write which of the guidance graph's edges the training cells bear out: peaks that may regulate a gene.

    Parameters
    ----------
    model
        A model that was fitted with a guidance graph.
    out
        File for the result. The end of its name says which: .tsv or .csv (a table), .bedpe (bedtools, IGV), .interact
        (UCSC, IGV) or .longrange (WashU); each with .gz behind it is compressed.
    source
        A key of the data that the model was fitted on, or the kind of assay where only one key is of that kind.
    target
        The other modality, named in the same way; the guidance graph must join the two.
    window
        Only edges of at most so many base pairs; by default all that the graph has. q is over these.
    q
        Only rows with a false discovery rate of at most this, above 0 and up to 1; all by default.
    motifs
        Write transcription factors and the genes that they may regulate instead, through motifs in linked peaks: a
        .tsv or .csv file with one row per hit and the columns tf and peak, or a matrix of 0 and 1, peaks as rows.
    overwrite
        Replace the output if it exists.
    """
    suffix = suffix_of(out, option="--out", known=(*SEPARATORS, *(DRAWN if motifs is None else ())))
    inputs = [model] if motifs is None else [model, motifs]
    check_output(out, overwrite=overwrite, inputs=inputs)
    if motifs is not None:
        suffix_of(motifs, option="--motifs", known=tuple(SEPARATORS))
    if window is not None and (window < 0 or window % 1):
        wanted = "at least 0" if window < 0 else "whole"
        raise UsageError(f"--window is a number of base pairs and must be {wanted}, got {window:,g}.")
    if q is not None and not 0 < q <= 1:
        raise UsageError(f"--q is a false discovery rate and must be above 0 and at most 1, got {q:g}.")
    check_inputs(*inputs)
    from multiome.api import Multiome

    hits = None if motifs is None else read_motifs(motifs)  # first: they are small, and may be damaged
    found = Multiome.load(model).links(source, target, window=None if window is None else int(window))
    if hits is not None:
        rows = found.regulons(hits, q=q)
        write_table(rows, out, overwrite=overwrite)
        print(f"{found}\nWrote {out}: {len(rows):,} pairs of transcription factor and gene")
        return
    print(found)
    found = found if q is None else found.significant(q)
    if suffix in SEPARATORS:
        write_table(found.to_dataframe(), out, overwrite=overwrite)
    elif suffix == ".bedpe":
        found.to_bedpe(out, overwrite=overwrite)
    else:
        found.to_arcs(out, overwrite=overwrite)
    print(f"Wrote {out}: {len(found):,} links")


def suffix_of(path: Path, *, option: str, known: tuple[str, ...]) -> str:
    """What a name ends in, before ``.gz``.

    Raises
    ------
    UsageError
        If it is none of those that are known.
    """
    suffix = Path(path.name.removesuffix(".gz")).suffix
    if suffix not in known:
        ends = f"{', '.join(known[:-1])} or {known[-1]}"
        raise UsageError(f"{option} {path} must end in {ends}, or in one of these and .gz.")
    return suffix


def write_table(table: pd.DataFrame, path: Path, *, overwrite: bool) -> None:
    """Write a table as its name says, whole or not at all."""
    from multiome.predict.link_files import write_lines

    text = table.to_csv(None, sep=separator(path), index=False, lineterminator="\n")
    write_lines(path, text.split("\n")[:-1], overwrite=overwrite)


def read_motifs(path: Path) -> pd.DataFrame:
    """Hits, or a matrix whose first column names the peaks.

    Raises
    ------
    MultiomeError
        If it is no table.
    """
    try:
        table = pd.read_csv(path, sep=separator(path), keep_default_na=False, na_values=[""])
    except (ValueError, OSError, EOFError) as error:
        raise MultiomeError(f"{path} cannot be read as a table: {type(error).__name__}: {error}") from error
    values = table.iloc[:, 1:]
    is_matrix = "tf" not in table and len(values.columns) and all(map(pd.api.types.is_numeric_dtype, values.dtypes))
    return table.set_index(table.columns[0]) if is_matrix else table


def separator(path: Path) -> str:
    """What parts the columns of a table of that name."""
    return SEPARATORS[Path(path.name.removesuffix(".gz")).suffix]
