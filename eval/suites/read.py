"""Benchmark files in their published forms -> items; what is malformed or doubled is listed, not asked.

Forms, with the paper that gave them:
mirage      {set: {id: {question, options, answer[, PMID]}}}: Xiong et al., Findings of ACL 2024,
            10.18653/v1/2024.findings-acl.372
pubmedqa    {pmid: {QUESTION, CONTEXTS, final_decision}}: Jin et al., EMNLP 2019, 10.18653/v1/D19-1259; asked with its
            abstract ("reasoning-required")
bioasq      {questions: [{body, type, exact_answer, snippets, documents}]}: Tsatsaronis et al., BMC Bioinformatics 2015,
            10.1186/s12859-015-0564-6; summary questions have no exact answer and are listed as left out
medqa       JSON lines {question, options: {A: ...}, answer_idx}: Jin et al., Appl Sci 2021, 10.3390/app11146421
medmcqa     JSON lines {id, question, opa..opd, cop: 1..4 or 0..3}: Pal et al., CHIL 2022, arXiv 2203.14371
mtbbench    a folder of {patient_id, steps: [{question, answer, new_context, files_available}], files}, one a patient
vqa         VQA-RAD / SLAKE / PathVQA: [{qid, question, answer, image_name, answer_type}]: Lau et al., Sci Data 2018,
            10.1038/sdata.2018.251
healthbench JSON lines {prompt_id, prompt: [{role, content}], rubrics: [{criterion, points, tags}]}: Arora et al., 2025,
            arXiv 2505.08775
cases       our own: JSON lines {set, id, question, kind, options, gold, given, case, parts, groups, ...}, the fields of
            eval/suites/item.py

Not checked: whether a gold answer is right.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from encoders.errors import InputError, SettingsError
from eval.suites.groups import age_band
from eval.suites.item import PARTS, Criterion, Item, Kind, Problem, Suite

Found = Iterator[Item | Problem]
LETTERS = "ABCDEFGHIJ"
PUBMEDQA = "pubmedqa_with_abstract"  # MIRAGE's set "pubmedqa" goes without
_CHOICE_LINE = re.compile(r"^\s*([A-J])[).:]\s*(.+?)\s*$", re.MULTILINE)


def read_suite(name: str, path: Path) -> Suite:
    """The items of one benchmark file (a folder for mtbbench; a folder of files for bioasq).

    Raises
    ------
    SettingsError: no suite of that name.
    InputError: the file cannot be read, is not of the form, or holds no usable item.
    """
    if name not in READERS:
        raise SettingsError(f"no suite {name!r}; allowed: {', '.join(sorted(READERS))}.")
    files = sorted(p for p in path.iterdir() if p.suffix in (".json", ".jsonl")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: a folder without .json or .jsonl files; give the file or folder of the {name} form.")
    items: dict[str, Item] = {}
    problems: list[Problem] = []
    digest = hashlib.sha256()
    for file in files:
        content = _bytes(file)
        digest.update(content)
        for found in READERS[name](file, content):
            if isinstance(found, Problem):
                problems.append(found)
            elif found.key in items:
                problems.append(Problem(found.key, "the id stands twice; the first one is asked"))
            else:
                items[found.key] = found
    if not items:
        why = f" ({problems[0].key}: {problems[0].reason})" if problems else ""
        raise InputError(f"{path}: no usable item of the {name} form{why}; see the forms in eval/suites/read.py.")
    return Suite(name, tuple(items.values()), tuple(problems), digest.hexdigest())


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(
            f"{file}: cannot be read ({error.strerror}); give the benchmark's file with --data."
        ) from error


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in order, doubled names kept (a dict would drop the first)."""


def _json(file: Path, content: bytes, *, keep_doubles: bool = False) -> Any:
    try:
        return json.loads(content, object_pairs_hook=_Pairs if keep_doubles else None)
    except ValueError as error:
        raise InputError(f"{file}: not JSON ({error}); give the benchmark's own file.") from error


def _lines(file: Path, content: bytes) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """(line name, object or None) of JSON lines."""
    for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), 1):
        if line.strip():
            try:
                found = json.loads(line)
            except ValueError:
                found = None
            yield f"{file.name}:{number}", found if isinstance(found, dict) else None


def choice(key: tuple[str, str], question: Any, options: Any, answer: Any, **more: Any) -> Item | Problem:
    """A CHOICE item, or what is wrong with it. key : set, id."""
    name = "/".join(key)
    if not isinstance(question, str) or not question.strip():
        return Problem(name, "has no question text")
    if not isinstance(options, Mapping) or len(options) < 2:
        return Problem(name, f"needs at least two options; found {str(options)[:60]}")
    texts = {str(letter): str(text).strip() for letter, text in options.items()}
    if answer not in texts:
        return Problem(name, f"answer {answer!r} is none of the options {', '.join(texts)}")
    return Item(*key, question.strip(), Kind.CHOICE, texts, (str(answer),), **more)


def _mirage(file: Path, content: bytes) -> Found:
    found = _json(file, content, keep_doubles=True)
    if not isinstance(found, _Pairs) or not all(isinstance(v, _Pairs) for _, v in found):
        raise InputError(f"{file}: the rule is {{set: {{id: question}}}}; found another JSON shape.")
    for name, members in found:
        for key, pairs in members:
            if not isinstance(pairs, _Pairs):
                yield Problem(f"{name}/{key}", f"is no object: {str(pairs)[:60]}")
                continue
            item = dict(pairs)
            options = dict(item["options"]) if isinstance(item.get("options"), _Pairs) else item.get("options")
            documents = tuple(map(str, item.get("PMID") or ()))
            yield choice((name, key), item.get("question"), options, item.get("answer"), documents=documents)


def _pubmedqa(file: Path, content: bytes) -> Found:
    for key, item in _json(file, content).items():
        answers = {"yes": "A", "no": "B", "maybe": "C"}
        if not isinstance(item, dict) or item.get("final_decision") not in answers:
            yield Problem(f"{PUBMEDQA}/{key}", "has no final_decision of yes, no, maybe")
            continue
        options = {letter: text for text, letter in answers.items()}
        given = "\n".join(item.get("CONTEXTS") or ())
        answer = answers[item["final_decision"]]
        more = {"given": given, "documents": (key,), "contexts": tuple(map(str, item.get("CONTEXTS") or ()))}
        yield choice((PUBMEDQA, key), item.get("QUESTION"), options, answer, **more)


def _bioasq(file: Path, content: bytes) -> Found:
    for item in _json(file, content).get("questions", ()):
        key = ("bioasq_" + str(item.get("type")), str(item.get("id")))
        more = {
            "documents": tuple(str(d).rpartition("/")[2] for d in item.get("documents") or ()),
            "contexts": tuple(str(s.get("text", "")) for s in item.get("snippets") or ()),
        }
        exact, body = item.get("exact_answer"), str(item.get("body") or "").strip()
        if not body or (exact is None and item.get("type") != "summary"):
            yield Problem("/".join(key), "has no question text" if not body else "has no exact answer")
        elif item.get("type") == "yesno":
            answer = {"yes": "A", "no": "B"}.get(str(exact).lower())
            yield choice(key, body, {"A": "yes", "B": "no"}, answer, **more)
        elif item.get("type") == "factoid":
            yield Item(*key, body, Kind.SHORT, gold=tuple(_flat(exact)), **more)
        elif item.get("type") == "list":
            gold = tuple(" | ".join(_flat(one)) for one in exact)
            yield Item(*key, body, Kind.LIST, gold=gold, **more)
        else:
            yield Problem("/".join(key), "summary question: an ideal answer in prose, no exact one")


def _flat(found: Any) -> list[str]:
    if isinstance(found, str):
        return [found]
    return [text for one in found or () for text in _flat(one)]


def _medqa(file: Path, content: bytes) -> Found:
    for name, item in _lines(file, content):
        if item is None:
            yield Problem(f"medqa/{name}", "is no JSON object")
            continue
        key, groups = ("medqa", str(item.get("id", name))), _groups(item, examination="meta_info")
        yield choice(key, item.get("question"), item.get("options"), item.get("answer_idx"), groups=groups)


def _medmcqa(file: Path, content: bytes) -> Found:
    rows = list(_lines(file, content))
    marks = {item.get("cop") for _, item in rows if item is not None}
    first = 0 if 0 in marks else 1  # the hub's copy counts from 0, the authors' files from 1
    for name, item in rows:
        if item is None:
            yield Problem(f"medmcqa/{name}", "is no JSON object")
            continue
        options = {letter: item.get(f"op{letter.lower()}") for letter in "ABCD"}
        mark = item.get("cop")
        answer = LETTERS[mark - first] if isinstance(mark, int) and 0 <= mark - first < len(options) else mark
        if None in options.values():
            yield Problem(f"medmcqa/{name}", "lacks one of opa, opb, opc, opd")
            continue
        key, groups = ("medmcqa", str(item.get("id", name))), _groups(item, specialty="subject_name")
        yield choice(key, item.get("question"), options, answer, groups=groups)


def _groups(item: Mapping[str, Any], **names: str) -> dict[str, str]:
    """Attribute -> value, of the fields that are there."""
    return {attribute: str(item[name]) for attribute, name in names.items() if item.get(name)}


def _mtbbench(file: Path, content: bytes) -> Found:
    case = _json(file, content)
    if not isinstance(case, dict) or "steps" not in case:
        yield Problem(f"mtbbench/{file.stem}", "has no steps")
        return
    name, patient = f"mtbbench_{case.get('dataset', 'case')}", str(case.get("patient_id", file.stem))
    known: list[str] = []
    files = case.get("files") or {}
    for number, step in enumerate(case["steps"], 1):
        if step.get("new_context"):
            known.append(str(step["new_context"]))
        question, _, _ = str(step.get("question", "")).partition("\nA)")
        options = {m[1]: m[2] for m in _CHOICE_LINE.finditer(str(step.get("question", "")))}
        answer = (_CHOICE_LINE.match(str(step.get("answer", ""))) or [None, None])[1]
        shown = [f"{f}:\n{files[f]}" for f in step.get("files_available") or () if isinstance(files.get(f), str)]
        images = tuple(f for f in step.get("files_available") or () if f.lower().endswith((".jpg", ".png")))
        yield choice(
            (name, f"{patient}-{number}"), question, options, answer,
            given="\n\n".join([*known, *shown]), case=patient, images=images, groups=_person(files),
        )  # fmt: skip


def _person(files: Mapping[str, Any]) -> dict[str, str]:
    """Sex and age band as the case's clinical file gives them; what it does not give is left out."""
    try:
        found = ast.literal_eval(str(files.get("patient_clinical_data.json", "{}")))
    except (ValueError, SyntaxError):
        return {}
    age = found.get("age_at_initial_diagnosis")
    return _groups(found, sex="sex") | ({"age": age_band(age)} if isinstance(age, int | float) else {})


def _vqa(file: Path, content: bytes) -> Found:
    for number, item in enumerate(_json(file, content)):
        key = ("vqa", str(item.get("qid", number)))
        answer = str(item.get("answer", "")).strip()
        question = item.get("question")
        images = (str(item.get("image_name") or item.get("img_name") or ""),)
        if not answer or not question:
            yield Problem("/".join(key), "has no question or no answer")
        elif answer.lower() in ("yes", "no"):
            options = {"A": "yes", "B": "no"}
            yield choice(key, question, options, "A" if answer.lower() == "yes" else "B", images=images, case=images[0])
        else:
            yield Item(*key, str(question), Kind.SHORT, gold=(answer,), images=images, case=images[0])


def _healthbench(file: Path, content: bytes) -> Found:
    for name, item in _lines(file, content):
        key = ("healthbench", str((item or {}).get("prompt_id", name)))
        turns, rubric = (item or {}).get("prompt") or (), (item or {}).get("rubrics") or ()
        if not turns or not any(r.get("points", 0) > 0 for r in rubric):
            yield Problem("/".join(key), "has no prompt, or no criterion worth points")
            continue
        *before, last = turns
        given = "\n".join(f"{t['role']}: {t['content']}" for t in before)
        criteria = tuple(Criterion(r["criterion"], float(r["points"]), tuple(r.get("tags") or ())) for r in rubric)
        themes = [t.partition(":")[2] for t in (item or {}).get("example_tags") or () if str(t).startswith("theme:")]
        groups = {"theme": themes[0]} if themes else {}
        yield Item(*key, str(last["content"]), Kind.RUBRIC, given=given, rubric=criteria, groups=groups)


def _cases(file: Path, content: bytes) -> Found:
    allowed = {f.name for f in fields(Item)}
    for name, row in _lines(file, content):
        if row is None or not {"set", "id", "question", "kind"} <= set(row) or not set(row) <= allowed:
            yield Problem(
                f"cases/{name}", f"needs set, id, question, kind and no field outside {', '.join(sorted(allowed))}"
            )
            continue
        kind, key = row["kind"], (str(row["set"]), str(row["id"]))
        if kind not in list(Kind):
            yield Problem("/".join(key), f"kind {kind!r} is none of {', '.join(Kind)}")
            continue
        parts = row.get("parts") or {}
        if not isinstance(parts, dict) or not set(parts) <= set(PARTS):
            yield Problem("/".join(key), f"parts {str(parts)[:60]} must be named {', '.join(PARTS)}")
            continue
        more: dict[str, Any] = {k: row[k] for k in ("given", "case", "groups") if row.get(k) is not None}
        more |= {k: tuple(map(str, row[k])) for k in ("documents", "contexts", "images") if row.get(k)}
        more["parts"] = {name: str(text) for name, text in parts.items()}
        gold = _flat(row.get("gold") or ())
        if kind == Kind.CHOICE:
            yield choice(key, row["question"], row.get("options"), gold[0] if gold else None, **more)
            continue
        rubric = tuple(
            Criterion(c["text"], float(c["points"]), tuple(c.get("tags", ()))) for c in row.get("rubric", ())
        )
        yield Item(*key, str(row["question"]), Kind(kind), gold=tuple(gold), rubric=rubric, **more)


READERS: Mapping[str, Callable[[Path, bytes], Found]] = {
    "mirage": _mirage,
    "pubmedqa": _pubmedqa,
    "bioasq": _bioasq,
    "medqa": _medqa,
    "medmcqa": _medmcqa,
    "mtbbench": _mtbbench,
    "vqa": _vqa,
    "healthbench": _healthbench,
    "cases": _cases,
}
"""Suite -> reader of one of its files."""


def first_of_each(items: Sequence[Item], limit: int | None) -> tuple[Item, ...]:
    """The first ``limit`` items of every set; all when None.

    Raises
    ------
    InputError: a limit below 1.
    """
    if limit is None:
        return tuple(items)
    if limit < 1:
        raise InputError(f"limit is {limit}; it must be at least 1, or left out for all questions.")
    seen: dict[str, int] = {}
    kept = []
    for item in items:
        seen[item.set] = seen.get(item.set, 0) + 1
        if seen[item.set] <= limit:
            kept.append(item)
    return tuple(kept)
