"""What a check of one row against one record found. Not known here: patients, rows, who checks what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Findings:
    """Reasons not to offer a row, and cautions to weigh; each a clause that can stand after "because"."""

    excluded: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


def join_findings(parts: Iterable[Findings]) -> Findings:
    """All reasons and cautions of several checks, each once, in order."""
    found = tuple(parts)
    return Findings(
        tuple(dict.fromkeys(reason for p in found for reason in p.excluded)),
        tuple(dict.fromkeys(caution for p in found for caution in p.cautions)),
    )
