"""What can be known of a command line before anything is read: paths, and whether there is such a device."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from multiome.errors import MultiomeError
from multiome.files import check_output as check_path
from multiome.files import is_zarr
from multiome.train.config import TrainConfig, is_available


class UsageError(ValueError):
    """A command line that cannot be followed, whatever the data hold."""


def check_inputs(*files: Path, data: Sequence[Path] = ()) -> None:
    """Every input is a file that may be read; ``data`` may also be folders in the Zarr format.

    Raises
    ------
    FileNotFoundError
        If one is not there.
    PermissionError
        If one may not be read.
    """
    for path in (*files, *data):
        if not path.is_file() and not (path in data and is_zarr(path)):
            raise FileNotFoundError(
                f"{path} is a folder, not a file." if path.is_dir() else f"There is no file {path}."
            )
        if not os.access(path, os.R_OK):
            raise PermissionError(f"You may not read {path}; its owner can allow it (chmod +r).")


def check_output(
    path: Path, *, overwrite: bool, suffixes: Sequence[str] | None = None, inputs: Sequence[Path] = ()
) -> None:
    """An output may be written, known before anything is read.

    Raises
    ------
    UsageError
        If the name promises another kind of file, or it is one of the inputs that must stay.
    FileExistsError
        If it is there and must not be replaced.
    FileNotFoundError
        If its folder does not exist.
    PermissionError
        If nothing may be written into its folder.
    """
    for given in inputs:
        if path.exists() and given.exists() and path.samefile(given):
            raise UsageError(f"--out {path} is also what is read; it would be lost. Choose another name for --out.")
    if suffixes is not None and path.suffix not in suffixes:
        *some, last = suffixes
        raise UsageError(f"--out {path} must end in {', '.join(some)}{' or ' if some else ''}{last}.")
    is_folder = suffixes is not None and path.suffix == ".zarr"
    check_path(path, overwrite=overwrite, is_folder=is_folder, how="replace it with --overwrite true")


def check_checkpoint(train: TrainConfig, out: Path) -> None:
    """No state of training, of the first model or a further one, takes the place of the output.

    Raises
    ------
    UsageError
        If it does: a fit would end without a model.
    """
    if train.checkpoint is None:
        return
    state, target = Path(train.checkpoint).resolve(), out.resolve()
    number = target.name.removeprefix(f"{state.name}.")
    if target == state or (target.parent == state.parent and number != target.name and number.isdigit()):
        raise UsageError(
            f"--train.checkpoint {train.checkpoint} would take the place of --out {out}: the state of training is "
            "written there, those of further models to the same name and .1, .2. Choose another name."
        )


def check_interval(level: float | None, n_samples: int, *, option: str = "interval") -> None:
    """A probability, and enough draws to see the tails outside.

    Raises
    ------
    UsageError
        If it is none, or there are too few.
    """
    if level is None:
        return
    if not 0 < level < 1:
        raise UsageError(f"--{option} is a probability and must lie between 0 and 1, got {level:g}.")
    from multiome.predict.central import draws_needed

    needed = draws_needed(level)
    if n_samples < needed:
        raise UsageError(
            f"--{option} {level} needs at least {needed:,} draws to see its tails, got --n_samples {n_samples}; "
            f"say --n_samples {max(needed, 100)}."
        )


def check_devices(train: TrainConfig) -> None:
    """There is such a device on this machine, and so many, and somebody starts the processes.

    Raises
    ------
    UsageError
        If not.
    """
    name = train.accelerator
    if not is_available(name):
        raise UsageError(f"--train.accelerator {name}: torch finds no such device here; leave it at auto, or say cpu.")
    try:
        train.check_device()
    except MultiomeError as error:
        raise UsageError(str(error)) from error
