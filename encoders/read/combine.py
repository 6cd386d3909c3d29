"""Several records of one patient -> one: the first that states a fact wins, and a disagreement is warned of.

What this module does not know: which record is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

from encoders.patient import Diagnosis, Variant
from encoders.read.genome_build import one_build
from encoders.read.reading import Facts


def combine_facts(records: Sequence[tuple[str, Facts]]) -> tuple[Facts, tuple[str, ...]]:
    """One set of facts of all records, in their order of trust, and the disagreements between them."""
    total, warnings = Facts(), []
    for name, facts in records:
        sources = dict(total.sources)
        changes: dict[str, object] = {}
        for key in ("oncotree_code", "sex", "age_years", "ecog", "outcome"):
            mine, theirs = getattr(total, key), getattr(facts, key)
            if mine is None:
                changes[key] = theirs
            elif theirs is not None and theirs != mine:
                warnings.append(f"{name}: {key} is {theirs!r}, another record says {mine!r}; the latter is used")
        diagnosis, differing = _combine_diagnosis(total.diagnosis, facts.diagnosis, name)
        warnings.extend(differing)
        for key, place in facts.sources.items():
            sources.setdefault(key, place)
        for key in (
            "treatments",
            "medications",
            "labs",
            "biomarkers",
            "variants",
            "notes",
            "skipped",
            "warnings",
            "ids",
        ):
            changes[key] = _joined(getattr(total, key), getattr(facts, key))
        synthetic = total.synthetic or facts.synthetic
        total = replace(total, diagnosis=diagnosis, sources=sources, synthetic=synthetic, **changes)
    return total, tuple(warnings)


def _combine_diagnosis(mine: Diagnosis, theirs: Diagnosis, name: str) -> tuple[Diagnosis, list[str]]:
    values, warnings = {}, []
    for field in fields(Diagnosis):
        a, b = getattr(mine, field.name), getattr(theirs, field.name)
        values[field.name] = a if a is not None else b
        if a is not None and b is not None and a.lower() != b.lower():
            warnings.append(f"{name}: diagnosis.{field.name} is {b!r}, another record says {a!r}; the latter is used")
    return Diagnosis(**values), warnings


def _joined(mine: tuple, theirs: tuple) -> tuple:
    """Both lists; an entry equal but for its source counts once."""
    known = {_without_source(item) for item in mine}
    return (*mine, *(item for item in theirs if _without_source(item) not in known))


def _without_source(item: object) -> object:
    if not hasattr(item, "source"):
        return item
    return (type(item).__name__, *(repr(getattr(item, f.name)) for f in fields(item) if f.name != "source"))  # type: ignore[arg-type]


def merge_variants(
    tables: Sequence[tuple[Variant, ...]], recorded: Sequence[Variant]
) -> tuple[tuple[Variant, ...] | None, tuple[str, ...]]:
    """All tables' variants, each once, then those only the record names; None when nothing was sequenced.

    Raises
    ------
    InputError: tables in different genome builds.
    """
    if not tables and not recorded:
        return None, ()
    files = sorted({v.source.file for table in tables for v in table})
    one_build((v.build for table in tables for v in table), ", ".join(files))
    kept: dict[tuple[object, ...], Variant] = {}
    repeated = 0
    for variant in (v for table in tables for v in table):
        key = (
            variant.gene,
            variant.chromosome,
            variant.position,
            variant.reference,
            variant.alternate,
            variant.protein,
        )
        if key in kept:
            repeated += 1
        kept.setdefault(key, variant)
    named = {(v.gene, v.protein) for v in kept.values()}
    genes = {v.gene for v in kept.values()}
    extra = [v for v in recorded if (v.gene, v.protein) not in named and not (v.protein is None and v.gene in genes)]
    warnings = (f"{repeated} variant(s) are listed more than once and were read once",) if repeated else ()
    return (*kept.values(), *extra), warnings
