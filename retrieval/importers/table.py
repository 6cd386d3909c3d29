"""A user's own therapy rows in a CSV file: one row a line, every name checked, all faults reported at once.

Columns: row_id, drugs ("a + b"), disease (OncoTree code, name or ANY), gene, alteration ("V600E", "exon 19
deletion", "amplification", "fusion", "mutation", "wild type"; or biomarker, comparison and threshold), direction,
level_system, level, source; and, where known, line, lines_allowed, after ("a; b": one of them), after_all ("a; b + c":
one of a and b, and c), not_after ("a; b"), approval, trial, pmid, reviewed, statement, contraindications, monitoring.
What this module does not know: whether a row is true.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from encoders.errors import InputError
from retrieval.importers.alteration_words import rule_from_words
from retrieval.importers.disease_words import disease_code, disease_label
from retrieval.importers.statements import Imported, NotReadError, SourceStatement
from retrieval.lexicon import canonical_drug, canonical_gene, drug_classes
from retrieval.passage import BiomarkerRule, Direction, TherapyRow
from retrieval.therapy_rows import LEVEL_RANKS

NEEDED = ("row_id", "drugs", "disease", "direction", "level_system", "level", "source")
OPTIONAL = (
    "gene", "alteration", "biomarker", "comparison", "threshold", "line", "lines_allowed", "after", "after_all",
    "not_after", "approval", "trial", "pmid", "reviewed", "statement", "contraindications", "monitoring",
)  # fmt: skip
COMPARISONS = ("=", ">=", "<=", ">", "<")
MAX_FAULTS_SHOWN = 10
PMID = re.compile(r"\d{7,8}")


def read_table(path: Path) -> Imported:
    """Every row of a user's CSV file (UTF-8, a header line).

    Raises
    ------
    InputError: the file cannot be read, lacks a needed column, has an unknown one, or holds faulty rows; each fault
        with its line, the value and the rule, so that all can be mended at once.
    """
    raw = _lines(path)
    statements: list[SourceStatement] = []
    faults: list[str] = []
    seen: set[str] = set()
    for number, line in enumerate(raw, start=2):
        try:
            row = _row(line)
            if row.row_id in seen:
                raise NotReadError(f"row_id {row.row_id!r} is used twice")
            seen.add(row.row_id)
            statements.append(SourceStatement(row))
        except NotReadError as error:
            faults.append(f"line {number}: {error}")
    if faults:
        more = f"; and {len(faults) - MAX_FAULTS_SHOWN} more" if len(faults) > MAX_FAULTS_SHOWN else ""
        raise InputError(
            f"{path.name}: {len(faults)} of {len(raw)} rows cannot be used: "
            f"{'; '.join(faults[:MAX_FAULTS_SHOWN])}{more}. Correct them; no row was taken."
        )
    return Imported(path.name, "", tuple(statements))


def _lines(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            names = set(reader.fieldnames or ())
            missing, unknown = sorted(set(NEEDED) - names), sorted(names - set(NEEDED) - set(OPTIONAL))
            if missing or unknown:
                raise InputError(
                    f"{path.name}: missing columns {missing}, unknown columns {unknown}; needed are "
                    f"{', '.join(NEEDED)}, allowed besides {', '.join(OPTIONAL)}. Rename or remove them."
                )
            return [{k: (v or "").strip() for k, v in row.items() if k is not None} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name}: cannot be read as a CSV file in UTF-8 ({error}). Save it again.") from error


def _row(line: Mapping[str, str]) -> TherapyRow:
    empty = [name for name in NEEDED if not line[name]]
    if empty:
        raise NotReadError(f"{', '.join(empty)} is empty")
    code = disease_code(line["disease"])
    if code is None:
        raise NotReadError(f"disease {line['disease']!r} is no OncoTree code or name that is known here, nor ANY")
    if line["direction"] not in (d.value for d in Direction):
        raise NotReadError(f"direction {line['direction']!r} is not {' or '.join(d.value for d in Direction)}")
    if line["level_system"] not in LEVEL_RANKS:
        raise NotReadError(f"level_system {line['level_system']!r} is not one of {', '.join(LEVEL_RANKS)}")
    if line.get("pmid") and not PMID.fullmatch(line["pmid"]):
        raise NotReadError(f"pmid {line['pmid']!r} is not 7 or 8 digits")
    lines = _split(line.get("lines_allowed", ""))
    if not all(n.isdigit() for n in lines):
        raise NotReadError(f"lines_allowed {line['lines_allowed']!r} is not numbers such as 2; 3")
    return TherapyRow(
        row_id=line["row_id"],
        drugs=tuple(_drug(d) for d in re.split(r"\s*\+\s*", line["drugs"])),
        disease=code,
        disease_name=disease_label(code),
        rule=_rule(line),
        direction=Direction(line["direction"]),
        level=line["level"],
        level_system=line["level_system"],
        source=line["source"],
        reviewed=line.get("reviewed", ""),
        line=line.get("line") or None,
        approval=line.get("approval") or None,
        trial=line.get("trial") or None,
        pmid=line.get("pmid") or None,
        statement=line.get("statement", ""),
        contraindications=_split(line.get("contraindications", "")),
        monitoring=_split(line.get("monitoring", "")),
        lines_allowed=tuple(int(n) for n in lines),
        not_after=tuple(_drug(d) for d in _split(line.get("not_after", ""))),
        after=_drugs_or_classes(line.get("after", "")),
        after_all=tuple(_drugs_or_classes(g) for g in line.get("after_all", "").split("+") if g.strip()),
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in (p.strip() for p in text.split(";")) if part)


def _drugs_or_classes(text: str) -> tuple[str, ...]:
    return tuple(d if d in drug_classes() else _drug(d) for d in _split(text))


def _drug(written: str) -> str:
    found = canonical_drug(written)
    if found is None:
        raise NotReadError(f"drug {written!r} is not known; write its generic name")
    return found


def _rule(line: Mapping[str, str]) -> BiomarkerRule:
    if line.get("biomarker"):
        return _biomarker(line)
    if not line.get("gene"):
        return BiomarkerRule("none", "no biomarker required")
    gene = canonical_gene(line["gene"])
    if gene is None:
        raise NotReadError(f"gene {line['gene']!r} is not known; write its HGNC symbol")
    rule = rule_from_words(gene, line.get("alteration") or "mutation")
    if rule is None:
        raise NotReadError(f"alteration {line['alteration']!r} is not read; write V600E, exon 19 deletion, fusion, ...")
    return rule


def _biomarker(line: Mapping[str, str]) -> BiomarkerRule:
    comparison, threshold = line.get("comparison", ""), line.get("threshold", "")
    if comparison not in COMPARISONS or not threshold:
        raise NotReadError(
            f"biomarker {line['biomarker']!r} needs a comparison ({', '.join(COMPARISONS)}) and a threshold"
        )
    figure: float | str = float(threshold) if re.fullmatch(r"\d+(\.\d+)?", threshold) else threshold
    text = " ".join((line["biomarker"], comparison, threshold))
    return BiomarkerRule("biomarker", text, biomarker=line["biomarker"], comparison=comparison, threshold=figure)


def write_header(columns: Iterable[str] = (*NEEDED, *OPTIONAL)) -> str:
    """The header line of an empty table, for a user to begin with."""
    return ",".join(columns)
