"""Encodings are found; what does not decode is refused by line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rightrep.errors import InvalidInput
from rightrep.intake.encodings import found_encoding, known_encoding
from rightrep.intake.readers import FileOptions
from tests.intake_files import rows_of, written

CHINESE = "编号,公司\n1,北京字节跳动科技有限公司\n2,上海机械\n"
SHORT = "id,name\n1,李雷\n"
GERMAN = "id,company\n1,Müller GmbH\n2,Größe & Söhne\n"
TAIWAN = "編號,公司\n1,台灣積體電路製造股份有限公司\n2,鴻海精密工業\n"
KOREAN = "이름,회사\n김철수,삼성전자 주식회사\n박영희,현대자동차 대한민국\n"
RUSSIAN = "имя,компания\nИван,Газпром открытое акционерное общество\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *(
            (text, encoding)
            for text in (CHINESE, SHORT, GERMAN)
            for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")
        ),
        (CHINESE, "gb18030"),
        (CHINESE, "gbk"),
        (SHORT, "gbk"),
        (GERMAN, "cp1252"),
        (TAIWAN, "big5"),
        (TAIWAN, "gb18030"),
        (KOREAN, "euc_kr"),
        (RUSSIAN, "cp1251"),
    ],
)
def test_a_file_reads_the_same_in_every_encoding(
    tmp_path: Path, text: str, encoding: str
) -> None:
    path = written(tmp_path, "a.csv", text.encode(encoding))

    header, rows, refused = rows_of(path)

    lines = text.splitlines()
    assert header == lines[0].split(",")
    assert [",".join(map(str, cells)) for _, cells in rows] == lines[1:]
    assert refused == []


def test_the_first_text_that_is_not_ascii_decides_wherever_it_is() -> None:
    def blocks() -> Iterator[bytes]:
        yield b"id,name\n" * 1000
        yield "1,李雷\n".encode("gbk")

    assert found_encoding(blocks) == "gb18030"


def test_bytes_that_do_not_decode_cost_their_line_only(tmp_path: Path) -> None:
    good = "id,公司\n1,上海\n".encode()
    path = written(tmp_path, "a.csv", good + b"2,\xff\xfe\n" + "3,北京\n".encode())

    _, rows, refused = rows_of(path)

    assert [cells for _, cells in rows] == [["1", "上海"], ["3", "北京"]]
    assert [r.line for r in refused] == [3]
    assert "not utf-8" in refused[0].reason


def test_a_wrong_encoding_in_the_mapping_is_refused_by_line(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "id,name\n1,Müller\n2,Meier\n".encode("cp1252"))

    _, rows, refused = rows_of(path, FileOptions(encoding="utf-8"))

    assert rows == [(3, ["2", "Meier"])]
    assert [r.line for r in refused] == [2]


def test_a_character_cut_at_the_end_of_the_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "id,公司\n1,上海\n2,北京".encode()[:-1])

    _, rows, refused = rows_of(path)

    assert [cells for _, cells in rows] == [["1", "上海"]]
    assert [r.line for r in refused] == [3]


def test_gbk_is_read_as_its_superset_and_nonsense_is_refused() -> None:
    assert known_encoding("GBK") == known_encoding("gb2312") == "gb18030"
    assert known_encoding("UTF8") == "utf-8-sig"
    with pytest.raises(InvalidInput, match="is not an encoding"):
        known_encoding("klingon")
    with pytest.raises(InvalidInput, match="is not an encoding"):
        known_encoding("base64")


def test_bytes_of_no_encoding_are_refused_with_a_remedy(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", b"id,name\n1,\x98\xff\x81\n")

    with pytest.raises(InvalidInput, match="Save the file as UTF-8"):
        rows_of(path)
