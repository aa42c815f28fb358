"""What was found while a graph was built: sentences for its report, some of them worth a warning."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Findings:
    """Sentences in the order in which they were found."""

    sentences: list[str] = field(default_factory=list)
    """All of them: a graph keeps them as its report."""
    warnings: list[str] = field(default_factory=list)
    """Those that a user should know before trusting the graph."""

    def say(self, sentence: str) -> None:
        """Keep a sentence for the report."""
        self.sentences.append(sentence)

    def warn(self, sentence: str) -> None:
        """Keep a sentence for the report, and for a warning."""
        self.sentences.append(sentence)
        self.warnings.append(sentence)


def share(part: int | np.integer, whole: int | np.integer) -> str:
    """``90 of 120 (75.0 %)``."""
    return f"{part:,} of {whole:,} ({100 * part / whole:.1f} %)" if whole else "0 of 0"
