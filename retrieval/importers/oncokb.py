"""OncoKB's annotation API, with the user's own token, and its documented responses as therapy statements.

Asked are a gene, an alteration and a cancer type; nothing else of a patient leaves the machine, and only when a
person calls ``OncoKB.annotate``: no pipeline does. Reading a saved response needs no token. OncoKB's content is
under its own licence and is never shipped. What this module does not know: diagnostic and prognostic levels (Dx, Px),
FDA levels, germline annotation.

References
----------
Suehnholz S.P. et al., Cancer Discov 2024;14:49-65, DOI 10.1158/2159-8290.CD-23-0467; Chakravarty D. et al., JCO
Precis Oncol 2017, DOI 10.1200/PO.17.00011 (levels 1 to 4, R1, R2).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import httpx

from encoders.errors import InputError, SettingsError, UnavailableError
from retrieval.importers.alteration_words import rule_from_words
from retrieval.importers.disease_words import disease_code, disease_label
from retrieval.importers.statements import Imported, NotReadError, Skipped, SourceStatement
from retrieval.lexicon import canonical_drug, canonical_gene
from retrieval.passage import BiomarkerRule, Direction, TherapyRow

API = "https://www.oncokb.org/api/v1"
TIMEOUT_S = 30.0
LEVELS = {f"LEVEL_{level}": level for level in ("1", "2", "3A", "3B", "4", "R1", "R2")}
OTHER_BIOMARKERS: Mapping[str, BiomarkerRule] = {
    "microsatellite instability-high": BiomarkerRule(
        "biomarker", "MSI-H", biomarker="MSI", comparison="=", threshold="MSI-H"
    ),
    "tmb-h": BiomarkerRule("biomarker", "TMB-H", biomarker="TMB", comparison=">=", threshold=10.0),
}
"""OncoKB files these under the gene "Other Biomarkers"."""
ALL_SOLID = frozenset(("all solid tumors", "all tumors"))


class OncoKB:
    """The API with a token. Raises SettingsError at once where calls are not allowed (RADOMICA_OFFLINE=1)."""

    def __init__(self, token: str, *, transport: httpx.BaseTransport | None = None) -> None:
        if os.environ.get("RADOMICA_OFFLINE") == "1":
            raise SettingsError("OncoKB asks its server, and RADOMICA_OFFLINE=1 forbids it. Unset it to call OncoKB.")
        if not token.strip():
            raise SettingsError("OncoKB needs your own API token; apply for one at its site and pass it here.")
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {token.strip()}"}, timeout=TIMEOUT_S, transport=transport
        )

    def annotate(self, gene: str, protein_change: str, tumor_type: str) -> Imported:
        """OncoKB's therapies for one protein change in one cancer type.

        Parameters
        ----------
        gene, protein_change : "BRAF", "V600E"; tumor_type : OncoTree code or name

        Raises
        ------
        SettingsError: the token is refused.
        UnavailableError: the server does not answer, or answers with another status than 200.
        InputError: the answer has not the documented form.
        """
        parameters = {"hugoSymbol": gene, "alteration": protein_change, "tumorType": tumor_type}
        try:
            answer = self._client.get(f"{API}/annotate/mutations/byProteinChange", params=parameters)
        except httpx.HTTPError as error:
            raise UnavailableError(f"OncoKB does not answer ({type(error).__name__}). Try again later.") from error
        if answer.status_code in (401, 403):
            raise SettingsError(f"OncoKB refused the token (status {answer.status_code}). Check it, or renew it.")
        if answer.status_code != 200:
            raise UnavailableError(f"OncoKB answered with status {answer.status_code}. Try again later.")
        try:
            raw = answer.json()
        except ValueError as error:
            raise InputError("OncoKB's answer is not JSON. Try again; a proxy may stand between.") from error
        return read_oncokb(raw)


def read_oncokb(raw: Mapping[str, Any]) -> Imported:
    """The therapies of one response of the documented form (IndicatorQueryResp).

    Raises
    ------
    InputError: the response holds neither ``query`` nor ``treatments``.
    """
    if not isinstance(raw, Mapping) or "query" not in raw or "treatments" not in raw:
        raise InputError(
            "this is not an OncoKB annotation: it needs 'query' and 'treatments'. Pass the JSON of one answer of "
            "/annotate/mutations/byProteinChange as it came."
        )
    statements: list[SourceStatement] = []
    skipped: list[Skipped] = []
    for number, treatment in enumerate(raw["treatments"] or ()):
        for alteration in treatment.get("alterations") or (raw["query"].get("alteration") or "",):
            where = f"treatment {number + 1}, {alteration}"
            try:
                statements.append(_statement(raw, treatment, alteration, number))
            except NotReadError as error:
                skipped.append(Skipped(where, str(error)))
            except (KeyError, TypeError, AttributeError) as error:
                skipped.append(Skipped(where, f"form not as documented: {error}"))
    return Imported("OncoKB", str(raw.get("dataVersion") or ""), tuple(statements), tuple(skipped))


def _statement(raw: Mapping[str, Any], treatment: Mapping[str, Any], alteration: str, number: int) -> SourceStatement:
    level = LEVELS.get(treatment["level"])
    if level is None:
        raise NotReadError(f"level is not therapeutic: {treatment['level']}")
    symbol = raw["query"]["hugoSymbol"]
    code = _cancer_type(treatment["levelAssociatedCancerType"])
    drugs = _drugs(treatment)
    pmids = [p for p in treatment.get("pmids") or () if str(p).isdigit()]
    row = TherapyRow(
        row_id=f"oncokb:{symbol}:{alteration}:{code}:{number + 1}",
        drugs=drugs,
        disease=code,
        disease_name=disease_label(code),
        rule=_rule(symbol, alteration),
        direction=Direction.RESISTANCE if level.startswith("R") else Direction.SENSITIVITY,
        level=level,
        level_system="OncoKB",
        source=f"OncoKB {raw.get('dataVersion') or ''}".strip(),
        reviewed=_iso_date(str(raw.get("lastUpdate") or "")),
        pmid=str(pmids[0]) if pmids else None,
        not_in=tuple(_cancer_type(excluded) for excluded in treatment.get("levelExcludedCancerTypes") or ()),
    )
    return SourceStatement(row)


def _rule(symbol: str, alteration: str) -> BiomarkerRule:
    if symbol == "Other Biomarkers":
        rule = OTHER_BIOMARKERS.get(alteration.lower())
    else:
        gene = canonical_gene(symbol)
        if gene is None:
            raise NotReadError(f"gene not known: {symbol}")
        rule = rule_from_words(gene, alteration)
    if rule is None:
        raise NotReadError(f"alteration not read: {symbol} {alteration}")
    return rule


def _drugs(treatment: Mapping[str, Any]) -> tuple[str, ...]:
    written = [drug["drugName"] for drug in treatment["drugs"]]
    known = [canonical_drug(name) for name in written]
    unknown = [name for name, found in zip(written, known, strict=True) if found is None]
    if unknown or not written:
        raise NotReadError(f"drug not known: {', '.join(unknown) or 'none'}")
    return tuple(str(name) for name in known)


def _cancer_type(raw: Mapping[str, Any]) -> str:
    """A subtype has a code; a main type has only a name."""
    main = (raw.get("mainType") or {}).get("name") or ""
    if (raw.get("name") or main).lower() in ALL_SOLID:
        return "ANY"
    for written in (raw.get("code") or "", raw.get("name") or "", main):
        code = disease_code(written) if written else None
        if code is not None:
            return code
    raise NotReadError(f"disease not in the OncoTree table: {raw.get('name') or main}")


def _iso_date(american: str) -> str:
    """OncoKB writes "10/24/2025"; "" where the date has another form."""
    parts = american.split("/")
    return f"{parts[2]}-{parts[0]:0>2}-{parts[1]:0>2}" if len(parts) == 3 and all(p.isdigit() for p in parts) else ""
