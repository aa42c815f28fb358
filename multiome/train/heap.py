"""Memory that is freed: kept for what asks for it next, or given back to the system where nothing soon will."""

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
    It stays so until the process ends.
    """
    return bool(glibc("mallopt", MMAP_THRESHOLD, LARGEST) and glibc("mallopt", TRIM_THRESHOLD, MOST_KEPT))


def give_back() -> bool:
    """Whether memory went back to the system, also from between blocks that are in use."""
    return bool(glibc("malloc_trim", 0))


def glibc(name: str, *arguments: int) -> int:
    """What a function of this C library says; 0 where it is another one, without it."""
    function = getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
    return 0 if function is None else function(*arguments)
