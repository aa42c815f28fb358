"""Whether a GTF or GFF3 file was cut within its last line: whole files end with a newline."""

from __future__ import annotations

from collections.abc import Iterable

from multiome.errors import InvalidGraph, listed
from multiome.graph.findings import Findings
from multiome.graph.gtf_line import ATTRIBUTE, N_FIELDS, attributes


def check_end(last: str, lines: Iterable[str], source: str, findings: Findings) -> None:
    """Warn if the last line has no newline, though it looks whole.

    Parameters
    ----------
    last
        The last line that was read.
    lines
        The file from its beginning; not looked at where ``last`` ends with a newline.

    Raises
    ------
    InvalidGraph
        If the line is visibly cut: within quotes or a key, or before an attribute that all others of its kind have.
    """
    if not last.strip() or last.endswith("\n"):
        return
    why = visible_cut(last, lines)
    if why:
        raise InvalidGraph(
            f"{source} ends within a line ({last[-60:]!r}): {why}. Genes are missing; download or copy it again."
        )
    findings.warn(
        f"{source} ends without a newline ({last[-60:]!r}), as a file does that was cut short. If genes are missing, "
        "download or copy it again."
    )


def visible_cut(last: str, lines: Iterable[str]) -> str:
    """What shows that a last line is cut, or nothing."""
    fields = last.split("\t")
    if last.startswith("#") or len(fields) < N_FIELDS:
        return ""
    text = fields[-1]
    if text.count('"') % 2:
        return "a quote is not closed"
    if not text.strip():
        return "it has no attributes"
    if '"' in text and (rest := ATTRIBUTE.sub("", text).strip("; ")):
        return f"{rest!r} has no value"
    lacking = lacking_at_end(last, lines)
    return f"it lacks {listed(lacking)}, which the other lines of {fields[2]!r} have" if lacking else ""


def lacking_at_end(last: str, lines: Iterable[str]) -> list[str]:
    """Keys that all other lines of its kind have and a last line lacks; none where another line ends as it does."""
    kind, own = last.split("\t")[2], valued(last)
    common: dict[str, None] | None = None
    for line in lines:
        if line == last or line.startswith("#") or line.count("\t") != N_FIELDS - 1 or line.split("\t")[2] != kind:
            continue
        keys = valued(line)
        if keys and own and keys[-1] == own[-1]:
            return []
        common = {key: None for key in (keys if common is None else common) if key in keys}
    return [key for key in common or () if key not in own]


def valued(line: str) -> list[str]:
    """Keys of the attributes that have a value, in their order."""
    return [key for key, value in attributes(line.rsplit("\t", maxsplit=1)[-1].strip()).items() if value]
