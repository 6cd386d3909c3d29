"""The grammar of a COMPACT answer for a server: free text, brackets that hold only what the ledger holds.

The server's form of ``ReferenceGrammar`` (assistant/llm/reference_grammar.py), in the EBNF of xgrammar, which vLLM
takes as ``structured_outputs.grammar``. Not checked here: whether the right id was chosen (assistant/grounding.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence


def reference_ebnf(referable: Mapping[str, Sequence[str]]) -> str:
    """EBNF for one request.

    Parameters
    ----------
    referable : evidence id -> fields that may be referenced; ids alone may be cited

    Examples
    --------
    >>> print(reference_ebnf({"M1": ("gene",)}))
    root ::= (plain | cite | fill)*
    plain ::= [^\\[{]
    cite ::= "[" ("M1") "]"
    fill ::= "{" ("M1.gene") "}"
    """
    cited = [json.dumps(i) for i in referable]
    filled = [json.dumps(f"{i}.{name}") for i, names in referable.items() for name in names]
    rules = [("plain", r"[^\[{]")]
    if cited:
        rules.append(("cite", f'"[" ({" | ".join(cited)}) "]"'))
    if filled:
        rules.append(("fill", f'"{{" ({" | ".join(filled)}) "}}"'))
    lines = [f"root ::= ({' | '.join(name for name, _ in rules)})*", *(f"{name} ::= {body}" for name, body in rules)]
    return "\n".join(lines)
