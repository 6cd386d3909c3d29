"""OncoKB's documented response form and its API, never called: a made transport answers."""

from __future__ import annotations

import httpx
import pytest

from encoders.errors import InputError, SettingsError, UnavailableError
from retrieval.importers import oncokb
from retrieval.importers.oncokb import OncoKB, read_oncokb
from retrieval.therapy_rows import level_rank


def oncokb_response(**changes: object) -> dict:
    """The documented form of /annotate/mutations/byProteinChange, with made values."""
    treatment = {
        "alterations": ["V600E"], "drugs": [{"ncitCode": "C1", "drugName": "Dabrafenib"},
                                            {"ncitCode": "C2", "drugName": "Trametinib"}],
        "level": "LEVEL_1", "fdaLevel": "LEVEL_Fda2", "approvedIndications": [], "description": "",
        "levelAssociatedCancerType": {"id": 1, "code": "", "name": "All Solid Tumors",
                                      "mainType": {"id": 2, "name": "All Solid Tumors", "tumorForm": "SOLID"}},
        "levelExcludedCancerTypes": [{"code": "", "name": "", "mainType": {"name": "Colorectal Cancer"}}],
        "pmids": ["37059834"], "abstracts": [],
    } | changes  # fmt: skip
    return {
        "query": {"hugoSymbol": "BRAF", "alteration": "V600E", "tumorType": "LUAD"}, "geneExist": True,
        "treatments": [treatment], "dataVersion": "v5.4", "lastUpdate": "10/24/2025",
    }  # fmt: skip


def test_an_oncokb_treatment_becomes_a_row_in_oncokb_s_own_level() -> None:
    (only,) = read_oncokb(oncokb_response()).statements
    row = only.row
    assert (row.level_system, row.level, row.disease, row.not_in) == ("OncoKB", "1", "ANY", ("COADREAD",))
    assert (row.drugs, row.pmid, row.reviewed) == (("dabrafenib", "trametinib"), "37059834", "2025-10-24")


@pytest.mark.parametrize(
    ("level", "direction", "rank"),
    [("LEVEL_1", "sensitivity", 0), ("LEVEL_3A", "sensitivity", 2), ("LEVEL_R1", "resistance", 0)],
)
def test_levels_and_resistance(level: str, direction: str, rank: int) -> None:
    (only,) = read_oncokb(oncokb_response(level=level)).statements
    assert (only.row.direction.value, level_rank(only.row)) == (direction, rank)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"level": "LEVEL_Px1"}, "level is not therapeutic: LEVEL_Px1"),
        ({"drugs": [{"drugName": "Magicinib"}]}, "drug not known: Magicinib"),
        ({"drugs": []}, "drug not known: none"),
        ({"alterations": ["Weird Event"]}, "alteration not read: BRAF Weird Event"),
        ({"levelAssociatedCancerType": {"name": "Langerhans Cell Histiocytosis"}}, "disease not in the OncoTree table"),
        ({"drugs": None}, "form not as documented"),
    ],
)
def test_an_oncokb_treatment_that_cannot_be_read_is_listed(change, reason: str) -> None:
    found = read_oncokb(oncokb_response(**change))
    assert found.statements == ()
    assert found.skipped[0].reason.startswith(reason)


def test_something_else_than_an_annotation_is_refused() -> None:
    with pytest.raises(InputError, match="not an OncoKB annotation"):
        read_oncokb({"error": "no"})


def answering(status: int, body: object) -> httpx.MockTransport:
    return httpx.MockTransport(lambda request: httpx.Response(status, json=body, request=request))


def test_the_api_is_asked_for_gene_change_and_tumour_type_only_and_with_the_token() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=oncokb_response(), request=request)

    found = OncoKB("secret", transport=httpx.MockTransport(answer)).annotate("BRAF", "V600E", "LUAD")
    assert len(found.statements) == 1
    assert dict(asked[0].url.params) == {"hugoSymbol": "BRAF", "alteration": "V600E", "tumorType": "LUAD"}
    assert asked[0].headers["Authorization"] == "Bearer secret"
    assert str(asked[0].url).startswith(oncokb.API)


@pytest.mark.parametrize(
    ("transport", "error", "words"),
    [
        (answering(401, {}), SettingsError, "refused the token"),
        (answering(503, {}), UnavailableError, "status 503"),
        (httpx.MockTransport(lambda r: httpx.Response(200, text="<html>", request=r)), InputError, "not JSON"),
    ],
)
def test_what_the_api_answers_wrongly_is_an_error_that_says_so(transport, error, words: str) -> None:
    with pytest.raises(error, match=words):
        OncoKB("secret", transport=transport).annotate("BRAF", "V600E", "LUAD")


def test_a_silent_server_is_unavailable() -> None:
    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("no", request=request)

    with pytest.raises(UnavailableError, match="does not answer"):
        OncoKB("secret", transport=httpx.MockTransport(silent)).annotate("BRAF", "V600E", "LUAD")


def test_offline_and_an_empty_token_are_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="token"):
        OncoKB("  ")
    monkeypatch.setenv("RADOMICA_OFFLINE", "1")
    with pytest.raises(SettingsError, match="RADOMICA_OFFLINE"):
        OncoKB("secret")
