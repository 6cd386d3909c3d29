"""The closed words the models, the ledger and the LLM share: cancers, appearance, expression, labels.

A head, a ledger field and a sentence about the same thing use the same word, or the checker cannot
compare them. Add here, retrain, and nothing else has to change.
"""

from __future__ import annotations

from collections.abc import Mapping

CANCERS: Mapping[str, str] = {
    "LUAD": "lung adenocarcinoma",
    "DIFG": "diffuse glioma",
    "CCRCC": "clear cell renal cell carcinoma",
    "BRCA": "invasive breast carcinoma",
}
"""OncoTree code -> name, of the cancers the built-in models are trained on."""

APPEARANCE: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "margin": {
        "LUAD": ("smooth", "spiculated"),
        "DIFG": ("circumscribed", "infiltrative"),
        "CCRCC": ("circumscribed", "infiltrative"),
        "BRCA": ("smooth", "spiculated"),
    },
    "necrosis": dict.fromkeys(CANCERS, ("absent", "present")),
    "texture": dict.fromkeys(CANCERS, ("homogeneous", "heterogeneous")),
    "enhancement": {c: ("mild", "avid") for c in ("DIFG", "CCRCC", "BRCA")},
    "uptake": {"LUAD": ("low", "high")},
}
"""Lesion attribute -> cancer -> (word of class 0, word of class 1). Read from the image alone."""

EXPRESSION_PROFILES: Mapping[str, tuple[str, str]] = {
    "proliferation": ("low", "high"),
    "immune_infiltration": ("low", "high"),
}
"""Expression attribute -> (word of class 0, word of class 1). Read from gene expression alone."""

MOLECULAR_LABELS: Mapping[str, tuple[str, str]] = {
    "EGFR": ("LUAD", "mutated"),
    "IDH1": ("DIFG", "mutated"),
    "BAP1": ("CCRCC", "mutated"),
    "ERBB2": ("BRCA", "amplified"),
}
"""Gene -> (cancer it is predicted in, what positive means). Predicted from the image alone."""
