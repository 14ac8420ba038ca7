# ruff: noqa: E501  (a table is read across)
"""Where the customers of a demo market are."""

from dataclasses import dataclass

import numpy as np

from experiments.market_settings import IntArray


@dataclass(frozen=True, slots=True)
class City:
    """A place where customers are.

    Attributes:
        name: As written in addresses.
        province: Province, or empty where the city is one.
        districts: Parts of the city as written in addresses.
        region: Sales region.
        country: ISO 3166 code.
        area_code: Telephone area code, without the leading zero.
        admin_code: Chinese six-digit division code, or empty.
        latitude: Degrees north of the centre.
        longitude: Degrees east of the centre.
    """

    name: str
    province: str
    districts: tuple[str, ...]
    region: str
    country: str
    area_code: str
    admin_code: str
    latitude: float
    longitude: float


REGIONS = (
    "East China",
    "South China",
    "North China",
    "West China",
    "North America",
    "Europe",
)
REGION_SHARE = np.array([0.32, 0.22, 0.18, 0.12, 0.09, 0.07])
ABROAD = 4
"""First region outside China."""

_EAST, _SOUTH, _NORTH, _WEST, _AMERICA, _EUROPE = REGIONS

# fmt: off
CITIES = (
    City("上海市", "", ("浦东新区", "徐汇区", "长宁区"), _EAST, "CN", "21", "310115", 31.23, 121.47),
    City("杭州市", "浙江省", ("西湖区", "滨江区"), _EAST, "CN", "571", "330106", 30.27, 120.16),
    City("苏州市", "江苏省", ("虎丘区", "吴中区"), _EAST, "CN", "512", "320505", 31.30, 120.59),
    City("南京市", "江苏省", ("玄武区", "鼓楼区"), _EAST, "CN", "25", "320102", 32.06, 118.80),
    City("深圳市", "广东省", ("南山区", "福田区", "宝安区"), _SOUTH, "CN", "755", "440305", 22.54, 114.06),
    City("广州市", "广东省", ("天河区", "越秀区"), _SOUTH, "CN", "20", "440106", 23.13, 113.26),
    City("长沙市", "湖南省", ("芙蓉区", "岳麓区"), _SOUTH, "CN", "731", "430102", 28.23, 112.94),
    City("北京市", "", ("朝阳区", "海淀区", "丰台区"), _NORTH, "CN", "10", "110105", 39.90, 116.41),
    City("天津市", "", ("和平区", "南开区"), _NORTH, "CN", "22", "120101", 39.08, 117.20),
    City("青岛市", "山东省", ("市南区", "崂山区"), _NORTH, "CN", "532", "370202", 36.07, 120.38),
    City("成都市", "四川省", ("锦江区", "武侯区"), _WEST, "CN", "28", "510104", 30.57, 104.07),
    City("西安市", "陕西省", ("雁塔区", "碑林区"), _WEST, "CN", "29", "610113", 34.34, 108.94),
    City("重庆市", "", ("渝中区", "江北区"), _WEST, "CN", "23", "500103", 29.56, 106.55),
    City("New York", "NY", (), _AMERICA, "US", "212", "", 40.71, -74.01),
    City("Chicago", "IL", (), _AMERICA, "US", "312", "", 41.88, -87.63),
    City("Austin", "TX", (), _AMERICA, "US", "512", "", 30.27, -97.74),
    City("Seattle", "WA", (), _AMERICA, "US", "206", "", 47.61, -122.33),
    City("London", "", (), _EUROPE, "GB", "20", "", 51.51, -0.13),
    City("Leeds", "", (), _EUROPE, "GB", "113", "", 53.80, -1.55),
    City("Berlin", "", (), _EUROPE, "DE", "30", "", 52.52, 13.40),
    City("Hamburg", "", (), _EUROPE, "DE", "40", "", 53.55, 9.99),
    City("München", "", (), _EUROPE, "DE", "89", "", 48.14, 11.58),
)
# fmt: on
CITY_REGION: IntArray = np.array([REGIONS.index(c.region) for c in CITIES])
CITY_COUNTRY = np.array([c.country for c in CITIES])
