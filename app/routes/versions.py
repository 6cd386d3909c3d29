"""What made an answer, for the audit log: model, prompts, indexes and weights, as ids and hashes."""

from __future__ import annotations

from collections import OrderedDict

from app.workbench import Workbench
from assistant.report_identity import prompts_hash

KEPT = 256
_MADE_BY = ("encoders.", "retrieval.", "llm.")
_known: OrderedDict[str, dict[str, str]] = OrderedDict()


def versions_of(workbench: Workbench, case_id: str) -> dict[str, str]:
    """The model asked now, and what made the newest report of the case; hashes are cut to 16 digits."""
    found = {"llm": workbench.settings.llm[:200], "prompts": prompts_hash()[:16]}
    job = workbench.latest_report(case_id)
    if job is None:
        return found
    if job["id"] not in _known:
        told = workbench.report_json(job)["versions"]
        _known[job["id"]] = {k: str(v).split("\n")[0][:64] for k, v in told.items() if k.startswith(_MADE_BY)}
        while len(_known) > KEPT:
            _known.popitem(last=False)
    return {**found, "report": job["id"], **_known[job["id"]]}
