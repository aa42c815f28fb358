"""One line of a GTF or GFF3 file: nine fields, the last of which holds attributes."""

from __future__ import annotations

import re

N_FIELDS = 9
ATTRIBUTE = re.compile(r"\s*([^\s;=]+)(?:\s*=\s*|\s+)(\"[^\"]*\"|[^;]*)")


def looks_like_gtf(line: str) -> bool:
    """Nine fields, positions in the fourth and fifth."""
    fields = line.rstrip("\n").split("\t")
    return len(fields) == N_FIELDS and fields[3].isdigit() and fields[4].isdigit()


def attributes(text: str) -> dict[str, str]:
    """``gene_id "A"; gene_name "B"`` or ``ID=A;Name=B``; of a key that occurs twice, the first."""
    found: dict[str, str] = {}
    for key, value in ATTRIBUTE.findall(text):
        found.setdefault(key, value.strip().strip('"'))
    return found


def first(found: dict[str, str], keys: tuple[str, ...]) -> str:
    """The value of the first key that is there, or nothing."""
    return next((found[key] for key in keys if found.get(key)), "")
