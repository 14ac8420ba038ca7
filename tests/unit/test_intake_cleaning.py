"""Company names, addresses and register numbers: compared alike, never changed."""

import pytest

from rightrep.intake.addresses import address_parts
from rightrep.intake.companies import company_key, company_parts
from rightrep.intake.tax_numbers import tax_number


@pytest.mark.parametrize(
    "names",
    [
        ("臺灣積體電路製造股份有限公司", "台湾积体电路制造有限公司"),
        ("字节跳动(北京)科技有限公司", "字节跳动（北京）科技有限责任公司"),
        ("海尔(集团)股份有限公司", "海尔集团公司", "海爾"),
        ("Société Générale S.A.", "SOCIETE GENERALE"),
        ("Acme Sp. z o.o.", "ACME sp.z o.o.", "acme"),
        ("Acme de México S.A. de C.V.", "Acme de Mexico"),
        ("株式会社ソニー", "ソニー株式会社", "ｿﾆｰ"),
        ("阿里云计算有限公司北京分公司", "阿里云计算有限公司(北京)分公司"),
    ],
)
def test_names_of_one_company_share_a_key(names: tuple[str, ...]) -> None:
    assert len({company_key(name) for name in names}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("字节跳动(北京)科技有限公司", "字节跳动(上海)科技有限公司"),
        ("Amazon UK Ltd", "Amazon CA Ltd"),
        ("ガス株式会社", "カス株式会社"),
        ("阿里云计算有限公司北京分公司", "阿里云计算有限公司"),
    ],
)
def test_companies_that_differ_by_more_have_two_keys(one: str, other: str) -> None:
    assert company_key(one) != company_key(other)


@pytest.mark.parametrize(
    ("name", "region", "core"),
    [
        ("字节跳动(北京)科技有限公司", "北京市", "字节跳动科技"),
        ("北京字节跳动科技有限公司", "北京市", "字节跳动科技"),
        ("广东省深圳市腾讯计算机系统有限公司", "深圳市", "腾讯计算机系统"),
        ("阿里云计算有限公司", None, "阿里云计算"),
        ("Acme (Holdings) Ltd", None, "acme"),
        ("北京公司", None, "北京"),
    ],
)
def test_the_region_in_a_name_is_told_apart(
    name: str, region: str | None, core: str
) -> None:
    parts = company_parts(name)

    assert parts is not None
    assert (parts.region, parts.core) == (region, core)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        (
            "广东省深圳市南山区科技园路1号",
            ("广东省", "深圳市", "南山区", "科技园路1号"),
        ),
        ("深圳市南山区科技园", ("广东省", "深圳市", "南山区", "科技园")),
        ("深圳南山区", ("广东省", "深圳市", "南山区", "")),
        ("上海浦东世纪大道", ("上海市", "上海市", "浦东新区", "世纪大道")),
        ("北京市北京市朝阳区", ("北京市", "北京市", "朝阳区", "")),
        ("重庆市市辖区渝中区", ("重庆市", "重庆市", "渝中区", "")),
        ("吉林吉林市船营区", ("吉林省", "吉林市", "船营区", "")),
        ("内蒙古呼和浩特", ("内蒙古自治区", "呼和浩特市", None, "")),
        ("廣東省廣州市天河區體育西路", ("广东省", "广州市", "天河区", "體育西路")),
        ("昆山市玉山镇", ("江苏省", "苏州市", "昆山市", "玉山镇")),
        ("湖北仙桃市", ("湖北省", "仙桃市", None, "")),
        ("湘西凤凰县", ("湖南省", "湘西土家族苗族自治州", "凤凰县", "")),
        ("中国 广东省-深圳市", ("广东省", "深圳市", None, "")),
        ("北京市崇文区", ("北京市", "北京市", "崇文区", "")),
        ("襄樊市樊城区", ("湖北省", "襄阳市", "樊城区", "")),
        ("广东省杭州市", ("广东省", None, None, "杭州市")),
    ],
)
def test_a_chinese_address_tells_its_province_city_and_district(
    address: str, found: tuple[str | None, ...]
) -> None:
    assert address_parts(address)[:4] == found
    assert address_parts(address).country == "CN"


@pytest.mark.parametrize(
    "address", ["南京路100号", "北京东路668号", "朝阳区建国路", "某某镇", "中山中路1号"]
)
def test_what_more_than_one_place_could_mean_is_left_as_it_is(address: str) -> None:
    assert address_parts(address) == (None, None, None, address, None, None)


@pytest.mark.parametrize(
    ("address", "country", "code"),
    [
        ("Hauptstr. 5, 10115 Berlin, Germany", "DE", "10115"),
        ("350 Fifth Ave, New York, NY 10118, USA", "US", "10118"),
        ("10 Downing St, London SW1A 2AA, United Kingdom", "GB", "SW1A 2AA"),
        ("1-1 Chiyoda, Tokyo, Japan", "JP", None),
        ("Hauptstr. 5, 10115 Berlin", None, None),
        ("香港九龙尖沙咀", "HK", None),
        ("518000 深圳市", "CN", "518000"),
        ("深圳市科技路(邮编:518000)", "CN", "518000"),
    ],
)
def test_country_and_postal_code_are_told_where_certain(
    address: str, country: str | None, code: str | None
) -> None:
    parts = address_parts(address)

    assert (parts.country, parts.postal_code) == (country, code)


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("9111 0000 6000 3734 1l", "91110000600037341L", "cn.uscc"),
        ("税号：９１１１００００６０００３７３４１Ｌ", "91110000600037341L", "cn.uscc"),
        ("11010519491231002X", "11010519491231002X", "cn.ric"),
        ("110108000000016", "110108000000016", "cn.registration"),
        ("de 136695976", "DE136695976", "vat.DE"),
        ("GB 980 7806 84", "GB980780684", "vat.GB"),
        ("CHE-107.787.577 IVA", "CHE107787577IVA", "vat.CHE"),
        ("12-3456789", "123456789", None),
        ("DEX-99", "DEX99", None),
    ],
)
def test_register_numbers_are_written_one_way_and_recognised(
    text: str, value: str, kind: str | None
) -> None:
    assert tax_number(text) == (value, kind, None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("911100006000373410", "check digit is wrong (cn.uscc)"),
        ("110105194912310021", "check digit is wrong (cn.ric)"),
        ("DE136695977", "check digit is wrong (vat.DE)"),
        ("I1110000600037341L", "not the form of cn.uscc"),
        ("000000000000000000", "one digit repeated"),
        ("无", "not a number of any register"),
    ],
)
def test_a_number_that_cannot_be_says_why(text: str, why: str) -> None:
    assert why in str(tax_number(text).problem)
