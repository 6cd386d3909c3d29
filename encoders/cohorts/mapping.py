"""The mapping file: which table of a folder is what, in TOML, checked word by word before any table is opened.

A mapping says, per table: the file(s), the column with the patient id and how it is trimmed, which columns are
clinical, outcome, label, and which stretch of columns is a block of numbers (by prefix, suffix, pattern, list or the
rest). Nothing is guessed: a column no rule names is not read, and the import counts it.

    name = "my-cohort"
    licence = "CC BY 4.0"
    [[table]]
    file = "patients.csv"
    id = "case_id"
    ids = { trim = "TCGA patient" }                   # else "as written"
    [[table.clinical]]
    column = "age"
    name = "age_years"
    type = "number"
    unit = "years"
    [[table.outcome]]
    endpoint = "OS"
    time = "survival_months"
    time_unit = "months"
    event = "censorship"
    event_values = ["0"]                              # the direction is said, not assumed
    censored_values = ["1"]
    [[table.block]]
    name = "expression"
    kind = "expression"
    unit = "z-score"
    suffix = "_rnaseq"
    [[split]]
    name = "official"
    files = "splits/splits_{fold}.csv"
    folds = ["0", "1"]

``[mutations]`` reads MAFs or annotated VCFs (variant_files.py), ``[msi]`` a column of microsatellite status.
``[variants.NAME]`` tables give words that stand as {word} in the rest, so that one file serves many cohorts.
What this module does not know: what stands in the tables.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from encoders.cohorts.cohort import NOT_STATED, BlockKind, ColumnType
from encoders.errors import InputError, SettingsError

DEFAULT_MISSING = ("", "NA", "N/A", "NaN", "nan", "#N/A")
"""Cells that mean "not known"; a mapping adds those of its own files (``missing``)."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class IdRule(_Strict):
    """How a patient id is made from a cell: upper or lower case, replacements, the pattern's first group, trimming."""

    trim: Literal["as written", "TCGA patient"] = "as written"
    case: Literal["as written", "upper", "lower"] = "as written"
    replace: Mapping[str, str] = {}
    pattern: str | None = None

    @model_validator(mode="after")
    def _one_group(self) -> IdRule:
        if self.pattern is not None and re.compile(self.pattern).groups != 1:
            raise ValueError(f"pattern {self.pattern!r} must have exactly one group, the patient id")
        return self


class ClinicalMap(_Strict):
    """One clinical column. ``values`` turns the source's codes into words (or numbers); other cells are refused."""

    column: str
    name: str
    type: ColumnType
    unit: str | None = None
    form: Literal["number", "years and days"] = "number"
    values: Mapping[str, str] | None = None


class OutcomeMap(_Strict):
    """One survival endpoint. Time is one column, or one for patients with the event and one for the others."""

    endpoint: str
    time: str | None = None
    time_event: str | None = None
    time_censored: str | None = None
    time_unit: Literal["days", "weeks", "months", "years"]
    event: str
    event_values: Annotated[tuple[str, ...], Field(min_length=1)]
    censored_values: Annotated[tuple[str, ...], Field(min_length=1)]
    unknown_values: tuple[str, ...] = ()
    negative_time: Literal["refuse", "leave out"] = "refuse"

    @model_validator(mode="after")
    def _one_time(self) -> OutcomeMap:
        if (self.time is None) == (self.time_event is None or self.time_censored is None):
            raise ValueError(f"endpoint {self.endpoint}: give time, or both time_event and time_censored")
        both = set(self.event_values) & set(self.censored_values)
        if both:
            raise ValueError(f"endpoint {self.endpoint}: {sorted(both)} cannot mean event and censored")
        return self


class LabelMap(_Strict):
    """One label to predict. ``values`` turns codes into words; a code it does not name is refused, "" drops it."""

    column: str
    name: str
    values: Mapping[str, str] | None = None


class BlockMap(_Strict):
    """One block of numbers: exactly one rule says which columns; prefix and suffix are taken off the feature names."""

    name: str
    kind: BlockKind
    unit: str = NOT_STATED
    prefix: str | None = None
    suffix: str | None = None
    pattern: str | None = None
    columns: tuple[str, ...] | None = None
    rest: bool = False
    exclude: tuple[str, ...] = ()
    values: Mapping[str, float] | None = None
    optional: bool = False
    infinite: Literal["refuse", "missing"] = "refuse"

    @model_validator(mode="after")
    def _one_rule(self) -> BlockMap:
        rules = [self.prefix or self.suffix, self.pattern, self.columns, self.rest or None]
        if sum(rule is not None for rule in rules) != 1:
            raise ValueError(f"block {self.name}: give one of prefix/suffix, pattern, columns, rest")
        return self


class FoldMap(_Strict):
    """A split inside a table: the column with the fold (or the part) of each row."""

    name: str
    column: str
    part: Literal["validation", "test"] | None = None

    """part given: the column holds the fold in which the patient is in that part, and trains in the others;
    part not given: the column holds the part itself, and there is one fold."""


class TableMap(_Strict):
    """One table (or several files with the same columns, their rows put below each other)."""

    file: str | tuple[str, ...]
    format: Literal["table", "npz", "hdf5", "h5ad"] | None = None
    separator: str | None = None
    decimal: Literal[".", ","] = "."
    encoding: str = "utf-8-sig"
    header: bool = True
    skip_rows_after_header: int = 0
    rows: Literal["patients", "features"] = "patients"
    id: str | None = None
    id_by_row: str | None = None
    not_samples: tuple[str, ...] = ()
    ids: IdRule = IdRule()
    feature_names: str | None = None
    missing: tuple[str, ...] = ()
    duplicates: Literal["must agree", "first", "mean"] = "must agree"
    optional: bool = False
    oncotree_code: str | None = None
    oncotree_column: str | None = None
    clinical: tuple[ClinicalMap, ...] = ()
    outcome: tuple[OutcomeMap, ...] = ()
    label: tuple[LabelMap, ...] = ()
    block: tuple[BlockMap, ...] = ()
    fold: tuple[FoldMap, ...] = ()

    """not_samples: columns of a features-in-rows table that are no patient;
    id_by_row: the file has no ids; rows get this word and their number (1-based), which joins only files
    of which the mapping says that their rows are the same patients."""

    @model_validator(mode="after")
    def _one_id(self) -> TableMap:
        if (self.id is None) == (self.id_by_row is None):
            raise ValueError(f"table {self.file}: give id, or id_by_row where the file has no ids")
        if self.decimal == "," and (self.separator == "," or (self.separator is None and ".csv" in str(self.file))):
            raise ValueError(f"table {self.file}: a decimal comma needs another separator than the comma")
        return self

    @property
    def files(self) -> tuple[str, ...]:
        """The file or files."""
        return (self.file,) if isinstance(self.file, str) else self.file


class SplitMap(_Strict):
    """Split files, one a fold; ``{fold}`` stands for its name. Columns are the parts, cells the patient ids."""

    name: str
    files: str
    folds: tuple[str, ...]
    ids: IdRule = IdRule()
    optional: bool = False


class MsiMap(_Strict):
    """MSI status from a clinical column: words, or the score of a named tool."""

    column: str
    tool: Literal["words", "MSIsensor", "MANTIS"]


class MutationMap(_Strict):
    """Small variants from MAFs or VCFs beside the tables (variant_files.py). files : name or pattern ("vcf/*.vcf")."""

    files: str
    ids: IdRule = IdRule()
    sequenced: Literal["patients of the tables", "patients with a variant"] | None = None
    megabases: Annotated[float, Field(gt=0)] | None = None


class CohortMapping(_Strict):
    """A whole mapping file."""

    name: str
    title: str = ""
    licence: str = NOT_STATED
    citation: str = ""
    genome_build: Literal["GRCh37", "GRCh38", "not stated"] = NOT_STATED
    table: Annotated[tuple[TableMap, ...], Field(min_length=1)]
    split: tuple[SplitMap, ...] = ()
    msi: MsiMap | None = None
    mutations: MutationMap | None = None

    @model_validator(mode="after")
    def _names_once(self) -> CohortMapping:
        for what in ("clinical", "label", "block"):
            names = [rule.name for table in self.table for rule in getattr(table, what)]
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"{what} {twice[0]!r} is made by two rules; give each a name of its own")
        return self


def parse_mapping(text: str, where: str, variant: str | None = None) -> CohortMapping:
    """Read a mapping from TOML text; ``variant`` chooses one of its [variants.NAME] tables.

    Raises
    ------
    InputError: no TOML, a word that is not known, a rule that is missing or contradicts another, no such variant.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: this is no TOML: {error}. See encoders/cohorts/mapping.py for the form.") from error
    variants = data.pop("variants", {})
    if variant is not None:
        if variant not in variants:
            raise InputError(f"{where}: no variant {variant!r}; it has {', '.join(variants) or 'none'}.")
        data = _fill(data, {"name": variant, **variants[variant]})
    elif variants:
        raise InputError(f"{where}: says several cohorts; choose one of {', '.join(variants)}.")
    try:
        return CohortMapping.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(f"{where}: {place}: {first['msg']} (found {str(first['input'])[:120]!r}).") from error


def _fill(value: Any, words: Mapping[str, str]) -> Any:
    """Every {word} of the variant in its place; other braces ({fold}) stay."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda m: str(words.get(m.group(1), m.group())), value)
    if isinstance(value, list):
        return [_fill(v, words) for v in value if not _left_out(v, words)]
    if isinstance(value, dict):
        return {k: _fill(v, words) for k, v in value.items() if k != "unless"}
    return value


def _left_out(value: Any, words: Mapping[str, str]) -> bool:
    """A rule with ``unless = "word"`` is not in the variants that set that word to true."""
    return isinstance(value, dict) and bool(words.get(value.get("unless", ""), False))


def built_in_mappings() -> dict[str, str]:
    """Name of every mapping shipped here -> its file."""
    found: dict[str, str] = {}
    for path in sorted(files("encoders.cohorts").joinpath("mappings").iterdir(), key=lambda p: p.name):
        if path.name.endswith(".toml"):
            data = tomllib.loads(path.read_text(encoding="utf-8"))
            found |= dict.fromkeys(data.get("variants") or [data["name"]], path.name)
    return found


def find_mapping(name_or_file: str) -> CohortMapping:
    """The mapping of a file, FILE.toml#VARIANT, or of a name shipped with Radomica ("porpoise-blca").

    Raises
    ------
    SettingsError: neither a file nor a known name.
    InputError: the file is no mapping.
    """
    stem, _, variant = name_or_file.partition("#")
    path = Path(stem)
    if path.suffix == ".toml":
        if not path.is_file():
            raise SettingsError(f"--mapping {stem}: no such file.")
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{path.name}: a mapping is UTF-8 text ({error}); save it as UTF-8.") from error
        return parse_mapping(text, path.name, variant or None)
    known = built_in_mappings()
    if name_or_file not in known:
        raise SettingsError(
            f"--mapping {name_or_file!r} is neither a .toml file nor a mapping shipped here ({', '.join(known)})."
        )
    text = files("encoders.cohorts").joinpath("mappings", known[name_or_file]).read_text(encoding="utf-8")
    variants = tomllib.loads(text).get("variants", {})
    return parse_mapping(text, known[name_or_file], name_or_file if variants else None)
