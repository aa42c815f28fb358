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
from multiome.graph.checks import DTYPES, LEVELS

BinaryFile = IO[bytes] | io.BufferedIOBase
"""An open file, a member of a zip archive, or `io.BytesIO`; checks at run time know the second name only."""
FORMAT = 1
"""Raised when older versions of the package could not read the file; this version reads every format up to it."""


def write(file: BinaryFile, vertices: pd.MultiIndex, edges: pd.DataFrame, report: tuple[str, ...]) -> None:
    """Write into an open binary file; the same graph gives the same bytes."""
    modalities = vertices.unique("modality")
    text = {
        "package": "multiome",
        "content": "guidance graph",
        "format": FORMAT,
        "modalities": list(modalities),
        "features": list(vertices.get_level_values("feature")),
        "report": list(report),
    }
    np.savez_compressed(
        file,
        text=np.frombuffer(json.dumps(text).encode(), dtype=np.uint8),
        modality=modalities.get_indexer(vertices.get_level_values("modality")).astype(np.int32),
        **{name: edges[name].to_numpy(dtype) for name, dtype in DTYPES.items()},
    )


def read(file: BinaryFile, name: str) -> tuple[pd.MultiIndex, pd.DataFrame, tuple[str, ...]]:
    """Vertices, edges and report of what `write` wrote.

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
        return vertices, edges, tuple(str(sentence) for sentence in text["report"])
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
