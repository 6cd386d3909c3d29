"""CIViC's ClinicalEvidenceSummaries TSV (nightly or monthly release) as therapy statements.

Only accepted, predictive items are read; the rest is another kind of evidence and is counted. "Does Not Support"
becomes ``supports=False``. Substitutes and sequences give one statement a drug; a combination gives one for all.
What this module does not know: ratings and reviewers (levels are CIViC's letters), molecular profiles of CIViC v2.

References
----------
Griffith M. et al., Nat Genet 2017;49:170-174, DOI 10.1038/ng.3774 (CIViC; content CC0).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from encoders.errors import InputError
from retrieval.importers.alteration_words import rule_from_words
from retrieval.importers.disease_words import disease_code, disease_label
from retrieval.importers.statements import Imported, NotReadError, Skipped, SourceStatement
from retrieval.lexicon import canonical_drug, canonical_gene
from retrieval.passage import BiomarkerRule, Direction, TherapyRow

COLUMNS = (
    "gene", "variant", "disease", "drugs", "drug_interaction_type", "evidence_type", "evidence_direction",
    "evidence_level", "clinical_significance", "citation_id", "source_type", "citation", "evidence_status",
    "evidence_id", "last_review_date",
)  # fmt: skip
DIRECTIONS = {
    "Sensitivity/Response": Direction.SENSITIVITY,
    "Resistance": Direction.RESISTANCE,
    "Reduced Sensitivity": Direction.RESISTANCE,
}
SUPPORT = {"Supports": True, "Does Not Support": False}
RECEPTOR_DISEASES: Mapping[str, BiomarkerRule] = {
    "Her2-receptor Positive Breast Cancer": BiomarkerRule("amplification", "HER2-positive", genes=("ERBB2",)),
    "Her2-receptor Negative Breast Cancer": BiomarkerRule("wild_type", "HER2-negative", absent=("ERBB2",)),
    "Estrogen-receptor Positive Breast Cancer": BiomarkerRule(
        "biomarker", "ER positive", biomarker="ER", comparison="=", threshold="positive"
    ),
    "Triple-receptor Negative Breast Cancer": BiomarkerRule(
        "biomarker", "triple-negative", biomarker="ER", comparison="=", threshold="negative", absent=("ERBB2",)
    ),
}
"""Diseases whose name holds a biomarker: the rule says it too, because OncoTree's code does not."""
MAX_FIELD = 1_000_000


def read_civic(path: Path) -> Imported:
    """Every accepted predictive item of a CIViC evidence file.

    Raises
    ------
    InputError: the file cannot be read, or lacks a column this importer needs (a changed release), named.
    """
    statements: list[SourceStatement] = []
    skipped: list[Skipped] = []
    for number, item in enumerate(_items(path), start=2):
        where = f"EID{item['evidence_id'] or '?'}, line {number}"
        try:
            statements += _statements(item)
        except NotReadError as error:
            skipped.append(Skipped(where, str(error)))
    return Imported("CIViC", path.name, tuple(statements), tuple(skipped))


def _items(path: Path) -> Iterator[dict[str, str]]:
    limit = csv.field_size_limit(MAX_FIELD)
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle, delimiter="\t")
            missing = sorted(set(COLUMNS) - set(reader.fieldnames or ()))
            if missing:
                raise InputError(
                    f"{path.name}: the CIViC evidence file lacks the column {', '.join(missing)}; the release has "
                    "another form. Use a ClinicalEvidenceSummaries TSV, or write a CSV (retrieval/importers/table.py)."
                )
            for row in reader:
                yield {name: (row.get(name) or "").strip() for name in COLUMNS}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path.name}: cannot be read as a tab-separated UTF-8 file ({error}). Export it again."
        ) from error
    finally:
        csv.field_size_limit(limit)


def _statements(item: Mapping[str, str]) -> list[SourceStatement]:
    if item["evidence_type"] != "Predictive":
        raise NotReadError(f"not predictive: {item['evidence_type'] or 'no type'}")
    if item["evidence_status"] != "accepted":
        raise NotReadError(f"not accepted: {item['evidence_status'] or 'no status'}")
    direction = DIRECTIONS.get(item["clinical_significance"])
    supports = SUPPORT.get(item["evidence_direction"])
    if direction is None or supports is None:
        said = f"{item['evidence_direction']} {item['clinical_significance']}".strip()
        raise NotReadError(f"significance is neither sensitivity nor resistance: {said or 'none'}")
    rule = _rule(item)
    code = disease_code(item["disease"])
    if code is None:
        raise NotReadError(f"disease not in the OncoTree table: {item['disease'] or 'none'}")
    return [SourceStatement(_row(item, rule, code, direction, drugs), supports) for drugs in _treatments(item)]


def _rule(item: Mapping[str, str]) -> BiomarkerRule:
    gene = canonical_gene(item["gene"])
    if gene is None:
        raise NotReadError(f"gene not known: {item['gene'] or 'none'}")
    rule = rule_from_words(gene, item["variant"])
    if rule is None:
        raise NotReadError(f"alteration not read: {item['gene']} {item['variant']}")
    receptor = RECEPTOR_DISEASES.get(item["disease"])
    if receptor is None or receptor.genes == rule.genes or receptor.absent == (gene,):
        return rule
    return BiomarkerRule(**{**_fields(rule), "also": (receptor,)})


def _fields(rule: BiomarkerRule) -> dict[str, object]:
    return {name: getattr(rule, name) for name in rule.__dataclass_fields__}


def _treatments(item: Mapping[str, str]) -> list[tuple[str, ...]]:
    """The drug sets an item speaks of: all together for a combination, else one a drug."""
    written = [d.strip() for d in item["drugs"].split(",") if d.strip()]
    known = [canonical_drug(d) for d in written]
    if not written or None in known:
        unknown = [w for w, k in zip(written, known, strict=True) if k is None]
        raise NotReadError(f"drug not known: {', '.join(unknown) or 'none'}")
    names = tuple(str(k) for k in known)
    return [names] if item["drug_interaction_type"] == "Combination" else [(n,) for n in names]


def _row(
    item: Mapping[str, str], rule: BiomarkerRule, code: str, direction: Direction, drugs: tuple[str, ...]
) -> TherapyRow:
    is_pubmed = item["source_type"] == "PubMed" and item["citation_id"].isdigit()
    return TherapyRow(
        row_id=f"civic:EID{item['evidence_id']}:{'+'.join(drugs)}",
        drugs=drugs,
        disease=code,
        disease_name=disease_label(code),
        rule=rule,
        direction=direction,
        level=item["evidence_level"],
        level_system="CIViC",
        source=item["citation"] or f"CIViC EID{item['evidence_id']}",
        reviewed=item["last_review_date"][:10],
        pmid=item["citation_id"] if is_pubmed else None,
    )
