"""Tables through a mapping: joined by id, directions said, and every bad input an error or a counted note."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoders.cohorts.cohort import DAYS_PER_MONTH, Cohort
from encoders.cohorts.import_cohort import ImportSettings, import_cohort
from encoders.cohorts.mapping import built_in_mappings, find_mapping, parse_mapping
from encoders.errors import InputError, SettingsError


def read(folder: Path, old: str = "", new: str = "") -> Cohort:
    """The made cohort, with one word of its mapping replaced."""
    path = folder / "made.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new) if old else text, encoding="utf-8")
    return import_cohort(folder, ImportSettings(mapping=str(path)))


def edit(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def note(cohort: Cohort, words: str) -> tuple[int, tuple[str, ...]]:
    """Count and examples of the one note with these words."""
    found = [n for n in cohort.notes if words in n.text()]
    assert len(found) == 1, [n.text() for n in cohort.notes]
    return found[0].count, found[0].examples


def test_values_follow_the_id_and_not_the_row_order(tables: Path) -> None:
    cohort = read(tables)
    ids = ("TCGA-AA-0002", "TCGA-AA-0001", "TCGA-AA-0004")
    np.testing.assert_array_equal(cohort.aligned("protein", ids), [[2, 20], [1, 10], [np.nan, np.nan]])
    np.testing.assert_array_equal(cohort.aligned("expression", ids)[:, 0], [2.5, 1.5, 3.5])


def test_the_event_is_what_the_mapping_says_and_time_is_in_months(tables: Path) -> None:
    known = read(tables).endpoints["OS"]
    assert dict(zip(known.patient_ids, known.event.tolist(), strict=True)) == {
        "TCGA-AA-0001": True, "TCGA-AA-0002": False, "TCGA-AA-0003": True, "TCGA-AA-0004": False,
    }  # fmt: skip
    assert known.followup_months[0] == pytest.approx(12)
    assert known.followup_months[2] == pytest.approx(30 / DAYS_PER_MONTH)


def test_what_was_reduced_renamed_or_not_read_is_counted(tables: Path) -> None:
    cohort = read(tables)
    assert cohort.counts()["patients"] == 5
    assert note(cohort, "rows repeat a patient") == (1, ("TCGA-AA-0002",))
    assert note(cohort, "approved symbol") == (1, ("HER2 -> ERBB2",))
    assert note(cohort, "columns no rule") == (1, ("note",))
    assert note(cohort, "block protein: 1 patients of the cohort") == (1, ("TCGA-AA-0004",))
    assert note(cohort, "endpoint OS: 1 patients of the cohort") == (1, ("TCGA-AA-0009",))
    assert cohort.genome_build == "GRCh38"
    assert np.isnan(cohort.clinical.loc["TCGA-AA-0003", "age_years"])


def test_slides_of_one_patient_that_disagree_are_refused_until_a_rule_is_chosen(tables: Path) -> None:
    edit(tables, "slides.csv", "TCGA-AA-0002-02Z,60,M,730.5,1,2.5", "TCGA-AA-0002-02Z,60,M,730.5,1,4.5")
    with pytest.raises(InputError, match="TCGA-AA-0002 has several rows that disagree in column 'TP53_rna'"):
        read(tables)
    cohort = read(tables, 'id = "barcode"', 'id = "barcode"\nduplicates = "mean"')
    assert cohort.aligned("expression", ["TCGA-AA-0002"])[0, 0] == 3.5
    cohort = read(tables, '"mean"', '"first"')
    assert cohort.aligned("expression", ["TCGA-AA-0002"])[0, 0] == 2.5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0004-01Z,70,F,60,1,3.5", "0004-01Z,70,F,60,1,-3.5", "TPM cannot be negative"),
        ("0004-01Z,70,F,60,1,3.5", "0004-01Z,70,F,60,1,high", "line 6, column 'TP53_rna' holds 'high'"),
        ("0004-01Z,70,F,60,1,3.5", "0004-01Z,70,F,60,1,inf", "is infinite"),
        ("0004-01Z,70,F,60,1", "0004-01Z,70,F,60,2", "column 'censored' holds '2'; allowed: 0, 1"),
        ("0004-01Z,70,F,60,1", "0004-01Z,70,F,-60,1", "cannot be negative"),
        ("0004-01Z,70,F", "0004-01Z,70,X", "column 'sex' holds 'X'; allowed by the mapping: F, M"),
        ("0004-01Z,70,F", "0004-01Z,old,F", "column 'age' holds 'old'"),
        ("TCGA-AA-0004-01Z", "AA-0004", "1 of 5 ids do not fit the id rule"),
        ("barcode", "case", "no column 'barcode'"),
    ],
)
def test_bad_cells_are_refused_with_their_place(tables: Path, old: str, new: str, message: str) -> None:
    edit(tables, "slides.csv", old, new)
    with pytest.raises(InputError, match=message):
        read(tables)


def test_tables_whose_ids_never_match_are_refused_with_examples_of_both(tables: Path) -> None:
    edit(tables, "protein.tsv", "TCGA-AA-", "P")
    with pytest.raises(InputError, match=r"block protein shares no patient .*P0001.*TCGA-AA-0001"):
        read(tables)


def test_a_patient_in_two_parts_of_a_fold_is_refused(tables: Path) -> None:
    edit(tables, "splits_0.csv", "1,TCGA-AA-0002,TCGA-AA-0004", "1,TCGA-AA-0002,TCGA-AA-0001")
    with pytest.raises(InputError, match=r"fold 0 has 1 ids in two parts \(TCGA-AA-0001\)"):
        read(tables)


def test_a_fold_that_trains_on_censored_patients_alone_is_refused(tables: Path) -> None:
    edit(tables, "splits_0.csv", "0,TCGA-AA-0001,TCGA-AA-0003\n", "0,TCGA-AA-0004,TCGA-AA-0003\n")
    edit(tables, "splits_0.csv", "1,TCGA-AA-0002,TCGA-AA-0004", "1,TCGA-AA-0002,TCGA-AA-0001")
    with pytest.raises(InputError, match="fold 0 trains on 2 patients with OS, all censored"):
        read(tables)


def test_ids_of_a_split_that_are_no_patients_are_listed(tables: Path) -> None:
    edit(tables, "splits_0.csv", "1,TCGA-AA-0002,", "1,TCGA-ZZ-0002,")
    assert note(read(tables), "ids of fold 0 are not in the cohort") == (1, ("TCGA-ZZ-0002",))


def test_a_constant_gene_is_counted_and_kept(tables: Path) -> None:
    for value in ("1.5", "3.5"):
        edit(tables, "slides.csv", f",{value},", ",2.5,")
    cohort = read(tables)
    assert note(cohort, "same value in every patient") == (1, ("TP53",))
    assert "TP53" in cohort.blocks["expression"].features


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("suffix =", "sufix =", "table.0.block.0.sufix: Extra inputs are not permitted"),
        ('censored_values = ["1"]', 'censored_values = ["0"]', "cannot mean event and censored"),
        ("rest = true", 'rest = true\nprefix = "A"', "give one of prefix/suffix, pattern, columns, rest"),
        ('kind = "protein"', 'kind = "prot"', "kind"),
        ('name = "protein"', 'name = "expression"', "'expression' is made by two rules"),
    ],
)
def test_a_mapping_is_checked_before_any_table_is_opened(tables: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tables, old, new)


def test_an_unknown_mapping_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="porpoise-blca"):
        find_mapping("porpoise-xxxx")


@pytest.mark.parametrize("name", built_in_mappings())
def test_every_shipped_mapping_is_valid_and_named_as_it_is_asked_for(name: str) -> None:
    assert find_mapping(name).name == name


def test_a_variant_word_leaves_out_the_rules_that_say_unless() -> None:
    text = 'name = "{name}"\n[[table]]\nfile = "{f}.csv"\nid = "i"\n'
    text += '[[table]]\nunless = "short"\nfile = "b.csv"\nid = "i"\n'
    text += "[variants]\na = { f = 'x' }\nb = { f = 'y', short = true }\n"
    assert [t.file for t in parse_mapping(text, "t", "a").table] == ["x.csv", "b.csv"]
    assert [t.file for t in parse_mapping(text, "t", "b").table] == ["y.csv"]


def test_msi_words_and_scores_come_from_the_column_the_mapping_names(tables: Path) -> None:
    column = '[[table.clinical]]\ncolumn = "note"\nname = "msi"\ntype = "category"\n'
    for old, new in ((",x\n", ",MSI-H\n"), (",y\n", ",stable\n"), (",z\n", ",stable\n"), (",w\n", ",indeterminate\n")):
        edit(tables, "slides.csv", old, new)
    edit(tables, "made.toml", "[[table.outcome]]", column + "[[table.outcome]]")
    found = read(tables, "[[split]]", '[msi]\ncolumn = "msi"\ntool = "words"\n[[split]]').clinical["msi_status"]
    assert found[["TCGA-AA-0001", "TCGA-AA-0002"]].tolist() == ["MSI-H", "MSS"]
    assert found[["TCGA-AA-0003", "TCGA-AA-0009"]].isna().all()


def test_a_column_that_stands_twice_is_read_once_when_equal_and_refused_when_not(tables: Path) -> None:
    path = tables / "slides.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    again = [line.split(",")[5] for line in lines]
    path.write_text("\n".join(f"{a},{b}" for a, b in zip(lines, again, strict=True)) + "\n", encoding="utf-8")
    cohort = read(tables)
    assert note(cohort, "stand twice with the same cells") == (1, ("TP53_rna",))
    assert cohort.blocks["expression"].features == ("TP53", "ERBB2")
    edit(tables, "slides.csv", ",3.5,1,w,3.5", ",3.5,1,w,9")
    with pytest.raises(InputError, match=r"'TP53_rna' stands twice and row 5 holds 3\.5 and 9\.0"):
        read(tables)


def test_rows_longer_than_the_header_are_refused(tables: Path) -> None:
    """pandas would take the ids for row names and shift every column by one."""
    edit(tables, "protein.tsv", "case\tAKT\tMTOR", "AKT\tMTOR")
    with pytest.raises(InputError, match="its rows have more cells than its header"):
        read(tables)


def test_a_decimal_comma_is_named_and_read_when_the_mapping_says_so(tables: Path) -> None:
    path = tables / "slides.csv"
    text = path.read_text(encoding="utf-8").replace(",", ";").replace(".", ",")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="The header holds a semicolon and is cut at a comma"):
        read(tables)
    with pytest.raises(InputError, match=r"holds '365,25'.*it looks like a decimal comma"):
        read(tables, 'file = "slides.csv"', 'file = "slides.csv"\nseparator = ";"')
    cohort = read(tables, 'separator = ";"', 'separator = ";"\ndecimal = ","')
    np.testing.assert_array_equal(cohort.aligned("expression", ["TCGA-AA-0001", "TCGA-AA-0002"])[:, 0], [1.5, 2.5])
    assert cohort.endpoints["OS"].followup_months[0] == pytest.approx(12)
    with pytest.raises(InputError, match="a decimal comma needs another separator"):
        read(tables, 'separator = ";"', 'separator = ","')


def test_a_percentage_is_named(tables: Path) -> None:
    edit(tables, "slides.csv", "60,1,3.5", "60,1,35%")
    with pytest.raises(InputError, match=r"holds '35%'.*it is a percentage"):
        read(tables)


def test_a_table_without_rows_is_refused(tables: Path) -> None:
    (tables / "protein.tsv").write_text("case\tAKT\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"protein\.tsv: a header and no row"):
        read(tables)


@pytest.mark.parametrize("other", ["tcga-aa-0001", "TCGA.AA.0001", "TCGA AA 0001"])
def test_ids_that_differ_in_spelling_alone_are_told_and_can_be_joined(tables: Path, other: str) -> None:
    edit(tables, "protein.tsv", "TCGA-AA-0001", other)
    count, said = note(read(tables), "ids differ only in case, space or separators")
    assert count == 2
    assert set(said[0].split(" = ")) == {"TCGA-AA-0001", other}
    if other.islower():
        joined = read(tables, 'id = "case"', 'id = "case"\nids = { case = "upper" }')
        assert joined.aligned("protein", ["TCGA-AA-0001"]).tolist() == [[1, 10]]


def test_a_follow_up_of_zero_is_kept_and_counted(tables: Path) -> None:
    edit(tables, "slides.csv", "0004-01Z,70,F,60,1", "0004-01Z,70,F,0,1")
    assert note(read(tables), "follow-up time of 0") == (1, ("TCGA-AA-0004",))


def test_an_event_column_that_sounds_the_other_way_is_told(tables: Path) -> None:
    assert not any("sounds the other way" in n.what for n in read(tables).notes)
    edit(tables, "made.toml", 'censored_values = ["1"]', 'censored_values = ["0"]')
    count, _ = note(read(tables, 'event_values = ["0"]', 'event_values = ["1"]'), "sounds the other way")
    assert count == 2


def test_patients_of_no_fold_are_counted(tables: Path) -> None:
    edit(tables, "splits_0.csv", "1,TCGA-AA-0002,TCGA-AA-0004\n", "")
    count, ids = note(read(tables), "patients of the cohort are in no fold")
    assert (count, ids) == (3, ("TCGA-AA-0002", "TCGA-AA-0004", "TCGA-AA-0009"))


def test_blocks_without_a_unit_and_on_a_linear_scale_are_counted(tables: Path) -> None:
    cohort = read(tables)
    assert note(cohort, "blocks have no stated unit") == (1, ("protein",))
    assert note(cohort, "amounts on a linear scale") == (1, ("expression",))


def test_methylation_by_gene_gets_approved_symbols_and_probes_stay(tables: Path) -> None:
    edit(tables, "made.toml", 'kind = "protein"', 'kind = "methylation"\nunit = "beta value"')
    path = tables / "protein.tsv"
    path.write_text("case\tMLL2\tTP53\nTCGA-AA-0001\t0.1\t0.2\nTCGA-AA-0002\t0.3\t0.4\n", encoding="utf-8")
    assert read(tables).blocks["protein"].features == ("KMT2D", "TP53")
    edit(tables, "protein.tsv", "MLL2\tTP53", "cg00000029\tcg00000108")
    assert read(tables).blocks["protein"].features == ("cg00000029", "cg00000108")


def test_a_mapping_that_is_no_utf8_is_refused(tables: Path) -> None:
    path = tables / "made.toml"
    path.write_bytes('name = "é"'.encode("latin-1"))
    with pytest.raises(InputError, match=r"made\.toml: a mapping is UTF-8 text"):
        import_cohort(tables, ImportSettings(mapping=str(path)))
