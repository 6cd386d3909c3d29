"""A plain JSON patient record with Patient's own field names -> Facts.

Example: {"patient_id": "P1", "oncotree_code": "LUAD", "sex": "female", "age_years": 61, "ecog": 1,
"diagnosis": {"stage": "IIIA"}, "treatments": [{"drug": "osimertinib", "line": 1}]}.
Keys that are not known are listed as skipped; values of a wrong type are refused.

What this module does not know: medical plausibility beyond ranges (age 0-120, ECOG 0-5).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from encoders.errors import InputError
from encoders.oncotree import check_code
from encoders.patient import Biomarker, Diagnosis, Lab, Medication, Outcome, SourceLocator, Treatment
from encoders.read.cancer_codes import PREGNANCY_ANSWERS, PREGNANCY_STATUS
from encoders.read.reading import Facts
from encoders.read.sniff import read_text

T = TypeVar("T")

KNOWN_KEYS = (
    *("patient_id", "oncotree_code", "sex", "age_years", "ecog", "diagnosis", "treatments", "medications"),
    *("labs", "biomarkers", "pregnancy_status", "outcome", "synthetic"),
)


def read_record(path: Path, name: str) -> Facts:
    """Read one JSON record.

    Raises
    ------
    InputError: a value of a wrong type or outside its range, or an unknown OncoTree code.
    """
    record = json.loads(read_text(path, name))
    if isinstance(record, list):
        if len(record) != 1:
            raise InputError(f"{name}: holds {len(record)} patient records; a folder is one patient. Split the file.")
        record = record[0]
    skipped = [f"{name}: key {key!r} is not known ({', '.join(KNOWN_KEYS)})" for key in record if key not in KNOWN_KEYS]
    given = {key: value for key, value in record.items() if key in KNOWN_KEYS and value is not None}
    code = _text(given, "oncotree_code", name)
    diagnosis, unknown = _object(Diagnosis, given.get("diagnosis", {}), f"{name}: diagnosis")
    skipped.extend(unknown)
    lists = {}
    for key, kind in (("treatments", Treatment), ("medications", Medication), ("labs", Lab), ("biomarkers", Biomarker)):
        lists[key], unknown = _objects(kind, given.get(key, []), name, key)
        skipped.extend(unknown)
    lists["biomarkers"] = (*lists["biomarkers"], *_pregnancy(given, name))
    outcome = _object(Outcome, given["outcome"], f"{name}: outcome")[0] if "outcome" in given else None
    patient_id = _text(given, "patient_id", name)
    facts = Facts(
        ids=(patient_id,) if patient_id else (),
        oncotree_code=check_code(code, name) if code else None,
        sex=_sex(given, name),
        age_years=_number(given, "age_years", name, 0, 120),
        diagnosis=diagnosis,
        ecog=_ecog(given, name),
        outcome=outcome,
        sources=_sources(given, name),
        skipped=tuple(skipped),
        synthetic=given.get("synthetic") is True,
        **lists,
    )
    return facts


def _sources(given: Mapping[str, Any], name: str) -> dict[str, SourceLocator]:
    scalars = ("oncotree_code", "sex", "age_years", "ecog")
    sources = {key: SourceLocator(name, key) for key in scalars if key in given}
    for key, value in (given.get("diagnosis") or {}).items():
        if value is not None:
            sources[f"diagnosis.{key}"] = SourceLocator(name, f"diagnosis.{key}")
    return sources


def _text(given: Mapping[str, Any], key: str, name: str) -> str | None:
    value = given.get(key)
    if value is None or (isinstance(value, str) and value.strip()):
        return value.strip() if value else None
    raise InputError(f"{name}: {key} is {value!r}; a text that is not empty is needed. Leave the key out when unknown.")


def _number(given: Mapping[str, Any], key: str, name: str, low: float, high: float) -> float | None:
    value = given.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(
            f"{name}: {key} is {value!r}; a number from {low:g} to {high:g} is needed. Correct it or leave it out."
        )
    return float(value)


def _ecog(given: Mapping[str, Any], name: str) -> int | None:
    value = _number(given, "ecog", name, 0, 5)
    if value is not None and value != int(value):
        raise InputError(f"{name}: ecog is {value!r}; a whole number from 0 to 5 is needed.")
    return None if value is None else int(value)


def _pregnancy(given: Mapping[str, Any], name: str) -> tuple[Biomarker, ...]:
    """The key ``pregnancy_status`` as FHIR's observation of that name is kept."""
    value, allowed = given.get("pregnancy_status"), sorted(set(PREGNANCY_ANSWERS.values()))
    if value is None:
        return ()
    if value not in allowed:
        raise InputError(f"{name}: pregnancy_status is {value!r}; allowed are {', '.join(allowed)}. Correct it.")
    return (Biomarker(PREGNANCY_STATUS, value, SourceLocator(name, "pregnancy_status")),)


def _sex(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get("sex")
    if value not in (None, "female", "male"):
        raise InputError(f"{name}: sex is {value!r}; allowed are 'female' and 'male'. Leave the key out when unknown.")
    return value


def _objects(kind: type[T], items: object, name: str, key: str) -> tuple[tuple[T, ...], list[str]]:
    if not isinstance(items, list):
        raise InputError(f"{name}: {key} is {type(items).__name__}; a list of objects is needed.")
    found, skipped = [], []
    for place, item in enumerate(items):
        one = {"drug": item} if isinstance(item, str) and kind in (Treatment, Medication) else item
        made, unknown = _object(kind, one, f"{name}: {key}[{place}]", source=SourceLocator(name, f"{key}[{place}]"))
        found.append(made)
        skipped.extend(unknown)
    return tuple(found), skipped


def _object(
    kind: Callable[..., T], item: object, where: str, *, source: SourceLocator | None = None
) -> tuple[T, list[str]]:
    if not isinstance(item, dict):
        raise InputError(f"{where} is {item!r}; an object is needed.")
    known = {f.name: str(f.type) for f in fields(kind)}  # type: ignore[arg-type]
    skipped = [f"{where}: key {key!r} is not known" for key in item if key not in known]
    values = {key: value for key, value in item.items() if key in known and key != "source" and value is not None}
    for key, value in values.items():
        _check_type(known[key], value, f"{where}.{key}")
    try:
        return kind(**values, **({"source": source} if source else {})), skipped
    except TypeError as error:
        needed = [f.name for f in fields(kind) if f.name not in values and f.name != "source"]  # type: ignore[arg-type]
        raise InputError(f"{where}: a key is missing ({error}); keys not given: {', '.join(needed)}.") from error


def _check_type(annotation: str, value: object, where: str) -> None:
    """Text where text is needed, numbers where numbers are (the field's annotation says which)."""
    wants_number = "float" in annotation or "int" in annotation
    wants_text = "str" in annotation
    wants_bool = "bool" in annotation
    ok = (
        (wants_bool and isinstance(value, bool))
        or (wants_number and isinstance(value, int | float) and not isinstance(value, bool))
        or (wants_text and isinstance(value, str) and value.strip() != "")
    )
    if not ok:
        raise InputError(
            f"{where} is {value!r}; {annotation.replace(' | None', '')} is needed. Leave the key out when unknown."
        )
