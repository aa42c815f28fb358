"""What a script has added to the package's registries, or put in an entry's place: a new process knows none of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from multiome.modalities.base import Modality, keep_everything
from multiome.modalities.registry import LIKELIHOODS, MODALITIES, TRANSFORMS

WATCHED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
"""Registries by name, and what was in each when the package was imported."""


def watch(name: str, registry: dict[str, Any]) -> None:
    """From now on, note what is added to it."""
    WATCHED[name] = (registry, dict(registry))


def added() -> dict[str, dict[str, Any]]:
    """Entries that the package does not have, or has otherwise, by registry. Recipes, which models do not use, stay."""
    found = {
        name: {entry: value for entry, value in registry.items() if before.get(entry) is not value}
        for name, (registry, before) in WATCHED.items()
    }
    return {
        name: {
            entry: replace(value, recipe=keep_everything) if isinstance(value, Modality) else value
            for entry, value in entries.items()
        }
        for name, entries in found.items()
    }


def add(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Give this process what was ``added`` in another one."""
    for name, entries in found.items():
        WATCHED[name][0].update(entries)


watch("modalities", MODALITIES)
watch("likelihoods", LIKELIHOODS)
watch("transforms", TRANSFORMS)
