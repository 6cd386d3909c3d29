"""kill -9 while documents are added, updated and removed: does the store open, is anything acknowledged lost?

A child process writes without end and says when an operation begins and when it has returned (is acknowledged). It is
killed at a random moment; the parent then opens the store as any reader would. Each document must be what was last
acknowledged; the one being written when the kill came may be as before or as after, nothing in between. While the
child writes, the parent reads too. The same folder is used throughout, so each child begins on what a kill left.
NOT measured: loss of power (files and folders are flushed, but that is not tried here), Windows (there is no fork).
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from encoders.errors import RadomicaError, UnavailableError
from eval.benchmark import Better, Progress, Row
from eval.retrieval_made import WordEmbedder, made_text
from retrieval.knowledge_add import add_file
from retrieval.knowledge_record import Details
from retrieval.knowledge_store import KnowledgeStore

KILLS, MIN_INSIDE, MIN_ACKNOWLEDGED = 100, 0.5, 1.0
"""At least this share of kills inside an operation, and this many operations acknowledged per kill."""

DOCUMENTS, VERSIONS = 5, 3
LONGEST_WAIT_S, START_SECONDS = 0.8, 60.0
Content = frozenset[tuple[str, bytes]]
"""What is served of a document: its texts, each with the bytes of its vector."""


@dataclass
class Tally:
    """What the kills did. ``broken``, ``lost`` and ``half`` hold a line for each fault."""

    kills: int = 0
    inside: int = 0
    acknowledged: int = 0
    reads: int = 0
    broken: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)


def crash_rows(*, seed: int, progress: Progress = None, kills: int = KILLS) -> tuple[Row, ...]:
    """One row a promise of the store, over ``kills`` kills."""
    started = time.monotonic()
    tally = kill_often(kills, seed=seed, progress=progress)
    seconds = time.monotonic() - started
    notes = [lines[0] if lines else "" for lines in (tally.broken, tally.lost, tally.half)]
    return (
        Row("crash.not_opened", len(tally.broken), 0, Better.LOWER, tally.kills, seconds, note=notes[0]),
        Row("crash.acknowledged_lost", len(tally.lost), 0, Better.LOWER, tally.kills, 0.0, note=notes[1]),
        Row("crash.half_written_served", len(tally.half), 0, Better.LOWER, tally.kills + tally.reads, 0.0,
            note=notes[2]),
        Row("crash.kills_inside_a_write", tally.inside / tally.kills, MIN_INSIDE, Better.HIGHER, tally.kills, 0.0),
        Row("crash.acknowledged_per_kill", tally.acknowledged / tally.kills, MIN_ACKNOWLEDGED, Better.HIGHER,
            tally.kills, 0.0),
    )  # fmt: skip


def kill_often(kills: int, *, seed: int, progress: Progress = None) -> Tally:
    """Kill a writer ``kills`` times over one store, and look at the store after each."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="radomica-crash-") as folder:
        sources, root = Path(folder) / "sources", Path(folder) / "knowledge"
        _write_sources(sources)
        allowed = _expected(sources, Path(folder) / "never-killed")
        state: dict[str, int | None] = dict.fromkeys(allowed)
        for number in range(kills):
            if progress and number % 10 == 0:
                progress(f"kill {number} of {kills}")
            rng = random.Random(f"{seed}/{number}")
            state = _one_kill(root, sources, state, allowed, rng, tally)
    return tally


def _write_sources(sources: Path) -> None:
    for version in range(VERSIONS):
        for number in range(DOCUMENTS):
            path = sources / str(version) / f"doc{number}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made_text(f"doc{number}", version), encoding="utf-8")


def _expected(sources: Path, root: Path) -> dict[str, tuple[Content, ...]]:
    """Document id -> what is to be served of each of its versions, from a store nobody kills."""
    embedder, store = WordEmbedder(), KnowledgeStore(root)
    found: dict[str, tuple[Content, ...]] = {}
    for number in range(DOCUMENTS):
        contents = []
        document_id = None
        for version in range(VERSIONS):
            path = sources / str(version) / f"doc{number}.md"
            document_id = add_file(store, path, embedder, Details(), document_id=document_id).document_id
            contents.append(_served(store)[document_id])
        found[str(document_id)] = tuple(contents)
    return found


def _served(store: KnowledgeStore) -> dict[str, Content]:
    """Document id -> what a reader gets of it now; raises RadomicaError where the store does not open."""
    loaded = store.load(WordEmbedder.weights_sha256)
    if loaded.problems:
        raise RadomicaError(loaded.problems[0])
    found: dict[str, set[tuple[str, bytes]]] = {}
    for passage, vector in zip(loaded.passages, loaded.vectors, strict=True):
        found.setdefault(str(passage.document_id), set()).add((passage.text, vector.tobytes()))
    return {document_id: frozenset(content) for document_id, content in found.items()}


def _one_kill(
    root: Path,
    sources: Path,
    state: Mapping[str, int | None],
    allowed: Mapping[str, tuple[Content, ...]],
    rng: random.Random,
    tally: Tally,
) -> dict[str, int | None]:
    """Start a writer, read beside it, kill it, and compare; returns the state it left."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=_write_forever, args=(root, sources, dict(state), rng.random(), theirs), daemon=True)
    child.start()
    theirs.close()
    if not ours.poll(START_SECONDS):
        child.kill()
        raise UnavailableError(
            f"the writer to be killed did not start within {START_SECONDS:.0f} s; run it again alone."
        )
    ours.recv()  # the writer is at work
    wait = rng.uniform(0, LONGEST_WAIT_S)
    time.sleep(wait / 2)
    _read_beside(root, allowed, tally)
    time.sleep(wait / 2)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    after, pending, acknowledged = _heard(ours, state)
    tally.acknowledged += acknowledged
    tally.kills += 1
    tally.inside += pending is not None
    return _compare(root, after, pending, allowed, tally)


def _write_forever(root: Path, sources: Path, state: dict[str, int | None], seed: float, said: Connection) -> None:
    """The child: random operations until it is killed; ("begin", id, version) before each, ("ack",) after it."""
    rng, embedder, store = random.Random(seed), WordEmbedder(), KnowledgeStore(root)
    said.send("ready")
    while True:
        document_id = rng.choice(sorted(state))
        held = state[document_id]
        choices = [v for v in (None, *range(VERSIONS)) if v != held] if held is not None else [0]
        version = rng.choice(choices)  # what is not there is added from its first file, which makes its id
        said.send(("begin", document_id, version))
        if version is None:
            with store.writing():
                store.remove(document_id)
        else:
            path = sources / str(version) / f"{document_id.rsplit('-', 1)[0]}.md"
            add_file(store, path, embedder, Details(), document_id=document_id if held is not None else None)
        state[document_id] = version
        said.send(("ack",))


def _heard(ours: Connection, state: Mapping[str, int | None]) -> tuple[dict[str, int | None], tuple | None, int]:
    """The acknowledged state, the operation begun and not returned (None: none), how many were acknowledged."""
    after, pending, acknowledged = dict(state), None, 0
    try:
        while True:
            message = ours.recv()
            if message[0] == "begin":
                pending = message[1:]
            elif pending is not None:
                after[pending[0]] = pending[1]
                pending = None
                acknowledged += 1
    except (EOFError, OSError):  # the writer is dead, and all it said has been read
        return after, pending, acknowledged


def _read_beside(root: Path, allowed: Mapping[str, tuple[Content, ...]], tally: Tally) -> None:
    """Read while the writer writes: every document served is a whole version."""
    try:
        served = _served(KnowledgeStore(root))
    except RadomicaError as error:
        tally.broken.append(f"beside the writer: {error}")
        return
    tally.reads += 1
    tally.half += [f"{i} beside the writer" for i, content in served.items() if content not in allowed[i]]


def _compare(
    root: Path,
    after: dict[str, int | None],
    pending: tuple | None,
    allowed: Mapping[str, tuple[Content, ...]],
    tally: Tally,
) -> dict[str, int | None]:
    """Hold what is served against what was acknowledged; returns what is served as the next writer's state."""
    try:
        served = _served(KnowledgeStore(root))
    except RadomicaError as error:
        tally.broken.append(str(error))
        return after
    found: dict[str, int | None] = {}
    for document_id, versions in allowed.items():
        content = served.get(document_id)
        if content is not None and content not in versions:
            tally.half.append(f"{document_id}: {len(content)} passages of no version")
            found[document_id] = after[document_id]
            continue
        found[document_id] = None if content is None else versions.index(content)
        may_be = {after[document_id]}
        if pending is not None and pending[0] == document_id:
            may_be.add(pending[1])
        if found[document_id] not in may_be:
            tally.lost.append(f"{document_id}: version {found[document_id]} is served, acknowledged {may_be}")
    return found
