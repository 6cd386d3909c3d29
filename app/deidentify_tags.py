"""What the Basic Application Level Confidentiality Profile does with each DICOM attribute, as this program applies it.

By kind first: every private element goes, every UID of an instance is replaced (the same one everywhere in a folder),
every person's name is emptied, every date, time, address of a machine and free text goes. Then by keyword, for short
texts, codes and sequences, whose kind alone says nothing. Where the profile allows a choice (X/Z, X/D, X/Z/D) the
element is removed, or emptied where readers need it there.
NOT done: cleaning of pixels (burned-in text) and of structured content (SR, presentation states, encapsulated
documents: such files are left out). Source: DICOM PS3.15 (2024b), Annex E, Table E.1-1, columns Basic Profile, Retain
Patient Characteristics and Retain Longitudinal Full Dates.
"""

from __future__ import annotations

from importlib.resources import files


def _table() -> dict[str, tuple[str, str]]:
    """Keyword -> (action, marks), of deidentify_tags.txt."""
    lines = files("app").joinpath("deidentify_tags.txt").read_text(encoding="utf-8").splitlines()
    rows = (line.split() for line in lines if not line.startswith("#"))
    return {row[1]: (row[0], row[2] if len(row) > 2 else "") for row in rows}


_TABLE = _table()
ACTIONS = {keyword: action for keyword, (action, _) in _TABLE.items()}
"""Keyword -> X remove, Z empty (the objects of the standard must have it), D a value that says nothing, P pseudonym."""

PATIENT_CHARACTERISTICS = frozenset(k for k, (_, marks) in _TABLE.items() if "c" in marks)
"""Kept with the option Retain Patient Characteristics; an SUV needs the weight."""

IDENTIFYING = frozenset(k for k, (_, marks) in _TABLE.items() if "i" in marks)
"""Counted apart by the check, with every person's name: these alone can say who somebody is."""

REMOVED_KINDS = frozenset(("DA", "TM", "DT", "AE", "LT", "ST", "UT", "UR"))
"""Value representations removed wherever they stand, unless the table says otherwise."""

DATE_KINDS = frozenset(("DA", "TM", "DT"))

STRUCTURED = ("SR", "KO", "PR", "DOC", "AU", "PLAN", "RWV")
"""Modalities whose text is content: such files are left out."""

BURNED_IN_KINDS = ("US", "IVUS", "ES", "XC", "GM", "SM", "OT", "SC", "DG", "XA", "RF")
"""Modalities whose pixels often hold a name: ultrasound, endoscopy, photographs, captures, fluoroscopy."""

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""SOP class (and prefix of its multi-frame forms): a picture taken of a screen."""

WELL_KNOWN = "1.2.840.10008."
"""UIDs of the standard itself: never replaced."""
