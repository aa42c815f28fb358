"""Files that are written whole or not at all, and nothing of them is left when a process was killed half-way."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from multiome.errors import MultiomeError, check_flag

try:
    import fcntl
except ImportError:  # Windows: what a killed process left stays until it is removed by hand
    fcntl = None  # type: ignore[assignment]


BEFORE = ".before"
"""What is added to the name of a target that is replaced, meanwhile."""


def check_name(name: str, value: object, *, example: str = "") -> str | os.PathLike:
    """The name of a file, as an argument of this ``name`` gives it.

    Raises
    ------
    MultiomeError
        If it is none.
    """
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        such = f", such as {example!r}," if example else ","
        raise MultiomeError(f"`{name}` must be the name of a file{such} got {value!r}.")
    return value


def check_output(
    path: str | os.PathLike, *, overwrite: bool, is_folder: bool = False, how: str = "pass overwrite=True to replace it"
) -> Path:
    """A path that may be written, of a file or, for some formats, of a folder; ``how`` what is there is replaced.

    Raises
    ------
    FileExistsError
        If something is there and must not be replaced.
    FileNotFoundError
        If the folder does not exist.
    PermissionError
        If nothing can be written into it.
    """
    check_flag("overwrite", overwrite)
    target = Path(path)
    if is_folder and target.is_file():
        raise FileExistsError(f"{target} is a file, and a folder is to be written; choose another name.")
    if is_folder and target.is_dir() and any(target.iterdir()) and not is_zarr(target):
        raise FileExistsError(f"{target} is a folder of other files, and must not be replaced; choose another name.")
    if not is_folder:
        if target.is_dir():
            raise FileExistsError(f"{target} is a folder; name a file.")
        check_regular(target)
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists; choose another name, or {how}.")
    folder = target.resolve().parent  # where a symbolic link leads to
    if not folder.is_dir():
        raise FileNotFoundError(f"The folder {folder} does not exist; make it first.")
    check_writable(folder)
    return target


def check_apart(path: str | os.PathLike, files: Iterable[Path], *, name: str) -> None:
    """A path that an argument of this ``name`` gives is none of the files, and lies in none, nor they in it.

    Raises
    ------
    MultiomeError
        If it does: what lies there would be lost.
    """
    target, given = Path(path).resolve(), f"`{name}` is {os.fspath(path)!r}"
    for file in files:
        other = file.resolve()
        if target == other or (target.exists() and other.exists() and target.samefile(other)):
            raise MultiomeError(f"{given}, where the data lie; they would be lost. Choose another name.")
        if target in other.parents:
            raise MultiomeError(f"{given}, in which the data lie; they would be lost. Choose another name.")
        if other.is_dir() and other in target.parents:
            raise MultiomeError(f"{given}, inside of the data ({str(file)!r}). Choose another place.")


def is_zarr(folder: Path) -> bool:
    """Whether a folder is a Zarr, of any version."""
    return any((folder / name).exists() for name in (".zgroup", ".zarray", ".zmetadata", "zarr.json"))


def check_regular(path: Path) -> None:
    """What is at a path, if anything, is a file: pipes and devices must not be replaced by one.

    Raises
    ------
    FileExistsError
        If it is something else.
    """
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path} is no regular file, and must not be replaced by one; choose another name.")


def check_writable(folder: Path) -> None:
    """Something may be written into a folder, known by trying it: permissions do not tell of all that forbids it.

    Raises
    ------
    PermissionError
        If nothing can be written there.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as trial:
            trial.write(b"0")
    except OSError as error:
        raise PermissionError(
            f"Nothing can be written into the folder {folder} ({error.strerror}); choose another one."
        ) from error


@contextmanager
def draft(path: str | os.PathLike) -> Iterator[Path]:
    """A name in a new folder beside the target; what was written there replaces the target at the end.

    A symbolic link stays: what it leads to is replaced. A killed process leaves its folder,
    ``.NAME.xxxxxxxx.part``; the next draft of the same target removes it. Folders of processes that still run are
    locked, and left alone.
    """
    target = Path(path).resolve()
    sweep(target)
    folder, lock = new_folder(target)
    try:
        beside = folder / target.name
        yield beside
        if beside.is_dir():
            if target.exists():
                target.rename(before(folder, target))  # goes with the folder
            try:
                beside.rename(target)
            except OSError:
                put_back(folder, target)
                raise
        else:
            with beside.open("rb") as written:
                os.fsync(written.fileno())
            beside.replace(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def new_folder(target: Path) -> tuple[Path, int | None]:
    """An empty folder beside the target, locked for as long as this process lives, or until the lock is closed."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part"))
        lock = locked(folder, wait=True)
        if folder.is_dir():  # else another process swept it between its making and its locking
            return folder, lock
        if lock is not None:
            os.close(lock)


def sweep(target: Path) -> None:
    """Remove the folders that killed processes left beside a target."""
    if fcntl is None:
        return
    name = re.compile(rf"\.{re.escape(target.name)}\.[a-z0-9_]{{8}}\.part")
    try:
        beside = [path for path in target.parent.iterdir() if name.fullmatch(path.name)]
    except PermissionError:  # a folder that may be written to, but not listed
        return
    for folder in beside:
        if folder.is_dir() and not folder.is_symlink():
            lock = locked(folder, wait=False)
            if lock is not None:
                put_back(folder, target)
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def put_back(folder: Path, target: Path) -> None:
    """Where a folder was moved aside, and nothing has come in its place."""
    aside = before(folder, target)
    if aside.exists() and not target.exists():
        aside.rename(target)


def before(folder: Path, target: Path) -> Path:
    """Where a target is moved aside: another name than that of what replaces it."""
    return folder / f"{target.name}{BEFORE}"


def locked(folder: Path, *, wait: bool) -> int | None:
    """A lock that ends with the process, or None: another process holds it, or the file system knows no locks."""
    if fcntl is None:
        return None
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(handle)
        return None
    return handle


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """An empty folder among temporary files, gone at the end; what killed processes left there is removed."""
    target = Path(tempfile.gettempdir()) / name
    sweep(target)
    folder, lock = new_folder(target)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)
