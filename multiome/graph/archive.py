"""A graph's arrays as one ``.npz`` without pickle: a format version, names as JSON, numbers as they are."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from typing import IO, Any

import numpy as np
import pandas as pd

from multiome.errors import InvalidGraph
from multiome.files import check_output, draft
from multiome.graph.checks import DTYPES, LEVELS, STRANDS
from multiome.graph.parts import Parts

BinaryFile = IO[bytes] | io.BufferedIOBase
"""An open file, a member of a zip archive, or `io.BytesIO`; checks at run time know the second name only."""
FORMAT = 2
"""Raised when older versions of the package could not read the file; this version reads every format up to it."""


def write(file: BinaryFile, parts: Parts) -> None:
    """Write into an open binary file; the same graph gives the same bytes."""
    vertices, edges, report, places = parts
    modalities = vertices.unique("modality")
    chromosomes = None if places is None else pd.Index(places["chrom"].unique())
    text = {
        "package": "multiome",
        "content": "guidance graph",
        "format": FORMAT,
        "modalities": list(modalities),
        "features": list(vertices.get_level_values("feature")),
        "report": list(report),
        "chromosomes": None if chromosomes is None else list(chromosomes),
    }
    arrays = {name: edges[name].to_numpy(dtype) for name, dtype in DTYPES.items()}
    arrays["modality"] = modalities.get_indexer(vertices.get_level_values("modality")).astype(np.int32)
    if places is not None and chromosomes is not None:
        arrays["chrom"] = chromosomes.get_indexer(places["chrom"]).astype(np.int32)
        arrays["strand"] = pd.Index(STRANDS).get_indexer(places["strand"]).astype(np.int8)
        arrays |= {name: places[name].to_numpy(np.int64) for name in ("start", "end")}
    np.savez_compressed(file, text=np.frombuffer(json.dumps(text).encode(), dtype=np.uint8), **arrays)


def read(file: BinaryFile, name: str) -> Parts:
    """What `write` wrote.

    Raises
    ------
    InvalidGraph
        If it is no graph, cut short, or of a newer format; ``name`` says what was read.
    """
    try:
        start = file.tell()
        if not zipfile.is_zipfile(file):
            raise ValueError("no zip archive, or without its end")  # NumPy would advise to unpickle it
        file.seek(start)
        with np.load(file, allow_pickle=False) as members:
            text: dict[str, Any] = json.loads(members["text"].tobytes())
            arrays = {key: members[key] for key in members.files if key != "text"}
    except Exception as error:  # what reading a damaged archive may raise is not a closed list
        raise InvalidGraph(
            f"{name} is not a whole guidance graph saved by multiome ({type(error).__name__}: {error}). It may be "
            "truncated, or another kind of file."
        ) from error
    if not isinstance(text, dict) or text.get("content") != "guidance graph" or not isinstance(text.get("format"), int):
        raise InvalidGraph(f"{name} is an archive of arrays, but not a guidance graph saved by multiome.")
    if text["format"] > FORMAT:
        raise InvalidGraph(
            f"{name} has format {text['format']}, this version of multiome reads up to {FORMAT}; "
            "update multiome to load it."
        )
    try:
        keys = np.array(text["modalities"], dtype=object)[arrays["modality"]]
        vertices = pd.MultiIndex.from_arrays([keys, np.array(text["features"], dtype=object)], names=LEVELS)
        edges = pd.DataFrame({column: arrays[column] for column in DTYPES})
        places = None
        if text.get("chromosomes") is not None:  # format 1 had no places
            chrom = np.array(text["chromosomes"], dtype=object)[arrays["chrom"]]
            strand = np.array(STRANDS, dtype=object)[arrays["strand"]]
            places = pd.DataFrame({"chrom": chrom, "start": arrays["start"], "end": arrays["end"], "strand": strand})
        return Parts(vertices, edges, tuple(str(sentence) for sentence in text["report"]), places)
    except Exception as error:
        raise InvalidGraph(f"{name} is damaged: {type(error).__name__}: {error}") from error


def save(path: str | os.PathLike, content: Callable[[BinaryFile], None], *, overwrite: bool) -> None:
    """Write beside the target and rename into place: the old or the new file, never half of one.

    Raises
    ------
    FileExistsError
        If something is there and must not be replaced.
    FileNotFoundError
        If the folder does not exist.
    """
    target = check_output(path, overwrite=overwrite)
    with draft(target) as beside, beside.open("wb") as file:
        content(file)
