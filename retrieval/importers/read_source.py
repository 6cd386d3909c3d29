"""A file or folder of therapy evidence, recognised by its content: CIViC, MOAlmanac, an OncoKB answer, a user's table.

Not known here: the files' forms (one module each); where imported rows are kept.
"""

from __future__ import annotations

import json
from pathlib import Path

from encoders.errors import InputError
from retrieval.importers.civic import read_civic
from retrieval.importers.moalmanac import read_moalmanac
from retrieval.importers.oncokb import read_oncokb
from retrieval.importers.statements import Imported
from retrieval.importers.table import NEEDED, read_table

KINDS = (
    "a CIViC ClinicalEvidenceSummaries TSV, a MOAlmanac database folder (referenced/), an OncoKB annotation as JSON, "
    f"or a CSV with the columns {', '.join(NEEDED)}"
)


def read_source(path: Path) -> Imported:
    """The therapy statements of any source we read.

    Raises
    ------
    InputError: the path is not there or none of these kinds; or as its own reader raises.
    """
    if path.is_dir():
        return read_moalmanac(path if (path / "about.json").exists() else path / "referenced")
    if not path.is_file():
        raise InputError(f"{path.name}: there is no such file or folder. Give {KINDS}.")
    head = _first_line(path)
    if head.lstrip().startswith("{"):
        return read_oncokb(_json(path))
    if "\t" in head:
        return read_civic(path)
    if "," in head:
        return read_table(path)
    raise InputError(f"{path.name}: its first line is no header and no JSON. Give {KINDS}.")


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig") as handle:
            return handle.readline(100_000)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name}: cannot be read as UTF-8 text ({error}). Give {KINDS}.") from error


def _json(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path.name}: is not JSON ({error}). Save OncoKB's answer as it came.") from error
    return found if isinstance(found, dict) else {}
