"""Rules of single evidence types: therapy rows, appearance, explanations, and who a sentence is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from assistant.claim import Verdict
from assistant.evidence import Ledger
from assistant.grounding_change import change_keeps_its_order
from assistant.grounding_evidence import EvidenceView
from assistant.grounding_rules import ALTERATION_KINDS, Finding
from assistant.grounding_scope import clauses_keep_their_governor
from assistant.grounding_statement import Bound, Statement
from assistant.grounding_words import PRONOUNS
from assistant.hypothetical_claims import HYPOTHETICAL_RULES
from assistant.normalise import TokenKind, clean, tokenise, word_key


def _word_keys(text: str) -> frozenset[str]:
    return frozenset(word_key(w) for w in text.split())


_PATIENT = _word_keys("patient female male tumour lesion")
_HAS = _word_keys("has had is was shows showed have are were presents been")
_ASIDE = _word_keys(
    "weigh contraindications contraindication contraindicated interaction superseded compared "
    "versus over after caution against than"
)  # fmt: skip
_MIN_RETOLD = 3
_TOP = _word_keys("most top largest main mostly dominant strongest dominates driven driver drives")


def _unsupported(reason: str) -> Finding:
    return Finding(Verdict.UNSUPPORTED, reason)


def _contradicted(reason: str) -> Finding:
    return Finding(Verdict.CONTRADICTED, reason)


def _therapies(statement: Statement) -> dict[str, EvidenceView]:
    return {i: v for i, v in statement.views.items() if v.item.type == "therapy"}


def therapy_is_named(statement: Statement) -> Finding | None:
    """Every drug of a cited row is named, and no other drug is offered with its citation."""
    rows = _therapies(statement)
    named = {b.token.key for b in statement.bound if b.token.kind is TokenKind.DRUG}
    for evidence_id, held in rows.items():
        drugs = {k for k in held.field_keys.get("drug", ()) if k not in ("op:+",)}
        said = named | statement.keys
        if not drugs <= said:
            missing = ", ".join(sorted(k.removeprefix("drug:") for k in drugs - said))
            return _unsupported(f"cites {evidence_id} without naming its drug ({missing})")
    own = {k for v in rows.values() for k in v.field_keys.get("drug", ())}
    for bound in statement.bound:
        if not rows or bound.token.kind is not TokenKind.DRUG or bound.token.key in own:
            continue
        if not bound.support & set(rows):
            continue
        offered = any(b.pole and b.pole[0] in ("offer", "response") for b in statement.segment(bound.segment))
        aside = any(t.key in _ASIDE for t in statement.tokens[: bound.index]) or _retells(statement, rows, own)
        if (offered and not aside) or not aside:
            return _unsupported(f"offers {bound.token.surface!r}, which is not the drug of the cited row")
    return None


def _retells(statement: Statement, rows: dict[str, EvidenceView], own: set[str]) -> bool:
    """Whether the claim retells the study sentence of a row, where other drugs are compared."""
    beyond = {k for v in rows.values() for k in v.free_text if k not in v.type_words and not k.startswith("drug:")}
    return len({b.token.key for b in statement.bound} & beyond - own) >= _MIN_RETOLD


def only_offered_drugs_are_offered(statement: Statement) -> Finding | None:
    """Every drug said to be offered, lists included, is the drug of a cited row that is offered."""
    rows = _therapies(statement)
    offered = {k for v in rows.values() if v.holds_pole(("offer", 0)) for k in v.field_keys.get("drug", ())}
    for bound in statement.bound if rows else ():
        if bound.pole != ("offer", 0) or bound.token.key == word_key("advised"):
            continue
        segment = bound.segment
        drugs = [b for b in statement.segment(segment) if b.token.kind is TokenKind.DRUG and b.index < bound.index]
        while segment > 0:
            segment -= 1
            before = statement.segment(segment)
            if before and any(b.token.kind is not TokenKind.DRUG for b in before):
                break
            drugs += before
        for drug in drugs:
            if drug.token.key not in offered and drug.support & set(rows):
                return _unsupported(f"offers {drug.token.surface!r}, whose cited row is not offered")
    return None


_BACKS = _word_keys(
    "supported supports supporting favours favors favoured favored backs backed endorses endorsed argues"
)
_CONSIDERS = frozenset(["consider", "considered"])
"""By their letters: their key is that of "weigh", which introduces a caution."""
_SENSITIVE = ("response", 0)


def resistance_backs_no_drug(statement: Statement) -> Finding | None:
    """ "erlotinib is supported by EGFR exon 20 insertion (resistance)": what predicts resistance speaks for no drug.

    And after "trial" stands a trial's name, not a direction.
    """
    rows = {i: v for i, v in _therapies(statement).items() if not v.holds_pole(_SENSITIVE)}
    for place, token in enumerate(statement.tokens):
        before = statement.tokens[place - 1].key if place else ""
        backs = token.key in _BACKS or token.surface.lower() in _CONSIDERS
        if rows and backs and not _against(statement, place):
            evidence_id = sorted(rows)[0]
            return _contradicted(
                f"says {token.surface!r} of {evidence_id}, which is resistance: {rows[evidence_id].item.text}"
            )
        if before == word_key("trial") and token.key in _DIRECTIONS:
            return _unsupported(f"gives {token.surface!r} as the name of a trial")
    return None


_DIRECTIONS = _word_keys("resistance sensitivity")


_AGAINST = _word_keys("against resistance avoiding exclusion excluding")


def _against(statement: Statement, place: int) -> bool:
    """ "argues against", "supports resistance", "supports avoiding", "is not supported"."""
    after = {t.key for t in statement.tokens[place + 1 : place + 4]}
    before = {t.key for t in statement.tokens[max(0, place - 2) : place]}
    return bool(after & _AGAINST or before & _word_keys("not no never"))


def therapy_status_is_kept(statement: Statement) -> Finding | None:
    """An excluded or resistant row is said to be so."""
    for evidence_id, held in _therapies(statement).items():
        if not held.holds_pole(("offer", 1)):
            continue
        status = {k for k in held.field_keys.get("status", ()) if k.startswith("quote of a value:excluded")}
        refusals = [
            b
            for b in statement.bound
            if (b.pole in (("offer", 1), ("response", 1)) or b.token.key in status) and evidence_id in b.support
        ]
        if not refusals:
            return _unsupported(f"does not say that {evidence_id} is {held.item.fields['status'].display}")
    return None


def therapy_matches_its_biomarker(statement: Statement) -> Finding | None:
    """With a therapy cited, every alteration named is one that its row holds."""
    rows = set(_therapies(statement))
    if not rows:
        return None
    for bound in statement.bound:
        alteration = bound.token.kind in ALTERATION_KINDS or (bound.pole is not None and bound.pole[0] == "copies")
        if alteration and not bound.support & rows:
            return _unsupported(f"joins {bound.token.surface!r} to a therapy whose row does not hold it")
    return None


def guideline_is_not_the_patient(statement: Statement) -> Finding | None:
    """What a guideline or a row says of patients in general is not stated of this patient."""
    if any(v.item.kind.value != "G" for v in statement.views.values()) or not statement.views:
        return None
    offered = any(b.pole and b.pole[0] == "offer" for b in statement.bound)
    for index, token in enumerate(statement.tokens[:-1]):
        if token.key in _PATIENT and statement.tokens[index + 1].key in _HAS and not offered:
            return _unsupported("states of this patient what the cited evidence says of a group")
        if token.surface.lower() in PRONOUNS:
            return _unsupported("states of this patient what the cited evidence says of a group")
    return None


def appearance_is_stated_as_read(statement: Statement) -> Finding | None:
    """ "with necrosis" states presence even without the word: the attribute's plain mention has a direction."""
    for evidence_id, held in statement.views.items():
        if held.item.type != "appearance" or not any(g == "presence" for g, _ in held.field_poles):
            continue
        attribute = held.field_keys.get("attribute", frozenset())
        mentions = [b for b in statement.bound if b.token.key in attribute]
        for mention in mentions:
            around = statement.segment(mention.segment)
            if any(b.pole is not None and b.pole[0] == "presence" for b in around):
                continue
            denied = any(mention.index in scope for _, scope in statement.found.cues)
            stated = ("presence", 1 if denied else 0)
            if not held.holds_pole(stated):
                finding = held.item.fields["finding"].display
                return _contradicted(f"states {mention.token.surface!r} as {'absent' if denied else 'present'}; "
                                     f"{evidence_id} reads it as {finding}")  # fmt: skip
    return None


def missing_is_not_available(statement: Statement) -> Finding | None:
    """What the ledger holds as missing is not called available."""
    for evidence_id, held in statement.views.items():
        for index, token in enumerate(statement.tokens if held.item.type == "absent" else ()):
            if token.surface.lower() == "available" and index not in statement.found.poles:
                return _contradicted(f"says {token.surface!r} of what {evidence_id} holds as missing")
    return None


def explanation_pairs_are_kept(statement: Statement) -> Finding | None:
    """A share belongs to its modality, a gene to its direction."""
    for evidence_id, held in statement.views.items():
        if held.item.type == "contribution" and (finding := _shares(statement, evidence_id, held)):
            return finding
        if held.item.type == "gene_attribution" and (finding := _genes(statement, evidence_id, held)):
            return finding
    return None


def _shares(statement: Statement, evidence_id: str, held: EvidenceView) -> Finding | None:
    shares = held.item.fields["shares"].value if "shares" in held.item.fields else ()
    pairs: dict[str, set[str]] = {}
    for item in shares if isinstance(shares, tuple) else ():
        tokens = tokenise(item)
        for token in tokens:
            if token.number:
                pairs.setdefault(token.key, set()).update(t.key for t in tokens if not t.number)
    names = set().union(*pairs.values()) if pairs else set()
    top = held.field_keys.get("top_modality", frozenset())
    last: str | None = None
    for number in statement.segments:
        tokens = statement.segment(number)
        here = [b for b in tokens if b.token.key in names]
        leading = any(b.token.key in _TOP or (b.pole and b.pole[0] in ("level", "rank")) for b in tokens)
        if leading and here and not any(b.token.key in top for b in here):
            return _unsupported(
                f"gives {here[0].token.surface!r} the place that {evidence_id} gives to another modality"
            )
        for bound in tokens:
            if bound.token.number is None or bound.token.key not in pairs:
                continue
            nearest = min(here, key=lambda b, i=bound.index: abs(b.index - i)).token.key if here else last
            if nearest is not None and nearest not in pairs[bound.token.key]:
                return _unsupported(f"gives {nearest!r} the share of another modality in {evidence_id}")
        last = here[-1].token.key if here else last
    return None


def _genes(statement: Statement, evidence_id: str, held: EvidenceView) -> Finding | None:
    levels = [b for b in statement.bound if b.pole is not None and b.pole[0] == "level"]
    known = held.field_keys.get("genes_raising", frozenset()) | held.field_keys.get("genes_lowering", frozenset())
    genes = [b for b in statement.bound if b.token.kind is TokenKind.GENE or b.token.key in known]
    if len({b.pole for b in levels}) > 1 and len({_side(g, held) for g in genes}) == 1:
        return _unsupported(f"says two directions of genes that {evidence_id} gives one")
    genes_first = bool(genes) and bool(levels) and genes[0].index < levels[0].index
    for gene in genes:
        pole = _pole_for(gene, levels, genes_first=genes_first)
        if pole is None:
            continue
        field = "genes_raising" if pole == 0 else "genes_lowering"
        if gene.token.key not in held.field_keys.get(field, frozenset()):
            return _contradicted(f"gives {gene.token.surface!r} a direction that {evidence_id} does not")
    return None


def _side(gene: Bound, held: EvidenceView) -> bool:
    return gene.token.key in held.field_keys.get("genes_raising", frozenset())


def _pole_for(gene: Bound, levels: list[Bound], *, genes_first: bool) -> int | None:
    """A sentence that opens with genes says their direction after them; one that opens with a direction, before."""
    before = [b for b in levels if b.index < gene.index][-1:]
    after = [b for b in levels if b.index > gene.index][:1]
    chosen = (after or before) if genes_first else (before or after)
    return chosen[0].pole[1] if chosen and chosen[0].pole else None


_FILE_NAMES: Mapping[str, int] = {
    "role": 4, "series": 4, "drug": 7, "histology": 7, "disease": 7, "name": 7, "value": 7, "response": 7,
}  # fmt: skip
"""Field that a file words freely -> number of words from which on it is no name; such a text is only said whole."""


def file_texts_are_said_whole(statement: Statement) -> Finding | None:
    """No sentence is made of the words of a DICOM description or a FHIR string ("state that the patient is cured")."""
    for evidence_id, held in statement.views.items():
        for name, most in _FILE_NAMES.items():
            if held.item.type == "therapy" or name not in held.item.fields:
                continue
            shown = clean(held.item.fields[name].display)
            if sum(w.isalpha() for w in shown.split()) < most:
                continue
            rest = {t.key for t in tokenise(clean(held.item.text).replace(shown, ";"))} | held.type_words
            own = held.field_keys.get(name, frozenset()) - rest
            for bound in statement.bound:
                if bound.token.kind is not TokenKind.QUOTE and bound.token.key in own and evidence_id in bound.support:
                    return _unsupported(
                        f"takes {bound.token.surface!r} out of a text of the file that {evidence_id} quotes"
                    )
    return None


TYPE_RULES: tuple[Callable[[Statement], Finding | None], ...] = (
    therapy_is_named,
    only_offered_drugs_are_offered,
    therapy_matches_its_biomarker,
    therapy_status_is_kept,
    resistance_backs_no_drug,
    guideline_is_not_the_patient,
    appearance_is_stated_as_read,
    missing_is_not_available,
    explanation_pairs_are_kept,
    change_keeps_its_order,
    file_texts_are_said_whole,
    clauses_keep_their_governor,
    *HYPOTHETICAL_RULES,
)


def pronouns_fit(statement: Statement, ledger: Ledger) -> Finding | None:
    """ "She" and "his" agree with the recorded sex."""
    sexes = {str(e.fields["sex"].value).lower() for e in ledger.of_type("demographics") if "sex" in e.fields}
    for token in statement.tokens:
        sex = PRONOUNS.get(token.surface.lower())
        if sex is None or sex in sexes:
            continue
        if sexes:
            return _contradicted(f"says {token.surface!r}; the record says {', '.join(sorted(sexes))}")
        return _unsupported(f"says {token.surface!r}; the record holds no sex")
    return None


Rule = Callable[[Statement], Finding | None]
AllRules = Mapping[str, Rule]
