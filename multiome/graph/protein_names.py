"""Names of antibodies as panels write them: which antigens one stands for, and which bind none on purpose."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterator
from itertools import pairwise

GREEK = {
    "α": "a", "alpha": "a", "β": "b", "ß": "b", "beta": "b", "γ": "g", "gamma": "g", "δ": "d", "delta": "d",
    "ε": "e", "epsilon": "e", "ζ": "z", "zeta": "z", "κ": "kappa", "λ": "lambda",
}  # fmt: skip
_GREEK = re.compile("|".join(GREEK))
_WORD = re.compile(r"[^\W_]+")
_SPECIES = "human|hu|mouse|ms|rat|rt|monkey|rhesus|goat|rabbit|armenian|arm|syrian|golden|hamster|ham"
# What stands before an antigen: the assay, the product line and its letter, the number of the barcode, the species.
_LABEL = re.compile(
    rf"adt|prot|protein|ab|antibody|cite|citeseq|total|seq|total[abcd]|totalseq[abcd]?\d*|[abcd]0\d{{3}}|anti"
    rf"|({_SPECIES}){{1,3}}"
)
_GLUED_LABEL = re.compile(r"(anti|hu|ms|[hm])(?=cd\d)")
# Behind a known antigen these make another one of it: "CD40 ligand", "CD158 z", "TCR Vb13.1".
_OTHER = re.compile(r"[a-z]|ligand|receptor|like|bound|(v[abgd]|j[ab])\d*")
# So do these behind names of families: "H-2 Q7" is another than "H-2", and "TCR-2" has lost its Greek letters.
_OTHER_OF = {"h2": re.compile(r"[a-z]{1,2}\d{0,2}"), "tcr": re.compile(r"\d+")}

_CD = re.compile(r"cd\d+[a-z]?")
_NUMBER = re.compile(r"[1-9]\d{0,2}[a-z]?(?![^\W_]|[.-][^\W_])", re.IGNORECASE)
_BRACKET = re.compile(r"[(\[|]")
_HASHTAG = re.compile(r"(hto|hash|hashtags?|hashing|sampletag|multiseq)[a-z]?\d*|cmo3\d\d")
_CONTROL = re.compile(r"iso|\w*isotype\w*|(control|controls|ctrl|ctl|blank)\d*|unmapped|nomatch|badstruct")
_REAGENT = re.compile(r"pe|apc|fitc|biotin|streptavidin\w*|annexinv")
_SUBCLASS = re.compile(rf"({_SPECIES}|[hmr])?igg\d[abc]?(kappa|lambda|k|l)?")
_FOREIGN = re.compile(rf"({_SPECIES}|[mr])*")


def simplified(name: str) -> str:
    """A name without case, Greek letters and separators; one between digits stays, for CD16-32 is not CD1632."""
    text = unicodedata.normalize("NFKC", name).lower()
    text = _GREEK.sub(lambda found: GREEK[found[0]], text)
    text = re.sub(r"(?<=\d)[^a-z0-9]+(?=\d)", ".", text)
    return re.sub(r"[^a-z0-9.]|(?<!\d)\.|\.(?!\d)", "", text)


def kind(name: str) -> str:
    """``antigen``, or why a name has none: ``hashtag``, ``control``, ``reagent`` or ``ambiguous`` (a bare IgG)."""
    words = [simplified(word[0]) for word in _WORD.finditer(name)]
    rest = [simplified(word[0]) for word in _without_labels(name)]
    if (rest and _HASHTAG.fullmatch(rest[0])) or "".join(rest).startswith("sampletag"):
        return "hashtag"
    if any(_CONTROL.fullmatch(text) for text in [*words, "".join(rest)]):
        return "control"
    if _REAGENT.fullmatch("".join(rest)):
        return "reagent"
    before, head = words[: len(words) - len(rest)], rest[0] if rest else ""
    if "anti" in before or "fc" in words:
        return "antigen"
    if _SUBCLASS.fullmatch(head):
        return "control"
    if head.endswith("igg") and _FOREIGN.fullmatch(head.removesuffix("igg")):
        return "control" if head != "igg" or any(_FOREIGN.fullmatch(word) for word in before) else "ambiguous"
    return "antigen"


def antigens(name: str, known: Container[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The known antigens, as simplified names, of which a name is made; and those in brackets or behind a bar.

    A name that is known as a whole stands for itself. Else labels before it are dropped (``ADT_``, ``anti-human``),
    and the longest known runs of words are read from left to right; clones, barcodes and remarks behind an antigen
    are passed over. A number that a slash joins to a CD antigen is another one: CD80/86 is CD80 and CD86. Words are
    never cut: CD4 is not found in CD44. Behind an unknown first word only a CD number, or
    what stands in brackets, counts.
    """
    if (whole := simplified(name)) in known:
        return (whole,), ()
    found = list(_read(name, _without_labels(name), known))
    outside, inside = (dict.fromkeys(text for text, inner in found if inner is side) for side in (False, True))
    return tuple(outside), tuple(inside)


def _without_labels(name: str) -> list[re.Match[str]]:
    """The words of a name from the first on that is no label."""
    words = list(_WORD.finditer(name))
    after_seq = False
    for position, word in enumerate(words):
        text = simplified(word[0])
        if not (_LABEL.fullmatch(text) or (after_seq and text in "abcd")):
            return words[position:]
        after_seq = text.endswith(("seq", "total"))
    return []


def _read(name: str, words: list[re.Match[str]], known: Container[str]) -> Iterator[tuple[str, bool]]:
    """Known runs of words from left to right, and whether each stands behind a bracket."""
    first, unknown_first = 0, False
    while first < len(words):
        run, n_words = _longest_known(name, words[first:], known)
        in_brackets = bool(_BRACKET.search(name, 0, words[first].start()))
        trusted = not unknown_first or in_brackets or re.match(r"cd\d", run)
        if run and trusted:
            follower = words[first + n_words] if first + n_words < len(words) else None
            if follower is None or not _makes_another(
                run, name[words[first + n_words - 1].end() : follower.start()], follower[0]
            ):
                yield run, in_brackets
                shortened = _shortened(name, words[first + n_words - 1 :]) if _CD.fullmatch(run) else []
                yield from ((text, in_brackets) for text in shortened if text in known)
                n_words += len(shortened)
            elif not in_brackets:
                return
        elif first == 0:
            unknown_first = True
        first += max(n_words, 1)


def _shortened(name: str, words: list[re.Match[str]]) -> list[str]:
    """CD antigens behind one, of which only a number is written: 86 in CD80/86, but no clone as 5.1H11."""
    found = []
    for before, word in pairwise(words):
        if name[before.end() : word.start()] != "/" or not _NUMBER.match(name, word.start()):
            break
        found.append(f"cd{simplified(word[0])}")
    return found


def _longest_known(name: str, words: list[re.Match[str]], known: Container[str]) -> tuple[str, int]:
    """The longest run of words from the first on that is known, and its number of words; it crosses no bracket."""
    for number in range(len(words), 0, -1):
        written = name[words[0].start() : words[number - 1].end()]
        text = simplified(written)
        if number == 1:
            text = text if text in known else _GLUED_LABEL.sub("", text, count=1)
        if text in known and not _BRACKET.search(written):
            return text, number
    return "", 0


def _makes_another(run: str, between: str, follower: str) -> bool:
    """Whether the next word makes another antigen of a known one; not where a bracket stands between them."""
    text, family = simplified(follower), _OTHER_OF.get(run)
    other = _OTHER.fullmatch(text) or (family and family.fullmatch(text))
    return bool(other) and not re.search(r"[()\[\]|]", between)
