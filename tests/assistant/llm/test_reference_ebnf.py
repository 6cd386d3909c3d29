"""The grammar of brackets for a server: hand-written cases; the real server is asked in test_vllm_server.py."""

from __future__ import annotations

from assistant.llm.reference_ebnf import reference_ebnf


def test_ids_may_be_cited_and_fields_referenced() -> None:
    assert reference_ebnf({"M1": ("gene", "variant"), "F3": ()}).splitlines() == [
        "root ::= (plain | cite | fill)*",
        r"plain ::= [^\[{]",
        'cite ::= "[" ("M1" | "F3") "]"',
        'fill ::= "{" ("M1.gene" | "M1.variant") "}"',
    ]


def test_without_fields_nothing_can_be_referenced_and_without_ids_no_bracket_opens() -> None:
    assert "fill" not in reference_ebnf({"F3": ()})
    assert reference_ebnf({}).splitlines() == ["root ::= (plain)*", r"plain ::= [^\[{]"]
