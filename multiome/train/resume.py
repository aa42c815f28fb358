"""A fit that was killed goes on where it stopped: the state of training, written after every epoch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import scipy.sparse as sp
import torch

from multiome.data.dataset import CellDataset
from multiome.data.spec import DataSpec
from multiome.errors import MultiomeError
from multiome.files import check_output, draft
from multiome.graph.edges import FeatureEdges
from multiome.model.config import ModelConfig
from multiome.train.config import LossWeights, TrainConfig
from multiome.train.interrupt import StopOnInterrupt
from multiome.train.processes import ALL, Share, of_all

KEY = "multiome"
"""Under which a file says which fit it is of."""
FORM = 5
"""Counted up where states of training come to hold something else, or steps to do: earlier ones are of another fit."""
WHERE = ("checkpoint", "progress_bar", "accelerator", "side_by_side")
"""Settings that do not decide how a fit ends, but for rounding."""
DATA = ("features and batches", "values", "graph")
"""What of a mark is told by its name alone."""

VERSION = "version of multiome"

Mark = dict[str, str]
"""Which fit a state of training is of: what decides how it ends, by the name that a user knows it by."""


def digest(cells: CellDataset, known: CellDataset, rows: np.ndarray) -> str:
    """The same for the same data: depth, pairing and batch of every cell, and every value in ``known``.

    ``known`` are the cells whose values are in memory: all, or some of many.
    """
    told, add = hasher()
    add(rows, cells.batch_index)
    for key, matrix in cells.matrices.items():
        add(cells.rows[key], matrix.depth)
    for matrix in known.matrices.values():
        for x in (matrix.values, matrix.coverage):
            if isinstance(x, sp.csr_matrix):
                add(x.indptr, x.indices, x.data)
        if matrix.panels is not None:
            add(matrix.panels.measured, matrix.panels.member)
    return told.hexdigest()


def digest_of_edges(edges: FeatureEdges | None) -> str:
    """The same for the same graph."""
    told, add = hasher()
    if edges is not None:
        add(edges.source, edges.target, edges.weight, edges.is_decoy)
    return told.hexdigest()


def hasher() -> tuple[Any, Callable[..., None]]:
    """A hash, and what adds arrays to it."""
    told = hashlib.sha256()

    def add(*arrays: np.ndarray) -> None:
        for array in arrays:
            told.update(repr((array.shape, array.dtype.str)).encode())
            told.update(np.ascontiguousarray(array).data)

    return told, add


def mark(
    spec: DataSpec, config: ModelConfig, train: TrainConfig, loss: LossWeights, *, seed: int, values: str, graph: str
) -> Mark:
    """That of a fit; where it runs, and what it shows meanwhile, do not count."""
    told = {VERSION: f"{version('multiome')}, form {FORM}", "seed": str(seed)}
    for settings in (config, train, loss):
        named = {name: value for name, value in vars(settings).items() if name not in WHERE}
        told |= {f"{type(settings).__name__}.{name}": written(value) for name, value in named.items()}
    features = json.dumps(spec.to_json(), sort_keys=True, default=str)
    return told | dict(zip(DATA, (hashlib.sha256(features.encode()).hexdigest(), values, graph), strict=True))


def written(value: Any) -> str:
    """The same for equal numbers, of whatever type."""
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)
        return str(int(number)) if number.is_integer() else repr(number)
    return repr(value)


def differences(theirs: Mark, own: Mark) -> str:
    """What a user has to give otherwise: settings, and of the same settings the data."""
    names = [name for name in own if theirs.get(name) != own[name]]
    if VERSION in names:  # of which all else may be called otherwise
        names = [VERSION]
    told = [f"{name} ({theirs.get(name, 'none')} there, {own[name]} here)" for name in names if name not in DATA]
    return ", ".join(told or names)


def checkpoint_of(path: str | os.PathLike, one: int) -> Path:
    """The file of one of several models."""
    return Path(path) if not one else Path(f"{os.fspath(path)}.{one}")


def mark_of(path: str | os.PathLike) -> Mark | None:
    """Which fit a file is a state of, None where there is no file yet.

    Raises
    ------
    MultiomeError
        If it is no state of training.
    OSError
        If nothing could be written there later.
    """
    if Path(path).is_dir():
        raise MultiomeError(f"`checkpoint` {os.fspath(path)!r} is a folder; name a file.")
    check_output(path, overwrite=True)
    if not Path(path).exists():
        return None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)[KEY]
        return dict(found) if isinstance(found, dict) else {VERSION: "an earlier one"}
    except Exception as error:
        raise MultiomeError(
            f"`checkpoint` {os.fspath(path)!r} exists and is no state of training, or not all of one "
            f"({type(error).__name__}); name another one, or remove it to begin anew."
        ) from error


def begun(path: Path, mark: Mark) -> str | None:
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
            f"`checkpoint` {str(path)!r} is of another fit. What differs: {differences(theirs, mark)}. Repeat that fit "
            "as it was to go on with it, or name another file (or remove this one) to begin anew."
        )
    return str(path)


def files_and_marks(path: str | os.PathLike | None, own: Mark, *, n_models: int) -> list[tuple[Path | None, Mark]]:
    """The file of every model of a fit, and which model of which fit it is of; no files without a path.

    Raises
    ------
    MultiomeError, OSError
        As of `begun`.
    """
    if path is None:
        return [(None, own)] * n_models
    kept: list[tuple[Path | None, Mark]] = []
    for one in range(n_models):
        file, each = checkpoint_of(path, one), own | {"number of the model": str(one)}
        begun(file, each)
        kept.append((file, each))
    return kept


class Checkpoint(pl.Callback):
    """Writes the state of training after every epoch, whole or not at all; random states too, of every process.

    Of an epoch that an interrupt has cut short it writes nothing: what was trained before is gone on from.
    """

    def __init__(self, path: Path, mark: Mark, sampler: Any, interrupt: StopOnInterrupt, *, share: Share = ALL) -> None:
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
