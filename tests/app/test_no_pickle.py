"""Nothing that can run code is read from a file: no pickle, no torch.load of more than weights, no object arrays."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(p for f in ("app", "assistant", "encoders", "retrieval", "eval") for p in (ROOT / f).rglob("*.py"))
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}

KNOWN = {
    "assistant/lm_cases.py": ["pickle"],  # training's own cache, written by itself in a folder of the trainer's
    "assistant/adapter_training/trainer.py": ["pickle"],  # the name of an exception, to refuse a damaged checkpoint
}


def unsafe(source: str) -> list[str]:
    """What in a source could run code that a file brings along."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            name, given = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
            if name == "torch.load" and given.get("weights_only") != "True":
                found.append("torch.load without weights_only=True")
            if given.get("allow_pickle", "False") != "False" or name.endswith("read_pickle"):
                found.append(name)
            if name in ("yaml.load", "yaml.unsafe_load"):
                found.append(name)
    return found


def test_no_file_of_the_project_reads_one() -> None:
    assert {str(p.relative_to(ROOT)): u for p in FILES if (u := unsafe(p.read_text(encoding="utf-8")))} == KNOWN


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from joblib import load", "torch.load(p)", "torch.load(p, weights_only=False)",
     "np.load(p, allow_pickle=True)", "pd.read_pickle(p)", "yaml.load(t)"],
)  # fmt: skip
def test_the_search_would_find_one(source: str) -> None:
    assert unsafe(source)
