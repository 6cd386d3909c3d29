"""A source's disease as an OncoTree code: the code itself, the code's name, or a name of knowledge/disease_names.tsv.

The table maps the words of the Disease Ontology and the NCI Thesaurus that CIViC and MOAlmanac use; rare blood
cancers are not in the table of codes (encoders/oncotree.py) and give None.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from encoders import oncotree
from encoders.errors import ContractError

ANY = "ANY"


@lru_cache(maxsize=1)
def disease_names() -> Mapping[str, str]:
    """Lower-case name -> OncoTree code or ANY; the tree's own names and those of the table."""
    text = files("retrieval").joinpath("knowledge", "disease_names.tsv").read_text(encoding="utf-8")
    found = {node.name.lower(): code for code, node in oncotree.table().items()}
    for row in csv.DictReader(text.splitlines(), delimiter="\t"):
        if row["code"] != ANY and not oncotree.is_code(row["code"]):
            raise ContractError(
                f"retrieval/knowledge/disease_names.tsv: {row['code']!r} of {row['name']!r} is neither a code of "
                "encoders/oncotree.tsv nor ANY. Correct it."
            )
        found[row["name"]] = row["code"]
    return MappingProxyType(found)


def disease_code(written: str) -> str | None:
    """The code of a disease written as a code, "oncotree:CODE" or a name; None when it is not known."""
    bare = written.strip().removeprefix("oncotree:")
    if bare == ANY or oncotree.is_code(bare):
        return bare
    return disease_names().get(" ".join(bare.lower().split()))


def disease_label(code: str) -> str:
    """The name to print: OncoTree's, or "any solid tumour"."""
    return "any solid tumour" if code == ANY else oncotree.name(code) or code
