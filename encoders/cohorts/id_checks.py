"""Do the ids of a cohort's tables and folds match? What does not is listed with counts; nothing is matched by guess.

What this module does not know: how an id is made from a cell (mapping.IdRule), outcomes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from encoders.cohorts.cohort import ImportNote, Split
from encoders.errors import InputError


def id_notes(groups: Mapping[str, set[str]], everyone: Sequence[str], source: str) -> list[ImportNote]:
    """Who is missing where, and ids that differ only in case, space or separators.

    groups : table or block -> its patient ids; everyone : all of them, sorted

    Raises
    ------
    InputError: a table that shares no id with any other, which is an error and not a coincidence.
    """
    notes = []
    for name, ids in groups.items():
        others = [other for group, other in groups.items() if group != name]
        if others and not any(ids & other for other in others):
            raise _no_shared_id(source, name, ids, set().union(*others))
        gone = [p for p in everyone if p not in ids]
        if gone:
            notes.append(ImportNote("warning", name, "patients of the cohort are not in it", len(gone), tuple(gone)))
    alike = _spelled_alike(everyone)
    if alike:
        what = (
            "ids differ only in case, space or separators and count as different patients; say ids = {...} in a mapping"
        )
        said = tuple(" = ".join(names) for names in alike)
        notes.append(ImportNote("warning", "patient ids", what, sum(map(len, alike)), said))
    return notes


def _no_shared_id(source: str, name: str, ids: set[str], others: set[str]) -> InputError:
    spelling = (
        " They differ in case or separators alone." if {_bare(i) for i in ids} & {_bare(i) for i in others} else ""
    )
    return InputError(
        f"{source}: {name} shares no patient with any other table ({', '.join(sorted(ids)[:3])} against "
        f"{', '.join(sorted(others)[:3])}); ids are joined, never matched by order.{spelling} Check the id rules."
    )


def _bare(patient: str) -> str:
    return re.sub(r"[\s._-]+", "", patient).lower()


def _spelled_alike(ids: Iterable[str]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for patient in ids:
        groups.setdefault(_bare(patient), []).append(patient)
    return [names for names in groups.values() if len(names) > 1]


def split_notes(splits: Mapping[str, Sequence[Split]], everyone: Sequence[str]) -> list[ImportNote]:
    """Patients of the cohort that a given split uses in no fold."""
    notes = []
    for name, folds in splits.items():
        used = {p for split in folds for p in split.parts}
        unused = [p for p in everyone if p not in used]
        if unused:
            what = "patients of the cohort are in no fold; they are neither trained on nor tested"
            notes.append(ImportNote("warning", f"split {name}", what, len(unused), tuple(unused)))
    return notes
