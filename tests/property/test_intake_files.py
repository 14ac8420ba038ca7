"""Any text, in any encoding, comes through a file as it was; every row is answered."""

import csv
import io
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rightrep.errors import InvalidInput
from rightrep.intake.encodings import found_encoding
from rightrep.intake.fields import Kind
from rightrep.intake.formulas import neutralised
from rightrep.intake.phones import _quick
from rightrep.intake.readers import FileOptions
from tests.intake_files import plain, records_of, rows_of

HOSTILE = st.text(
    st.characters(codec="utf-8", exclude_characters="\0")
    | st.sampled_from(list("\"',;|\t\n\r=+-@ 李é\u2028\x0b\ufeff")),
    max_size=30,
)
NARROW = st.text(
    st.sampled_from(list("\"',;|\n=+-@ 李雷公司北京上海abcXYZ019")), max_size=30
)


@contextmanager
def file_of(data: bytes, name: str = "a.csv") -> Iterator[Path]:
    """A file of these bytes, for one example."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        yield path


def as_csv(rows: list[list[str]], delimiter: str = ",") -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["first", "second", "third"])
    writer.writerows(rows)
    return text.getvalue()


def as_read(cell: str) -> str | None:
    return cell.strip() or None


@given(
    st.lists(st.tuples(HOSTILE, HOSTILE, HOSTILE), max_size=8),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_hostile_text_comes_through_a_csv_in_unicode(
    rows: list[tuple[str, str, str]], encoding: str, delimiter: str
) -> None:
    safe = [[neutralised(cell.strip()) for cell in row] for row in rows]
    data = as_csv(safe, delimiter).encode(encoding)

    with file_of(data) as path:
        header, read, refused = rows_of(
            path, FileOptions(encoding=encoding, delimiter=delimiter)
        )

    assert header == ["first", "second", "third"]
    assert refused == []
    expected = [[as_read(cell.strip()) for cell in row] for row in rows]
    assert [cells for _, cells in read] == expected


@given(st.lists(st.tuples(NARROW, NARROW, NARROW), max_size=8))
def test_chinese_text_comes_through_a_csv_in_gbk(
    rows: list[tuple[str, str, str]],
) -> None:
    safe = [[neutralised(cell.strip()) for cell in row] for row in rows]

    # One or two characters may be valid in UTF-8 too; a header settles it.
    text = as_csv(safe).replace("first", "客户编号").replace("second", "公司名称")
    with file_of(text.encode("gb18030")) as path:
        _, read, refused = rows_of(path)

    assert refused == []
    expected = [[as_read(cell.strip()) for cell in row] for row in rows]
    assert [cells for _, cells in read] == expected


@given(st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1, max_size=8))
def test_line_numbers_are_those_an_editor_shows(rows: list[tuple[str, str]]) -> None:
    text = as_csv([["x", *(cell.replace("\r", "") for cell in row)] for row in rows])
    starts, line = [], 2
    for row in csv.reader(io.StringIO(text.split("\r\n", 1)[1], newline="")):
        starts.append(line)
        line += 1 + sum(cell.count("\n") for cell in row)

    with file_of(text.encode()) as path:
        _, read, refused = rows_of(path, FileOptions("utf-8", ","))

    assert refused == []
    assert [number for number, _ in read] == starts


@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.jsonl", "a.json"]))
def test_no_bytes_make_a_reader_fail(data: bytes, name: str) -> None:
    with file_of(b"id,note\n" * (name == "a.csv") + data, name) as path:
        try:
            _, read, refused = rows_of(path)
        except InvalidInput:
            return
    assert all(r.reason and r.line > 0 for r in refused)
    assert all(line > 0 for line, _ in read)


@given(st.text(st.sampled_from(list('",\nab')), max_size=60))
def test_every_line_of_a_broken_csv_is_a_row_a_refusal_or_part_of_one(
    text: str,
) -> None:
    whole = f"first,second\n{text}\nlast,good\n"

    with file_of(whole.encode()) as path:
        _, read, refused = rows_of(path, FileOptions("utf-8", ","))

    answered = sorted([line for line, _ in read] + [r.line for r in refused])
    assert len(set(answered)) == len(answered)
    last = whole.count("\n")
    assert answered[-1] <= last
    assert (last, ["last", "good"]) in read or any(
        isinstance(cell, str) and "good" in cell for _, row in read for cell in row
    )


CELLS = st.sampled_from(
    ["", "L1", "2026-01-02", "soon", "03/04/2026", "12", "-1", "1e400", "won", "中文"]
)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), max_size=12))
def test_rows_that_become_records_and_rows_refused_are_all_rows(
    rows: list[tuple[str, ...]],
) -> None:
    text = "external_id,created_at,company_size,stage\n"
    text += "".join(",".join(row) + "\n" for row in rows)

    with file_of(text.encode()) as path:
        records, refused = records_of(path, plain(Kind.LEADS))

    assert len(records) + len(refused) == len(rows)
    assert [r.line for r in refused] == sorted({r.line for r in refused})
    for refusal in refused:
        assert refusal.reason
        assert refusal.column


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "b", "c"]),
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | HOSTILE,
            max_size=3,
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([1, 2, 7, 1 << 20]),
)
def test_an_array_and_its_lines_read_the_same(
    objects: list[dict[str, object]], block: int
) -> None:
    array = json.dumps(objects, ensure_ascii=False, indent=1).encode()
    lines = "".join(json.dumps(each) + "\n" for each in objects).encode()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("rightrep.intake.source.BLOCK_BYTES", block)
        with file_of(array, "a.json") as path:
            of_array = rows_of(path, FileOptions("utf-8"))
        with file_of(lines, "a.jsonl") as path:
            of_lines = rows_of(path, FileOptions("utf-8"))

    assert of_array[0] == of_lines[0]
    assert [row for _, row in of_array[1]] == [row for _, row in of_lines[1]]
    assert of_array[2] == of_lines[2] == []


@given(st.sampled_from(["gb18030", "big5", "utf-8", "utf-16", "cp1252"]), st.data())
def test_a_found_encoding_always_decodes_the_sample(
    encoding: str, data: st.DataObject
) -> None:
    text = data.draw(
        st.text(st.characters(codec=encoding, exclude_characters="\0"), min_size=1)
    )
    raw = text.encode(encoding)

    try:
        found = found_encoding(lambda: iter([raw]))
    except InvalidInput:
        return
    raw.decode(found, errors="rightrep-mark")


@given(
    st.sampled_from(["CN", "US", "GB", "DE", "HK", "FR", "JP", "IN", "BR", "IT", "MX"]),
    st.sampled_from(["", "+86", "+1 ", "+44", "+39", "00", "0", "1"]),
    st.text(st.sampled_from("0123456789- ()"), min_size=5, max_size=14),
)
def test_the_quick_way_to_a_phone_agrees_with_the_library(
    region: str, prefix: str, digits: str
) -> None:
    quick = _quick(prefix + digits, region)

    if quick is not None:
        number = phonenumbers.parse(prefix + digits, region)
        e164 = phonenumbers.PhoneNumberFormat.E164
        assert phonenumbers.is_valid_number(number)
        assert phonenumbers.format_number(number, e164) == quick
