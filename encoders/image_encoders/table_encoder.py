"""``table:FILE``: precomputed embeddings looked up by patient id and series UID.

No image is read. What this module does not know: how the rows were made, beyond what FILE.card.json says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.errors import InputError
from encoders.image_encoders.card import Cut, EncoderCard, Recipe
from encoders.image_encoders.encode import NO_IMAGING, PatientEncoding, PreparedSeries, SeriesEncoder
from encoders.image_encoders.feature_table import CARD_SUFFIX, FeatureTable, read_feature_table
from encoders.patient import ImagingSeries, Patient

PREFIX = "table:"


class TableEncoder(SeriesEncoder):
    """Rows of a table as embeddings."""

    def __init__(self, card: EncoderCard, table: FeatureTable) -> None:
        super().__init__(card)
        self.table = table
        self._rows = table.rows()

    def prepare(self, series: ImagingSeries) -> PreparedSeries:
        """The row of a series by its UID alone; InputError when the table is keyed by patient or has no such row."""
        row = self._rows.get((None, series.series_uid))
        if row is None:
            what = "has no row for it" if self.table.keyed_by == ("series_uid",) else "is keyed by patient"
            raise InputError(f"series {series.series_uid}: {self.card.id} {what}; use encode_patient")
        return PreparedSeries(self.table.features[row])

    def forward(self, prepared: Sequence[PreparedSeries]) -> NDArray[np.float32]:
        """The rows as they are."""
        return np.stack([p.pixels for p in prepared])

    def look_up(self, patient: Patient) -> PatientEncoding:
        """Every row of the table about this patient or one of its series; series without a row are in ``skipped``."""
        by_patient = "patient_id" in self.table.keyed_by
        patient_key = patient.patient_id if by_patient else None
        found: list[tuple[str | None, str | None, int]] = []
        skipped: dict[str, str] = {}
        own = self._rows.get((patient.patient_id, None)) if by_patient else None
        if own is not None:
            found.append((None, None, own))
        for series in patient.imaging if "series_uid" in self.table.keyed_by else ():
            row = self._rows.get((patient_key, series.series_uid))
            if row is not None:
                found.append((series.series_uid, series.modality.value, row))
            elif own is None:
                skipped[series.series_uid] = f"{self.card.id} has no row for this series"
        if not found and not skipped:
            skipped[NO_IMAGING] = f"{self.card.id} has no row for patient {patient.patient_id}"
        return PatientEncoding(
            patient_id=patient.patient_id,
            series_uids=tuple(uid for uid, _, _ in found),
            modalities=tuple(modality for _, modality, _ in found),
            vectors=self.table.features[[row for _, _, row in found]],
            skipped=skipped,
        )


def load_table(spec: str) -> TableEncoder:
    """Read ``table:FILE``; raises what ``read_feature_table`` raises, and InputError where FILE.card.json disagrees."""
    path = Path(spec.removeprefix(PREFIX)).expanduser()
    table = read_feature_table(path)
    made_by = _made_by(path, table)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    width = len(table.names)
    card = EncoderCard(
        id=path.name,
        spec=spec,
        family="precomputed table",
        width=width,
        recipe=Recipe(cut=Cut.PRECOMPUTED, windows=(), settings=_settings(made_by)),
        pooling=f"one row per {' and '.join(table.keyed_by)}",
        purpose="embeddings made before, here or elsewhere",
        limits="Nothing is known of rows made elsewhere.",
        licence=made_by.get("licence"),
        trained_on=made_by.get("trained_on"),
        weights_sha256=digest,
        feature_names=table.names,
    )
    return TableEncoder(card, table)


def _made_by(path: Path, table: FeatureTable) -> dict[str, Any]:
    """The card of the encoder that made the table; {} where there is none beside it."""
    beside = Path(f"{path}{CARD_SUFFIX}")
    if not beside.is_file():
        return {}
    try:
        content = json.loads(beside.read_text(encoding="utf-8"))
        card, rows = content["card"], content["rows"]
        width = card["width"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{beside.name} is damaged; remove it, or write the table again.") from error
    if (width, rows) != (len(table.names), len(table.keys)):
        raise InputError(
            f"{path.name} has {len(table.keys)} rows of width {len(table.names)}, {beside.name} says {rows} of "
            f"{width}; they do not belong together. Write the table again."
        )
    return card


def _settings(made_by: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    if not made_by:
        return (("made_by", "not known"),)
    return (
        ("made_by", str(made_by.get("spec"))),
        ("made_with_weights_sha256", str(made_by.get("weights_sha256"))),
        ("made_with_recipe_version", str(made_by.get("recipe", {}).get("version"))),
    )
