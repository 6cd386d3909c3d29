"""A database and the cases of an empty home; nothing here loads a model."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.case_files import CaseFiles
from app.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def files(tmp_path: Path, database: Database) -> CaseFiles:
    return CaseFiles(tmp_path / "home", database)


@pytest.fixture
def made_zip(tmp_path: Path) -> Callable[..., Path]:
    """Makes a zip of members given as name=text, "__" standing for "/"."""

    def make(name: str = "patient.zip", **members: str) -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as made:
            for member, content in members.items():
                made.writestr(member.replace("__", "/"), content)
        return path

    return make
