"""Values that are handed to other processes through a file, whose arrays all of them read from the same memory."""

from __future__ import annotations

import mmap
import pickle
from pathlib import Path
from typing import Any

from multiome.errors import MultiomeError


class NotHandedOver(MultiomeError):
    """A value cannot travel between processes."""


def not_handed_over(error: Exception) -> NotHandedOver:
    """The complaint about a value that cannot be written, or be made anew elsewhere."""
    return NotHandedOver(
        f"Several processes cannot be given this job ({type(error).__name__}: {error}). What a modality is made of "
        "must be defined at the top of a module, which is not the script or the notebook itself, and be no lambda; or "
        "start the processes with torchrun."
    )


ALIGNED = 64
"""Arrays begin at multiples of so many bytes."""


def send(value: Any, path: Path) -> None:
    """Write a value: first its arrays, then all else, then where these begin.

    Raises
    ------
    NotHandedOver
        If something in it cannot be.
    """
    places = []
    with path.open("wb") as file:

        def apart(buffer: pickle.PickleBuffer) -> None:
            raw = buffer.raw()
            file.write(b"\0" * (-file.tell() % ALIGNED))
            places.append((file.tell(), raw.nbytes))
            file.write(raw)

        try:
            rest = pickle.dumps(value, protocol=5, buffer_callback=apart)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise not_handed_over(error) from error
        start = file.tell()
        pickle.dump((rest, places), file)
        file.write(start.to_bytes(8, "little"))


def receive(path: Path) -> Any:
    """The inverse; arrays are memory that is read from the file where it is needed, and copied where it is changed."""
    with path.open("rb") as file:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    start = int.from_bytes(memory[-8:], "little")
    rest, places = pickle.loads(memoryview(memory)[start:-8])
    view = memoryview(memory)
    return pickle.loads(rest, buffers=[view[begin : begin + n] for begin, n in places])
