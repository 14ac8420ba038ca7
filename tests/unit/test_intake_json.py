"""JSON lines and arrays: one object at a time, refused by line."""

from pathlib import Path

import pytest

from rightrep.errors import InvalidInput
from rightrep.intake import json_reader
from tests.intake_files import rows_of, written


def test_each_line_is_an_object_with_its_line_number(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", '{"id":1,"name":"李"}\n\n{"id":2}\n')

    header, rows, refused = rows_of(path)

    assert header == ["id", "name"]
    assert rows == [(1, [1, "李"]), (3, [2, None])]
    assert refused == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nope", "not JSON"),
        ("[1]", "must be an object"),
        ("3", "must be an object"),
        ('{"id":', "not JSON"),
        ("\x01", "not JSON"),
    ],
)
def test_a_bad_line_is_refused_and_the_rest_read(
    tmp_path: Path, line: str, says: str
) -> None:
    path = written(tmp_path, "a.jsonl", f'{{"id":1}}\n{line}\n{{"id":3}}\n')

    _, rows, refused = rows_of(path)

    assert [number for number, _ in rows] == [1, 3]
    assert [r.line for r in refused] == [2]
    assert says in refused[0].reason


def test_a_line_with_undecodable_bytes_is_refused(tmp_path: Path) -> None:
    good = '{"id":"北京上海"}\n'.encode()
    path = written(tmp_path, "a.jsonl", good + b'{"id":"\xff"}\n' + good)

    _, rows, refused = rows_of(path)

    assert [number for number, _ in rows] == [1, 3]
    assert [r.line for r in refused] == [2]


def test_an_array_is_streamed_object_by_object_over_small_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rightrep.intake.source.BLOCK_BYTES", 7)
    text = '\ufeff[\n {"id": 1.5, "ok": true},\n\n {"id": -22, "ok": null}\n]\n'
    path = written(tmp_path, "a.json", text)

    header, rows, refused = rows_of(path)

    assert header == ["id", "ok"]
    assert rows == [(2, [1.5, True]), (4, [-22, None])]
    assert refused == []


@pytest.mark.parametrize(
    ("text", "landed", "says"),
    [
        ('[{"id":1},{"id":2}', 2, "never closed"),
        ('[{"id":1},{"id":', 1, "cut short"),
        ('[{"id":1} {"id":2}]', 1, "not JSON"),
        ('[{"id":1},nope,{"id":3}]', 1, "not JSON"),
        ('[{"id":1},', 1, "never closed"),
    ],
)
def test_of_a_broken_array_lands_what_comes_before(
    tmp_path: Path, text: str, landed: int, says: str
) -> None:
    _, rows, refused = rows_of(written(tmp_path, "a.json", text))

    assert len(rows) == landed
    assert len(refused) == 1
    assert says in refused[0].reason


def test_elements_that_are_no_objects_are_refused_one_by_one(tmp_path: Path) -> None:
    _, rows, refused = rows_of(written(tmp_path, "a.json", '[{"id":1},\n3,\n{"id":2}]'))

    assert [number for number, _ in rows] == [1, 3]
    assert [r.line for r in refused] == [2]


def test_an_element_larger_than_a_line_may_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_reader, "LINE_CHARACTERS", 100)
    monkeypatch.setattr("rightrep.intake.source.BLOCK_BYTES", 50)
    path = written(tmp_path, "a.json", '[{"id":1},{"id":"' + "x" * 5000)

    _, rows, refused = rows_of(path)

    assert len(rows) == 1
    assert len(refused) == 1


def test_inner_objects_and_lists_become_columns_and_texts(tmp_path: Path) -> None:
    line = '{"id":1,"attributes":{"a":2,"b":"x"},"languages":["zh","en"],"deep":[{}]}'
    path = written(tmp_path, "a.jsonl", line)

    header, rows, _ = rows_of(path)

    assert header == ["id", "attributes.a", "attributes.b", "languages", "deep"]
    assert rows == [(1, [1, 2, "x", "zh;en", "[{}]"])]


def test_a_cut_archive_of_json_lines_lands_its_whole_lines(tmp_path: Path) -> None:
    lines = "".join(f'{{"id":{i * 7919 % 100_003}}}\n' for i in range(5000))
    whole = written(tmp_path, "a.jsonl.gz", lines).read_bytes()
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(whole[: len(whole) // 2])

    _, rows, refused = rows_of(path)

    assert 0 < len(rows) < 5000
    assert [r.line for r in refused] == [rows[-1][0] + 1]


def test_a_json_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="neither a JSON array nor JSON lines"):
        rows_of(written(tmp_path, "a.json", "id,name\n1,x\n"))
