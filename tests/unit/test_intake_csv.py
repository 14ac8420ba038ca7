"""CSV: bad rows cost themselves only, and line numbers are the file's."""

from pathlib import Path

import pytest

from rightrep.errors import InvalidInput
from rightrep.intake import lines as physical
from rightrep.intake.readers import FileOptions
from tests.intake_files import rows_of, written


def test_a_quoted_newline_is_part_of_its_cell_and_counts_as_a_line(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "a.csv", 'id,note\n1,"two\nlines"\n2,one\n')

    _, rows, refused = rows_of(path)

    assert rows == [(2, ["1", "two\nlines"]), (4, ["2", "one"])]
    assert refused == []


def test_a_quote_that_is_never_closed_costs_its_own_line_only(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", 'id,note\n1,"open\n2,good\n3,good\n')

    _, rows, refused = rows_of(path)

    assert rows == [(3, ["2", "good"]), (4, ["3", "good"])]
    assert [(r.line, r.row) for r in refused] == [(2, ['1,"open'])]
    assert "never closed" in refused[0].reason


def test_text_after_a_closing_quote_is_refused_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", 'id,note\n1,"a"b\n2,good\n')

    _, rows, refused = rows_of(path)

    assert rows == [(3, ["2", "good"])]
    assert [r.line for r in refused] == [2]
    assert "Double the quotes" in refused[0].reason


@pytest.mark.parametrize("row", ["1", "1,2,3"])
def test_a_row_with_too_few_or_too_many_cells_is_refused(
    tmp_path: Path, row: str
) -> None:
    path = written(tmp_path, "a.csv", f"id,note\n{row}\n2,good\n")

    _, rows, refused = rows_of(path)

    assert rows == [(3, ["2", "good"])]
    assert refused[0].line == 2
    assert "the header 2" in refused[0].reason


def test_empty_cells_beyond_the_header_are_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "id,note,,\n1,x,,\n")

    header, rows, refused = rows_of(path)

    assert (header, rows, refused) == (["id", "note"], [(2, ["1", "x"])], [])


def test_blank_lines_are_no_rows_but_count(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "\nid,note\n\n1,x\n\n\n2,y\n")

    assert rows_of(path)[1] == [(4, ["1", "x"]), (7, ["2", "y"])]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    lines = [["id", "a,b", "note"], ["1", "x;y", "z"], ["2", "x|y", "z"]]
    text = "\n".join(delimiter.join(f'"{c}"' for c in line) for line in lines)
    path = written(tmp_path, "a.csv", text)

    assert rows_of(path)[0] == ["id", "a,b", "note"]


def test_excels_delimiter_line_is_understood(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "sep=;\nid;note\n1;a,b\n")

    assert rows_of(path)[1] == [(3, ["1", "a,b"])]


def test_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "id\n1\n2\n")

    assert rows_of(path)[1] == [(2, ["1"]), (3, ["2"])]


def test_lines_above_the_header_can_be_skipped(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "Report of today\n\nid,note\n1,x\n")

    header, rows, _ = rows_of(path, FileOptions(skip_lines=2))

    assert (header, rows) == (["id", "note"], [(4, ["1", "x"])])


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_all_line_ends_are_understood(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path, "a.csv", ending.join(["id,note", "1,x", "2,y", ""]))

    assert rows_of(path)[1] == [(2, ["1", "x"]), (3, ["2", "y"])]


def test_an_overlong_line_is_refused_and_the_rest_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(physical, "LINE_CHARACTERS", 100)
    path = written(tmp_path, "a.csv", f"id,note\n1,{'x' * 5000}\n2,good\n")

    _, rows, refused = rows_of(path)

    assert rows == [(3, ["2", "good"])]
    assert "longer than" in refused[0].reason
    assert len(str(refused[0].row)) < 200


def test_a_record_of_endless_lines_is_refused_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(physical, "RECORD_LINES", 20)
    endless = '1,"' + 'x","y\n' * 50
    path = written(tmp_path, "a.csv", f"id,note\n{endless}2,good\n")

    _, rows, refused = rows_of(path)

    assert rows == [(52, ["2", "good"])]
    assert "goes on for more than" in refused[0].reason
    assert all(len(str(r.row)) < 200 for r in refused)


def test_a_file_made_to_be_read_over_and_over_is_read_twice_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(physical, "_FREE_REREADING", 0)
    monkeypatch.setattr(physical, "RECORD_LINES", 1000)
    text = "id,note\n" + 'a","b\n' * 500
    path = written(tmp_path, "a.csv", text)

    _, rows, refused = rows_of(path)

    assert len(rows) + len(refused) <= 501
    assert refused


def test_a_truncated_archive_lands_its_whole_rows(tmp_path: Path) -> None:
    told = [[str(i), f"note {i * 7919 % 1000}"] for i in range(5000)]
    lines = "".join(f"{number},{note}\n" for number, note in told)
    whole = written(tmp_path, "a.csv.gz", f"id,note\n{lines}").read_bytes()
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])

    _, rows, refused = rows_of(path)

    assert 0 < len(rows) < 5000
    assert all(
        cells == [str(i), f"note {i * 7919 % 1000}"]
        for i, (_, cells) in enumerate(rows)
    )
    assert [r.line for r in refused] == [rows[-1][0] + 1]
    assert "ends early" in refused[0].reason


def test_a_gzip_bomb_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rightrep.intake.source.BOMB_BYTES", 1 << 21)
    path = written(tmp_path, "a.csv.gz", b"id,note\n1,x\n" + b"0" * (1 << 23))

    _, rows, refused = rows_of(path)

    assert rows == [(2, ["1", "x"])]
    assert "decompression bomb" in refused[-1].reason


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n\n", "no header"),
        (b"id,id\n1,2\n", "Two columns are called 'id'"),
        (b",,\n1,2\n", "names 0 columns"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 50, "old Excel file"),
        (b"PAR1" + b"\0" * 50, "not CSV, JSON or Excel"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_refused(
    tmp_path: Path, content: bytes, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        rows_of(written(tmp_path, "a.csv", content))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="There is no file"):
        rows_of(tmp_path / "no.csv")
    with pytest.raises(InvalidInput, match="is a folder"):
        rows_of(tmp_path)


def test_formulas_are_text_and_their_mark_is_taken_away(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "id,note\n1,=1+1\n2,'=1+1\n3,'tis\n4,''=x\n")

    assert [cells[1] for _, cells in rows_of(path)[1]] == [
        "=1+1",
        "=1+1",
        "'tis",
        "'=x",
    ]
