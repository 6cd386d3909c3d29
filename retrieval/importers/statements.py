"""What every importer returns: the source's statements as therapy rows, and a list of what could not be read.

Not known here: any source's file form. Nothing is dropped silently: a statement is a row or stands in ``skipped``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from retrieval.passage import TherapyRow


@dataclass(frozen=True)
class SourceStatement:
    """One statement of a source.

    row : as a therapy row, its level in the source's own system; ``row_id`` starts with the source ("civic:EID993")
    supports : False where the source says that the evidence speaks against the row's direction
    """

    row: TherapyRow
    supports: bool = True


@dataclass(frozen=True)
class Skipped:
    """A statement that was not read: where it stands in the source, and the rule it broke."""

    where: str
    reason: str


@dataclass(frozen=True)
class Imported:
    """All of one source; ``skipped`` and ``statements`` together are every entry it held of this kind."""

    source: str
    version: str
    statements: tuple[SourceStatement, ...]
    skipped: tuple[Skipped, ...] = ()

    def skipped_by_reason(self) -> Mapping[str, int]:
        """Reason without its particulars ("drug not known: x" counts as "drug not known") -> how many."""
        return Counter(s.reason.split(":")[0] for s in self.skipped)

    def positive_rows(self) -> tuple[TherapyRow, ...]:
        """Rows whose direction the source supports: what may be matched against a patient."""
        return tuple(s.row for s in self.statements if s.supports)


class NotReadError(Exception):
    """An entry cannot become a row; the importer turns it into ``Skipped``. Never leaves this package."""
