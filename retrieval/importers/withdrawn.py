"""FDA indications that were withdrawn, so that an older source does not bring them back (knowledge/withdrawn.tsv).

Only whole pairs of drug and disease are listed; an indication narrowed to fewer patients is not.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from encoders import oncotree
from encoders.errors import ContractError
from retrieval.lexicon import canonical_drug


@lru_cache(maxsize=1)
def withdrawn_indications() -> Mapping[tuple[str, str], str]:
    """(generic drug, OncoTree code) -> year and reason, in words."""
    text = files("retrieval").joinpath("knowledge", "withdrawn.tsv").read_text(encoding="utf-8")
    found: dict[tuple[str, str], str] = {}
    for row in csv.DictReader(text.splitlines(), delimiter="\t"):
        if canonical_drug(row["drug"]) != row["drug"] or not oncotree.is_code(row["disease"]):
            raise ContractError(
                f"retrieval/knowledge/withdrawn.tsv: {row['drug']!r} in {row['disease']!r} is not a generic drug and "
                "an OncoTree code of our tables. Correct it."
            )
        found[row["drug"], row["disease"]] = f"{row['year']}, {row['why']}"
    return MappingProxyType(found)


def withdrawn(drugs: Sequence[str], disease: str) -> str | None:
    """Why the indication of these drugs in this disease no longer stands; None where nothing is known against it."""
    codes = (disease, *oncotree.ancestors(disease))
    found = (withdrawn_indications().get((drug, code)) for drug in drugs for code in codes)
    return next((reason for reason in found if reason is not None), None)
