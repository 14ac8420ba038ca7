"""Syllables that demo names are put together from. Nobody real is meant.

Chinese characters come with their reading, for e-mail addresses.
"""

_BRANDS = (
    "华hua 远yuan 瑞rui 恒heng 宏hong 泰tai 安an 信xin 达da 康kang 宁ning 博bo "
    "睿rui 凯kai 鼎ding 盛sheng 嘉jia 禾he 诚cheng 朗lang 云yun 辰chen 联lian 旭xu "
    "铭ming 锐rui 德de 源yuan 汇hui 创chuang 佳jia 合he 正zheng 邦bang 晟sheng "
    "隆long 海hai 川chuan 峰feng 岳yue 祥xiang 裕yu 坤kun 科ke 智zhi 维wei 捷jie "
    "腾teng"
)
_FAMILIES = (
    "王wang 李li 张zhang 刘liu 陈chen 杨yang 赵zhao 黄huang 周zhou 吴wu 徐xu 孙sun "
    "胡hu 朱zhu 高gao 林lin 何he 郭guo 马ma 罗luo 梁liang 宋song 郑zheng 谢xie 韩han "
    "唐tang 冯feng 于yu 董dong 萧xiao 程cheng 曹cao 袁yuan 邓deng 许xu 傅fu 沈shen "
    "曾zeng 彭peng 吕lv"
)
_GIVEN = (
    "伟wei 芳fang 娜na 敏min 静jing 丽li 强qiang 磊lei 军jun 洋yang 勇yong 艳yan "
    "杰jie 娟juan 涛tao 明ming 超chao 霞xia 平ping 刚gang 玉yu 兰lan 婷ting 雪xue "
    "晨chen 宇yu 轩xuan 怡yi 佳jia 琳lin 浩hao 然ran 思si 文wen 慧hui 嘉jia 子zi "
    "欣xin 一yi 晓xiao"
)


def _words(listed: str) -> tuple[str, ...]:
    return tuple(listed.split())


def _characters(listed: str) -> tuple[str, ...]:
    return tuple(entry[0] for entry in listed.split())


def _readings(listed: str) -> tuple[str, ...]:
    return tuple(entry[1:] for entry in listed.split())


BRANDS, BRAND_READINGS = _characters(_BRANDS), _readings(_BRANDS)
FAMILIES, FAMILY_READINGS = _characters(_FAMILIES), _readings(_FAMILIES)
GIVEN, GIVEN_READINGS = ("", *_characters(_GIVEN)), ("", *_readings(_GIVEN))
"""Second syllables of given names may be empty."""

CHINESE_TRADES = (
    ("机械", "精密制造", "机电设备"),
    ("软件", "信息技术", "网络科技"),
    ("商贸", "百货", "连锁零售"),
    ("医疗器械", "生物医药", "健康科技"),
    ("教育科技", "教育咨询", "培训"),
    ("物流", "供应链管理", "货运代理"),
    ("金融服务", "商业保理", "融资租赁"),
    ("建设", "建筑工程", "装饰工程"),
    ("能源", "新能源科技", "电力工程"),
    ("酒店管理", "餐饮管理", "旅游服务"),
)
"""Three words per industry, in the order of ``market_world.INDUSTRIES``."""

CHINESE_FORMS = ("有限公司", "有限责任公司", "股份有限公司", "集团有限公司")

LATIN_TRADES = (
    ("Machinery", "Precision", "Industries"),
    ("Software", "Systems", "Digital"),
    ("Retail", "Stores", "Trading"),
    ("Medical", "Health", "Biotech"),
    ("Learning", "Education", "Training"),
    ("Logistics", "Freight", "Supply"),
    ("Capital", "Leasing", "Finance"),
    ("Construction", "Builders", "Interiors"),
    ("Energy", "Solar", "Power"),
    ("Hotels", "Catering", "Travel"),
)

LATIN_FORMS = {"US": ("Inc.", "LLC"), "GB": ("Ltd", "PLC"), "DE": ("GmbH", "AG")}

HEADS = _words(
    "Nor Bel Cal Dor Fen Gal Hal Jor Kel Lum Mar Nev Orb Pel Quil Ros Sel Tor Ul "
    "Vel Wen Yor Zel Ard"
)
TAILS = _words(
    "vane dane mont ridge wick stead fort lund mere gate holm brook field more nova "
    "tec dale worth stone haven"
)
LATIN_GIVEN_HEADS = _words("Al Bren Cor Da El Fi Han Is Jo Ka Li Mi Ner Ol Re Sa")
LATIN_GIVEN_TAILS = _words("an dra ella en ia ine la mo na ric ta vin")
LATIN_FAMILY_HEADS = _words("Ash Bram Crow Dun El Fair Grim Hart Kings Lang Mill")
LATIN_FAMILY_TAILS = _words("berg croft den ford ham hurst ley man son ton wood")
