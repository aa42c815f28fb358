"""A fit that was killed goes on where it stopped: the state of training, written after every epoch."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import scipy.sparse as sp
import torch

from multiome.data.dataset import CellDataset
from multiome.errors import MultiomeError
from multiome.files import check_output, draft
from multiome.graph.edges import FeatureEdges
from multiome.train.interrupt import StopOnInterrupt
from multiome.train.processes import ALL, Share, of_all

KEY = "multiome"
"""Under which a file says which fit it is of."""
FORM = 2
"""Counted up where a state of training comes to hold something else: an earlier one is then of another fit."""


def digest(cells: CellDataset, known: CellDataset, rows: np.ndarray, edges: FeatureEdges | None) -> str:
    """The same for the same data and graph: depth, pairing and batch of every cell, and every value in ``known``.

    ``known`` are the cells whose values are in memory: all, or some of many.
    """
    told = hashlib.sha256(f"{version('multiome')} {FORM}".encode())

    def add(*arrays: np.ndarray) -> None:
        for array in arrays:
            told.update(repr((array.shape, array.dtype.str)).encode())
            told.update(np.ascontiguousarray(array).data)

    add(rows, cells.batch_index)
    for key, matrix in cells.matrices.items():
        add(cells.rows[key], matrix.depth)
    for matrix in known.matrices.values():
        for x in (matrix.values, matrix.coverage):
            if isinstance(x, sp.csr_matrix):
                add(x.indptr, x.indices, x.data)
        if matrix.panels is not None:
            add(matrix.panels.measured, matrix.panels.member)
    if edges is not None:
        add(edges.source, edges.target, edges.weight, edges.is_decoy)
    return told.hexdigest()


def fingerprint(*parts: Any) -> str:
    """The same for the same description of data, settings and seed."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def checkpoint_of(path: str | os.PathLike, one: int) -> Path:
    """The file of one of several models."""
    return Path(path) if not one else Path(f"{os.fspath(path)}.{one}")


def mark_of(path: str | os.PathLike) -> str | None:
    """Which fit a file is a state of, None where there is no file yet.

    Raises
    ------
    MultiomeError
        If it is no state of training.
    OSError
        If nothing could be written there later.
    """
    check_output(path, overwrite=True)
    if not Path(path).exists():
        return None
    try:
        return str(torch.load(path, map_location="cpu", weights_only=True)[KEY])
    except Exception as error:
        raise MultiomeError(
            f"`checkpoint` {os.fspath(path)!r} exists and is no state of training, or not all of one "
            f"({type(error).__name__}); name another one, or remove it to begin anew."
        ) from error


def begun(path: Path, mark: str) -> str | None:
    """The file to go on from, None where there is none yet.

    Raises
    ------
    MultiomeError
        If the file is of another fit, or no state of training.
    OSError
        If nothing could be written there later.
    """
    theirs = mark_of(path)
    if theirs is None:
        return None
    if theirs != mark:
        raise MultiomeError(
            f"`checkpoint` {str(path)!r} is of another fit: its data, settings or seed differ. Repeat that fit as it "
            "was to go on with it, or name another file (or remove this one) to begin anew."
        )
    return str(path)


class Checkpoint(pl.Callback):
    """Writes the state of training after every epoch, whole or not at all; random states too, of every process.

    Of an epoch that an interrupt has cut short it writes nothing: what was trained before is gone on from.
    """

    def __init__(self, path: Path, mark: str, sampler: Any, interrupt: StopOnInterrupt, *, share: Share = ALL) -> None:
        self.path, self.mark, self.sampler, self.interrupt, self.share = path, mark, sampler, interrupt, share

    def on_train_epoch_end(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        if self.interrupt.asked:
            return
        with draft(self.path) if self.share.rank == 0 else nullcontext(self.path) as beside:
            trainer.save_checkpoint(beside)  # all processes say what they hold, and the first writes

    def on_save_checkpoint(self, trainer: pl.Trainer, task: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint[KEY] = self.mark

    def state_dict(self) -> dict[str, Any]:
        """Random states: the order of cells, which is that of all processes, and all else."""
        states = {"torch": torch.get_rng_state()}
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            states["cuda"] = torch.cuda.get_rng_state()
        if self.share.world > 1:
            states = {name: of_all(state) for name, state in states.items()}
        return {"order": json.dumps(self.sampler.rng.bit_generator.state)} | states

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`, at once: Lightning asks for the order of cells before it says that it starts."""
        self.sampler.rng.bit_generator.state = json.loads(state["order"])
        own = {name: state[name].cpu() for name in ("torch", "cuda") if name in state}
        if self.share.world > 1:
            own = {name: states[self.share.rank].clone() for name, states in own.items()}  # torch minds views
        torch.set_rng_state(own["torch"])
        if "cuda" in own and torch.cuda.is_available():
            torch.cuda.set_rng_state(own["cuda"])
