"""The therapy benchmark: ``radomica eval therapy``, the built-in rows counted, held against open sources, and matched.

Groups: ``rows`` (how many, over how many cancers, each with its level, source, monitoring and review date),
``agreement`` (direction against CIViC level A/B and MOAlmanac approvals, where both name the same thing; needs the
developers' files), ``vignettes`` (short patients with the options expected and barred).

A row agrees with a source when more of the source's statements point its way than the other; ``beyond_cited`` leaves
out the very items that a row was written from. NOT measured: whether rows are missing, or whether a source is right.
"""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from encoders import oncotree
from eval.benchmark import Better, Progress, Row, grouped_benchmark
from eval.intervals import wilson
from eval.therapy_vignettes import faults, load_vignettes
from retrieval.corpus.builtin import confirmations, load_therapy_rows
from retrieval.importers.civic import read_civic
from retrieval.importers.moalmanac import read_moalmanac
from retrieval.importers.statements import Imported
from retrieval.passage import Direction, TherapyRow
from retrieval.therapy_links import Link, link_rows

ROWS, CANCERS, AGREEMENT, VIGNETTES = 250, 15, 0.90, 150
CIVIC = Path("knowledge/civic/nightly-ClinicalEvidenceSummaries.tsv")
MOALMANAC = Path("knowledge/moalmanac_db/referenced")
STRONG = frozenset("AB")
Links = Mapping[str, tuple[Link, ...]]


def count_rows(shared: Path, progress: Progress) -> tuple[Row, ...]:
    """How many rows, cancers and tumour-agnostic indications; and how many rows lack what a reader needs."""
    started = time.monotonic()
    rows = load_therapy_rows()
    codes = {r.disease for r in rows if r.disease != "ANY"}
    cancers = {code for code in codes if not codes & set(oncotree.ancestors(code))}  # LUAD is within NSCLC
    lacking = [r for r in rows if not (r.reviewed and r.statement and (r.pmid or "http" in r.source))]
    lacking += [r for r in rows if r.direction is Direction.SENSITIVITY and not r.monitoring]
    seconds = time.monotonic() - started
    return (
        Row("rows.built_in", len(rows), ROWS, Better.HIGHER, len(rows), seconds),
        Row("rows.cancers", len(cancers), CANCERS, Better.HIGHER, len(rows), 0.0),
        Row("rows.tumour_agnostic", sum(r.disease == "ANY" for r in rows), 1, Better.HIGHER, len(rows), 0.0),
        Row("rows.resistance", _count(rows, Direction.RESISTANCE), 1, Better.HIGHER, len(rows), 0.0),
        Row("rows.without_source_or_monitoring", len(lacking), 0, Better.LOWER, len(rows), 0.0),
    )


def _count(rows: Sequence[TherapyRow], direction: Direction) -> int:
    return sum(r.direction is direction for r in rows)


# ---- agreement ----------------------------------------------------------------------------------------------------


def agreement_rows(shared: Path, progress: Progress) -> tuple[Row, ...]:
    """Direction of built-in rows against CIViC A/B and MOAlmanac, and disagreements that nobody explained."""
    started = time.monotonic()
    if not (shared / CIVIC).exists() or not (shared / MOALMANAC).exists():
        note = "CIViC and MOAlmanac files are not beside the project"
        ids = ("civic", "civic_beyond_cited", "moalmanac")
        return tuple(Row(f"agreement.{i}", None, AGREEMENT, Better.HIGHER, 0, 0.0, note=note) for i in ids)
    civic = strong_links(read_civic(shared / CIVIC))
    moalmanac = link_rows(load_therapy_rows(), [read_moalmanac(shared / MOALMANAC)])
    against = disagreements(civic) + disagreements(moalmanac)
    for link in against if progress else ():
        progress(f"{link.row_id}: {link.sentence()} {reasons().get(key(link), 'NO REASON')}")
    unexplained = [link for link in against if key(link) not in reasons()]
    seconds = time.monotonic() - started
    return (
        agreement_row("agreement.civic", civic, seconds),
        agreement_row("agreement.civic_beyond_cited", beyond_cited(civic), 0.0),
        agreement_row("agreement.moalmanac", moalmanac, 0.0),
        Row("agreement.statements_unexplained", len(unexplained), 0, Better.LOWER, len(against), 0.0),
    )


def strong_links(civic: Imported) -> Links:
    """Links to CIViC items of level A or B."""
    links = link_rows(load_therapy_rows(), [civic])
    kept = {i: tuple(x for x in found if x.statement.row.level in STRONG) for i, found in links.items()}
    return {row_id: found for row_id, found in kept.items() if found}


def beyond_cited(links: Links) -> Links:
    """Links without the items that the row itself was written from."""
    cited = {row_id: set(re.findall(r"EID\d+", confirmations()[row_id])) for row_id in links}
    kept = {i: tuple(x for x in found if _item(x) not in cited[i]) for i, found in links.items()}
    return {row_id: found for row_id, found in kept.items() if found}


def _item(link: Link) -> str:
    return link.statement.row.row_id.split(":")[1]


def agreement_row(row_id: str, links: Links, seconds: float) -> Row:
    """Share of the rows both name in which the source mostly points the row's way; a tie is no agreement."""
    agreeing = [found for found in links.values() if sum(x.agrees for x in found) * 2 > len(found)]
    statements = [x for found in links.values() for x in found]
    note = f"{sum(x.agrees for x in statements)} of {len(statements)} single statements agree"
    interval = wilson(len(agreeing), len(links))
    value = len(agreeing) / len(links)
    return Row(row_id, value, AGREEMENT, Better.HIGHER, len(links), seconds, interval, note)


def disagreements(links: Links) -> list[Link]:
    """Every linked statement that points the other way."""
    return [link for found in links.values() for link in found if not link.agrees]


def key(link: Link) -> tuple[str, str]:
    """(row, statement) as eval/therapy_disagreements.tsv names them."""
    return link.row_id, link.statement.row.row_id


@lru_cache(maxsize=1)
def reasons() -> Mapping[tuple[str, str], str]:
    """(row, statement) -> why they differ, in words (eval/therapy_disagreements.tsv)."""
    text = files("eval").joinpath("therapy_disagreements.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return {(row["row_id"], row["statement"]): row["reason"] for row in rows}


# ---- vignettes ----------------------------------------------------------------------------------------------------


def vignette_rows(shared: Path, progress: Progress) -> tuple[Row, ...]:
    """Share of vignettes whose every expectation holds; each fault is said on ``progress``."""
    started = time.monotonic()
    rows, vignettes = load_therapy_rows(), load_vignettes()
    wrong = {v.vignette_id: found for v in vignettes if (found := faults(v, rows))}
    for name, found in wrong.items() if progress else ():
        progress(f"{name}: {'; '.join(found)}")
    right = len(vignettes) - len(wrong)
    expectations = sum(
        len(v.offered) + len(v.not_offered) + len(v.against) + len(v.because) + len(v.off_label) for v in vignettes
    )
    seconds = time.monotonic() - started
    note = f"{expectations} single expectations"
    return (
        Row("vignettes.count", len(vignettes), VIGNETTES, Better.HIGHER, len(vignettes), 0.0),
        Row("vignettes.all_right", right / len(vignettes), 1.0, Better.HIGHER, len(vignettes), seconds,
            wilson(right, len(vignettes)), note),
    )  # fmt: skip


run_therapy = grouped_benchmark(
    "therapy",
    {
        "rows": lambda _, shared, progress: count_rows(shared, progress),
        "agreement": lambda _, shared, progress: agreement_rows(shared, progress),
        "vignettes": lambda _, shared, progress: vignette_rows(shared, progress),
    },
)
