"""Who may call an operation, as parameter types: ``caller: Reader``, ``case_id: ReadCase``, ``job: ReadReport``.

Every operation but /healthz takes one of them; a test walks all routes and fails on one that does not.
Not known here: how a caller is known (app/access.py).
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends

from app.access import Caller, Scope, audit, case_for, needs, report_for
from app.case_files import StoredCase
from app.routes.errors import not_found
from app.workbench import Workbench

Reader = Annotated[Caller, Depends(needs(Scope.READ))]
Writer = Annotated[Caller, Depends(needs(Scope.WRITE))]
Asker = Annotated[Caller, Depends(needs(Scope.ASK))]
Exporter = Annotated[Caller, Depends(needs(Scope.EXPORT))]
Deleter = Annotated[Caller, Depends(needs(Scope.DELETE))]
Reviewer = Annotated[Caller, Depends(needs(Scope.REVIEW))]

ReadCase = Annotated[str, Depends(case_for(Scope.READ))]
WriteCase = Annotated[str, Depends(case_for(Scope.WRITE))]
AskCase = Annotated[str, Depends(case_for(Scope.ASK))]
ReviewCase = Annotated[str, Depends(case_for(Scope.REVIEW))]
ExportCase = Annotated[str, Depends(case_for(Scope.EXPORT))]
DeleteCase = Annotated[str, Depends(case_for(Scope.DELETE))]

ReadReport = Annotated[dict[str, Any], Depends(report_for(Scope.READ))]
WriteReport = Annotated[dict[str, Any], Depends(report_for(Scope.WRITE))]
ReviewReport = Annotated[dict[str, Any], Depends(report_for(Scope.REVIEW))]
ExportReport = Annotated[dict[str, Any], Depends(report_for(Scope.EXPORT))]


def visible_case(workbench: Workbench, caller: Caller, case_id: str, *, write: bool = False) -> StoredCase:
    """The case a request's body names; 404 and a line in the audit log where it is not there or not the caller's."""
    found = workbench.files.case(case_id) if workbench.may_use(caller, case_id, write=write) else None
    if found is None:
        audit(caller, "refused: no such case", case_id=case_id if workbench.has_case(case_id) else None)
        raise not_found("case", case_id, "GET /v1/cases")
    return found
