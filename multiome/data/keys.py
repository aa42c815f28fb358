"""Which key of a `MuData` is which assay, and which of a fitted model's modalities."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

from multiome.data.spec import DataSpec
from multiome.errors import InvalidPairing, MultiomeError, MultiomeWarning, UnknownName, listed, unknown
from multiome.modalities.base import Modality
from multiome.modalities.registry import LIKELIHOODS, MODALITIES, TRANSFORMS, recognise


def resolve_modalities(keys: Sequence[str], given: Mapping[str, Modality] | None) -> dict[str, Modality]:
    """Which key is which assay: as the user says, else by the key's name.

    Raises
    ------
    UnknownName
        If a given key does not exist, is of a kind that does not, or a key is not recognised.
    InvalidPairing
        If two keys are recognised as one kind and the user has not said that this is meant.
    """
    if given is not None:
        if not isinstance(given, Mapping):
            raise TypeError(f"`modalities` must say what each key is, such as {{'rna': mo.RNA}}, got {given!r}.")
        if not given:
            raise MultiomeError(
                f"`modalities` is empty, so nothing would be used; say what each key ({listed(keys)}) is, such as "
                "{'rna': mo.RNA}, or leave it out to have the keys recognised."
            )
        for key, modality in given.items():
            if key not in keys:
                raise unknown("modality", key, list(keys), where=" in `modalities`")
            if not isinstance(modality, Modality):
                raise TypeError(f"modalities[{key!r}] must be a Modality such as mo.RNA, got {modality!r}.")
            check_known(key, modality)
        return dict(given)
    found: dict[str, Modality] = {}
    for key in keys:
        recognised = recognise(key)
        if recognised is None:
            kinds = {m.name: list(m.aliases[:3]) for m in MODALITIES.values()}
            raise UnknownName(
                f"Modality key {key!r} is not recognised (recognised are {kinds}). Say what each key is, for example "
                f"modalities={{{key!r}: mo.RNA}}; keys left out are not used."
            )
        twin = next((k for k, m in found.items() if m is recognised), None)
        if twin is not None:
            raise InvalidPairing(
                f"Both {twin!r} and {key!r} look like {recognised.name}. Say which keys are meant, both or one, "
                f"beside all others that are to be used: modalities={{{twin!r}: mo.{recognised.name.upper()}, ...}}. "
                "Keys that it leaves out are not used."
            )
        found[key] = recognised
    return found


def check_known(key: str, modality: Modality) -> None:
    """A kind, likelihood and transform that a saved model can name.

    Raises
    ------
    UnknownName
        If one of them is not registered.
    MultiomeError
        If another class is registered under its name, which a model would use in its place.
    """
    where = f" of modalities[{key!r}]"
    if modality.name not in MODALITIES:
        raise unknown("kind of modality", modality.name, list(MODALITIES), where=where)
    named: tuple[tuple[str, type, Mapping[str, type]], ...] = (
        ("likelihood", modality.likelihood, LIKELIHOODS),
        ("transform", modality.transform, TRANSFORMS),
    )
    for what, given, known in named:
        name = given.__name__
        if name not in known:
            raise unknown(what, name, list(known), where=where)
        if known[name] is not given:
            raise MultiomeError(
                f"The {what}{where} is {given.__module__}.{name}, but {known[name].__module__}.{name} is registered "
                f"under that name, and would be used. Give yours another name, and set {what.upper()}S[{name + '2'!r}] "
                "in multiome.modalities.registry, or put it in that one's place there."
            )


def wanted_keys(keys: Sequence[str], spec: DataSpec, modality: str | None) -> dict[str, str]:
    """The data's key of each modality to look at: the one that is named, else all that both know.

    Raises
    ------
    UnknownName
        If the data have none, or not the one that is named.
    """
    if modality is not None:
        key = spec.key(modality)
        matching = matching_keys(keys, spec, only=key)
        if key not in matching:
            raise unknown("modality", modality, list(keys), where=" in the data")
        return {key: matching[key]}
    matching = matching_keys(keys, spec)
    if not matching:
        raise UnknownName(f"None of the data's modalities {listed(keys)} was trained on ({listed(spec.modalities)}).")
    ignored = [key for key in keys if key not in matching.values()]
    if ignored:
        warnings.warn(
            f"The data's {listed(ignored)} {'is' if len(ignored) == 1 else 'are'} ignored: the model has no such "
            f"modality (used: {listed(matching.values())}). Modalities are matched by key, else by kind.",
            MultiomeWarning,
            stacklevel=5,
        )
    return matching


def matching_keys(keys: Sequence[str], spec: DataSpec, *, only: str | None = None) -> dict[str, str]:
    """The data's key of each of the model's: the same name, else the only one of that kind.

    Raises
    ------
    UnknownName
        If several fit, unless this concerns other keys of the model than ``only``.
    """
    found = {key: key for key in keys if key in spec.modalities}
    kinds = {key: recognise(key) for key in keys if key not in found}
    free = {key: kind.name for key, kind in kinds.items() if kind is not None}
    for name in dict.fromkeys(free.values()):
        ours = [key for key, s in spec.modalities.items() if s.kind == name and key not in found]
        theirs = [key for key, kind_of_key in free.items() if kind_of_key == name]
        if len(ours) == len(theirs) == 1:
            found[ours[0]] = theirs[0]
        elif ours and (only is None or only in ours):
            raise UnknownName(
                f"The data's {listed(theirs)} could each be the model's {' or '.join(map(repr, ours))} (all are of "
                f"kind {name!r}). Give the data the model's keys, and leave out what is not meant: "
                f"MuData({{{ours[0]!r}: mdata[{theirs[0]!r}], ...}})."
            )
    return found


def only_key(spec: DataSpec) -> str:
    """The modality of an `AnnData`, where the model has one only."""
    if len(spec.modalities) == 1:
        return next(iter(spec.modalities))
    raise UnknownName(f"The model knows {listed(spec.modalities)}: say which of them the AnnData holds.")
