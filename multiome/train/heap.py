"""Memory that is freed is kept for what asks for it next."""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
LARGEST, MOST_KEPT = 32 << 20, 128 << 20
"""Bytes of the largest block, as of glibc itself, and of all that are kept at the end of the heap."""


def keep_freed() -> bool:
    """Whether this process' allocator now keeps blocks that are freed; done for glibc's.

    It would otherwise hand most of them back to the system, which empties every page that it gives, only to ask for
    the same again; and blocks of all sizes would come to lie between each other, so that fewer can be handed back.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and bool(mallopt(MMAP_THRESHOLD, LARGEST) and mallopt(TRIM_THRESHOLD, MOST_KEPT))
