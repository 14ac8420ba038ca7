"""Mappings: mistakes are refused with their key, and rows become fields."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rightrep.domain.money import Money
from rightrep.errors import InvalidInput
from rightrep.intake.fields import Kind
from rightrep.intake.mapping import load_mapping
from rightrep.intake.records import DecisionRow, LeadRow, OutcomeRow, RepRow
from tests.intake_files import mapped, plain, records_of, workbook, written

MINIMAL = '[leads.columns]\nexternal_id = "Id"\ncreated_at = "Made"\n'
FILE = "Id,Made,Size,Region\nL1,2026-01-02,10,North\nL2,2026-01-03,,South\n"


def leads(
    folder: Path, toml: str, content: str | bytes = FILE, name: str = "a.csv"
) -> tuple[list[LeadRow], list[str]]:
    """Lead records of a file under a mapping, and the reasons of its refusals."""
    loaded = mapped(folder, Kind.LEADS, toml)
    records, refused = records_of(written(folder, name, content), loaded)
    rows = [record for record in records if isinstance(record, LeadRow)]
    return rows, [f"{r.line} {r.column}: {r.reason}" for r in refused]


@pytest.mark.parametrize(
    ("toml", "field", "says"),
    [
        ("[leds]\n", "leds", "Is 'leads' meant"),
        ("[leads]\ncolumn = {}\n", "leads.column", "Is 'columns' meant"),
        ("[leads]\nx =", "mapping", "not TOML"),
        ("[reps.columns]\n", "leads", r"no table \[leads\]"),
        ("leads = 3\n", "leads", r"no table \[leads\]"),
        (
            '[leads.columns]\nexternal_id = "a"\n',
            "leads.columns.created_at",
            "when the CRM made the lead",
        ),
        (
            f'{MINIMAL}created = "x"\n',
            "leads.columns.created",
            "Is 'created_at' meant",
        ),
        ("[leads.columns]\nexternal_id = 3\n", "leads.columns.external_id", "list"),
        ("[leads.where]\na = 3\n", "leads.where.a", "one_of, none_of, present"),
        ("[leads.where]\na = { on = 'x' }\n", "leads.where.a", "one_of"),
        ("[leads.joins.p]\nfile = 'a'\n", "leads.joins.p.on", "is missing"),
        (
            "[leads.joins.p]\nfile = 'a'\non = 'b'\nkeys = 'c'\n",
            "leads.joins.p.keys",
            "Is 'key' meant",
        ),
        (
            f"{MINIMAL}[leads.constants]\ncreated_at = 'x'\n",
            "leads.constants.created_at",
            "is a column too",
        ),
        (
            f"{MINIMAL}[leads.values.stage]\nWon = 'won'\n",
            "leads.columns.stage",
            "values or defaults are given",
        ),
        (
            f"{MINIMAL}[leads.types]\nbudget = 'number'\n",
            "leads.types.budget",
            "not one of your own fields",
        ),
        ("[leads.dates]\ntime_of_day = '25:00'\n", "leads.dates.time_of_day", "hour"),
        ("[leads]\nskip_lines = -1\n", "leads.skip_lines", "greater than"),
        ("[leads.values.stage]\nWon = [1]\n", "leads.values.stage.Won", "table"),
    ],
)
def test_a_mistake_in_a_mapping_is_refused_with_its_key(
    tmp_path: Path, toml: str, field: str, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        mapped(tmp_path, Kind.LEADS, toml)

    assert caught.value.field == field


def test_a_mapping_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="There is no file"):
        load_mapping(tmp_path / "no.toml", Kind.LEADS)
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_mapping(tmp_path, Kind.LEADS)
    with pytest.raises(InvalidInput, match="not UTF-8"):
        load_mapping(written(tmp_path, "m.toml", b"x = '\xff'"), Kind.LEADS)
    with pytest.raises(InvalidInput, match="too large"):
        load_mapping(written(tmp_path, "m.toml", b"#" * (2 << 20)), Kind.LEADS)


@pytest.mark.parametrize(
    ("toml", "field", "says"),
    [
        (f"{MINIMAL}[leads.constants]\nstage = 'x'\n", "leads.constants.stage", "new"),
        (f'{MINIMAL}budget = "Size"\n[leads.defaults]\nbudget = -1\n',
         "leads.defaults.budget", "0 or more"),
        (f"{MINIMAL}[leads.dates]\nzone = 'Mars'\n", "leads.dates.zone", "time zone"),
        (f"{MINIMAL}[leads.dates]\nformats = ['%d']\n", "leads.dates.formats", "whole"),
        (f"{MINIMAL}[leads.numbers]\ndecimal = ';'\n", "leads.numbers.decimal", "must"),
        (f"[leads]\nphone_region = 'Mars'\n{MINIMAL}", "leads.phone_region", "region"),
        (f"[leads]\nencoding = 'klingon'\n{MINIMAL}", "encoding", "not an encoding"),
        (f'{MINIMAL}industry = "Trade"\n', "leads.columns.industry", "does not have"),
        (f"{MINIMAL}[leads.where]\nRegio = 'x'\n", "leads.where.Regio", "Is 'Region'"),
        (f"{MINIMAL}[leads.joins.p]\nfile = 'no.csv'\non = 'Id'\n",
         "leads.joins.p.file", "neither beside"),
        (f"{MINIMAL}[leads.joins.p]\nfile = 'a.csv'\non = 'Id'\nkey = 'x'\n",
         "leads.joins.p.key", "does not have"),
        (f"{MINIMAL}[leads.joins.p]\nfile = 'a.csv'\non = 'Ids'\nkey = 'Id'\n",
         "leads.joins.p.on", "Is 'Id' meant"),
    ],
)  # fmt: skip
def test_a_mapping_that_does_not_fit_the_file_is_refused_before_any_row(
    tmp_path: Path, toml: str, field: str, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        leads(tmp_path, toml)

    assert caught.value.field == field


def test_without_a_mapping_headers_are_fields(tmp_path: Path) -> None:
    path = written(
        tmp_path, "a.csv", "external_id,created_at,stage\nL1,2026-01-02,Won\n"
    )

    (record,), refused = records_of(path, plain())

    assert isinstance(record, LeadRow)
    assert record.attributes.stage == "won"
    assert refused == []


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("external_id,created_at,phnoe", "Is 'phone' meant"),
        ("external_id,phone", "no column 'created_at'"),
        ("external_id,created_at,attributes.", "not known"),
    ],
)
def test_without_a_mapping_other_headers_are_refused(
    tmp_path: Path, header: str, says: str
) -> None:
    path = written(tmp_path, "a.csv", f"{header}\n{'x,' * header.count(',')}x\n")

    with pytest.raises(InvalidInput, match=says):
        records_of(path, plain())


def test_json_rows_are_refused_one_by_one_for_unknown_keys(tmp_path: Path) -> None:
    good = '{"external_id":"L1","created_at":"2026-01-02"}'
    path = written(
        tmp_path,
        "a.jsonl",
        f'{good}\n{{"external_id":"L2","created_at":"2026-01-02","phnoe":"1"}}\n'
        '{"external_id":"L3"}\n',
    )

    records, refused = records_of(path, plain())

    assert len(records) == 1
    assert [(r.line, r.column) for r in refused] == [(2, "phnoe"), (3, "created_at")]


def test_columns_constants_defaults_and_values_make_fields(tmp_path: Path) -> None:
    rows, refused = leads(
        tmp_path,
        f"""{MINIMAL}company_size = "Size"
region = "Region"
contact_name = ["Region", "Id"]
"attributes.where" = "Region"
[leads.constants]
channel = "fair"
[leads.defaults]
company_size = 7
[leads.values.region]
North = "N"
""",
    )

    assert refused == []
    assert [row.attributes.company_size for row in rows] == [10, 7]
    assert [row.attributes.region for row in rows] == ["N", "South"]
    assert [row.contact_name for row in rows] == ["North L1", "South L2"]
    assert rows[0].attributes.attributes == {"where": "North"}
    assert rows[0].attributes.channel == "fair"


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ('Region = "North"', ["L1"]),
        ('Region = ["North", "South"]', ["L1", "L2"]),
        ('Region = { none_of = ["North"] }', ["L2"]),
        ("Size = { present = true }", ["L1"]),
        ("Size = { present = false }", ["L2"]),
        ('Region = "North"\nSize = { present = false }', []),
    ],
)
def test_where_chooses_rows(tmp_path: Path, where: str, ids: list[str]) -> None:
    rows, refused = leads(tmp_path, f"{MINIMAL}[leads.where]\n{where}\n")

    assert [row.external_id for row in rows] == ids
    assert refused == []


def test_a_joined_file_gives_columns_and_its_missing_rows_are_refused(
    tmp_path: Path,
) -> None:
    written(tmp_path, "regions.csv", "name,country\nN,France\nSouth,Spain\n")
    join = (
        f'{MINIMAL}industry = "r.country"\n[leads.joins.r]\nfile = "regions.csv"\n'
        'on = "Region"\nkey = "name"\n'
    )

    rows, refused = leads(tmp_path, join)
    assert [row.attributes.industry for row in rows] == ["Spain"]
    assert len(refused) == 1
    assert refused[0].startswith("2 Region: regions.csv has no name 'North'.")

    rows, refused = leads(tmp_path, f'{join}values = {{ North = "N" }}\n')
    assert [row.attributes.industry for row in rows] == ["France", "Spain"]

    rows, refused = leads(tmp_path, f'{join}missing = "empty"\n')
    assert [row.attributes.industry for row in rows] == [None, "Spain"]


def test_a_joined_file_must_be_whole_and_name_each_key_once(tmp_path: Path) -> None:
    join = f'{MINIMAL}[leads.joins.r]\nfile = "r.csv"\non = "Id"\nkey = "k"\n'

    written(tmp_path, "r.csv", "k,v\nL1,a\nL1,b\n")
    with pytest.raises(InvalidInput, match="line 3: the key 'L1' comes a second time"):
        leads(tmp_path, join)
    written(tmp_path, "r.csv", "k,v\nL1\n")
    with pytest.raises(InvalidInput, match="line 2"):
        leads(tmp_path, join)


def test_every_problem_of_a_row_is_told_with_the_files_columns(tmp_path: Path) -> None:
    _, refused = leads(
        tmp_path,
        f'{MINIMAL}company_size = "Size"\n',
        "Id,Made,Size\nL1,soon,-3\n,2026-01-02,1\n",
    )

    assert refused[0].startswith("2 Made; Size: 'soon' is not a date.")
    assert refused[0].endswith("company_size must be 0 or more.")
    assert refused[1] == "3 Id: external_id is empty."


@pytest.mark.parametrize(
    ("column", "cell", "says"),
    [
        ("created_at", "2030-01-01", "lies in the future"),
        ("company_size", "-1", "must be 0 or more"),
        ("company_size", "99999999999", "must be 10,000,000 or less"),
        ("budget", "1" + "0" * 14, "too large to be meant"),
        ("deal_value", "-5", "must be 0 or more"),
        ("currency", "RMB", "not a currency code"),
        ("stage", "hot", "is not one of: new, contacted"),
        ("language", "Chinese", "not a language tag"),
        ("company", "x" * 300, "255 may be"),
        ("external_id", "x" * 200, "128 may be"),
    ],
)
def test_values_that_make_no_sense_are_refused(
    tmp_path: Path, column: str, cell: str, says: str
) -> None:
    names = dict.fromkeys(["external_id", "created_at", column])
    given = {"external_id": "L1", "created_at": "2026-01-02", column: cell}
    text = f"{','.join(names)}\n{','.join(given[name] for name in names)}\n"

    records, refused = records_of(written(tmp_path, "a.csv", text), plain())

    assert records == []
    assert says in refused[0].reason
    assert refused[0].column == column


def test_valid_from_may_lie_in_the_future(tmp_path: Path) -> None:
    text = "external_id,valid_from\nR1,2026-06-01\n"

    (rep,), _ = records_of(written(tmp_path, "a.csv", text), plain(Kind.REPS))

    assert isinstance(rep, RepRow)
    assert rep.valid_from == datetime(2026, 6, 1, tzinfo=UTC)


def test_amounts_are_of_the_rows_currency_or_the_tenants(tmp_path: Path) -> None:
    text = (
        "external_id,created_at,budget,currency\n"
        "L1,2026-01-02,12.34,JPY\nL2,2026-01-02,12.34,\nL3,2026-01-02,1.5万,USD\n"
    )

    records, _ = records_of(written(tmp_path, "a.csv", text), plain(), currency="CNY")

    budgets = [r.attributes.budget for r in records if isinstance(r, LeadRow)]
    assert budgets == [Money(12, "JPY"), Money(1234, "CNY"), Money(1500000, "USD")]


def test_own_fields_of_a_csv_are_numbers_where_the_mapping_says_so(
    tmp_path: Path,
) -> None:
    rows, refused = leads(
        tmp_path,
        f'{MINIMAL}"attributes.size" = "Size"\n"attributes.a" = "A"\n[leads.types]\n'
        '"attributes.size" = "number"\n"attributes.a" = "boolean"\n',
        "Id,Made,Size,A\nL1,2026-01-02,10,yes\nL2,2026-01-02,1.5,no\nL3,2026-01-02,x,\n",
    )

    assert [row.attributes.attributes for row in rows] == [
        {"size": 10, "a": True},
        {"size": 1.5, "a": False},
    ]
    assert len(refused) == 1


def test_cells_of_excel_keep_their_types_and_phones_their_digits(
    tmp_path: Path,
) -> None:
    path = workbook(
        tmp_path,
        [
            ["external_id", "created_at", "phone", "budget", "attributes.hot"],
            [1001, datetime(2026, 1, 2, 9), 13800138000, 12.5, True],  # noqa: DTZ001
        ],
    )

    (record,), refused = records_of(path, plain(), time_zone="Asia/Shanghai")

    assert refused == []
    assert isinstance(record, LeadRow)
    assert record.external_id == "1001"
    assert record.created_at == datetime(2026, 1, 2, 1, tzinfo=UTC)
    assert record.points[0].value == "+8613800138000"
    assert record.attributes.budget == Money(1250, "CNY")
    assert record.attributes.attributes == {"hot": True}


def test_events_without_an_id_get_one_made_from_the_row(tmp_path: Path) -> None:
    text = "lead,result,closed_at\nL1,won,2026-01-02\nL1,won,2026-01-03\n"
    path = written(tmp_path, "a.csv", text)

    first, _ = records_of(path, plain(Kind.OUTCOMES))
    again, _ = records_of(path, plain(Kind.OUTCOMES))

    ids = [record.event_id for record in first if isinstance(record, OutcomeRow)]
    assert len(set(ids)) == 2
    assert first == again


def test_the_example_mapping_makes_three_kinds_of_one_file(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "docs" / "mappings" / "maven.toml"
    written(tmp_path, "products.csv", "product,series,sales_price\nGTX Pro,GTX,4821\n")
    written(
        tmp_path,
        "accounts.csv",
        "account,sector,year_established,revenue,employees,office_location,"
        "subsidiary_of\nIsdom,technolgy,2002,3178.24,4540,United States,\n",
    )
    path = written(
        tmp_path,
        "pipeline.csv",
        "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,"
        "close_value\n"
        "A,Ann,GTXPro,Isdom,Won,2016-10-25,2017-03-11,4514\n"
        "B,Ann,GTX Pro,,Engaging,2016-11-25,,\n"
        "C,Bob,GTX Pro,Isdom,Prospecting,,,\n"
        "D,Bob,GTX Pro,Isdom,Lost,2016-11-25,2017-01-01,0\n",
    )

    found = {
        kind: records_of(path, load_mapping(example, kind))
        for kind in (Kind.LEADS, Kind.DECISIONS, Kind.OUTCOMES)
    }

    assert [len(refused) for _, refused in found.values()] == [0, 0, 0]
    lead = found[Kind.LEADS][0][0]
    assert isinstance(lead, LeadRow)
    assert lead.attributes.industry == "technology"
    assert lead.attributes.product == "GTX Pro"
    assert lead.attributes.deal_value == Money(482100, "USD")
    assert lead.attributes.stage == "new"
    given = [d.lead for d in found[Kind.DECISIONS][0] if isinstance(d, DecisionRow)]
    assert given == ["A", "B", "D"]
    closed = [o for o in found[Kind.OUTCOMES][0] if isinstance(o, OutcomeRow)]
    assert [(o.lead, o.result.value) for o in closed] == [("A", "won"), ("D", "lost")]
    assert closed[0].closed_at == datetime(2017, 3, 11, 18, tzinfo=UTC)
