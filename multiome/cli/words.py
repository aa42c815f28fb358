"""Messages in the words of the command line: the parser's own, and those that speak of Python's arguments."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

TYPES = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a word"}

AS_OPTIONS: tuple[tuple[str, str], ...] = (
    (r"\b(drop_empty|overwrite)=True", r"--\1 true"),
    (r"\b(min_features|n_samples)=([\d.]*\d)", r"--\1 \2"),
    (r"\bfeatures=\[\.\.\.\]", "--features"),
    (r"\bbatch=\.\.\.", "--batch"),
    (r"modalities=\{'([^']*)': [^{}]*?with_layer\('<layer>'\)\}", r"--layer.\1 <layer>"),
    (r"modalities=\{'([^']*)': [^{}]*?continuous\(\)\}", r"--continuous \1"),
    (r" Keys that `modalities` leaves out are not used\.", ""),
    (r" \(for example mo\.\w+\.continuous\(\)\)", ""),
    (r"modalities=\{'([^']*)': mo\.RNA(, \.\.\.)?\}", r"--modalities.\1 rna"),
    (r"modalities=\{'([^']*)': mo\.ATAC(, \.\.\.)?\}", r"--modalities.\1 atac"),
    (r"modalities=\{'([^']*)': mo\.PROTEIN(, \.\.\.)?\}", r"--modalities.\1 protein"),
    (r"modalities=\{'([^']*)': mo\.METHYLATION(, \.\.\.)?\}", r"--modalities.\1 methylation"),
    (r"fit\(mdata, graph=GuidanceGraph\.from_genome\(\.\.\.\)\) takes one", "fit takes one with --graph"),
    (r"`to_dataframe` needs none", "A .tsv or .csv file needs none"),
    (r"`(devices|num_nodes)`", r"--train.\1"),
    (r"\baccelerator='cpu'", "--train.accelerator cpu"),
    (r"`(modalities|batch_key|n_samples|depth|batch|features|min_features|drop_empty|window|motifs)`", r"--\1"),
)
"""How advice to a Python user reads on the command line; what no pattern knows stays as it is."""


def as_options(message: str) -> str:
    """Python's arguments as options: ``drop_empty=True`` is ``--drop_empty true`` here."""
    for pattern, option in AS_OPTIONS:
        message = re.sub(pattern, option, message)
    return message


def missing(names: Iterable[str], positional: Container[str]) -> str:
    """Which arguments a command lacks: positional ones in capitals, as in its usage, the others as options."""
    words = [name.upper() if name in positional else f"--{name}" for name in names]
    return f"{' and '.join(words)} {'is' if len(words) == 1 else 'are'} missing."


def plain(message: str) -> str:
    """The parser's complaint about a value, without the types and class names of its implementation."""
    message = re.sub(r"(--(\w+))/--\2\+", r"\1", message)
    found = re.match(r'\s*Parser key "([\w.]+)":\s*', message)
    if not found:
        return message
    option, told = f"--{found[1]}", message[found.end() :]
    key = re.search(r"NestedArg\(key='([^']*)'", told)
    option += f".{key[1]}" if key else ""
    expected = [line for line in re.findall(r"Expected a (.+)", told) if "NoneType" not in line]
    if not expected:
        return f"{option}: {told}"
    kind, _, value = expected[0].partition(". Got value: ")
    value = value or next(iter(re.findall(r"Given value: (.+)", told)), "")
    got = f", got {value.strip()!r}" if value else ""
    choices = re.fullmatch(r"(?:typing\.)?Literal\[(.*)\]", kind)
    if choices:
        return f"{option}: expected one of {choices[1]}{got}."
    if "dict" in kind:
        return f"{option}: expected {option}.KEY VALUE{got}."
    name = re.sub(r"<class '(\w+)'>", r"\1", kind)
    return f"{option}: expected {TYPES.get(name, name)}{got}."
