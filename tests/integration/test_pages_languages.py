"""Pages in English and Chinese: chosen in the page, every word and figure."""

import re
from html import unescape
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from babel.messages.pofile import read_po

from rightrep.domain.roles import Role
from rightrep.store.engine import Store
from serving.web.catalogue import messages, updated
from serving.web.language import COOKIE, ENGLISH, LANGUAGES, catalogue_path
from serving.web.spoken import recorded
from tests.integration.test_pages import HOME, every_page, page, sign_in
from tests.serving_parts import Served, serve

OTHERS = [code for code in LANGUAGES if code != ENGLISH]
ENGLISH_WORDS = re.compile(r"\b(the|of|and|with|lead|leads|rep|reps|plan|from|to)\b")


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return serve(store, tmp_path)


def each(said: Any) -> list[str]:
    """The forms of a message: one, or one for each number."""
    return [said] if isinstance(said, str) else list(said)


def words(text: str) -> str:
    """What a page says, without its records' ids, commands and names of people."""
    bare = re.sub(r"<(script|code|pre)\b.*?</\1>", " ", text, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]+>", " ", bare))


@pytest.mark.parametrize("code", OTHERS)
def test_every_message_is_translated_and_none_is_left_over(code: str) -> None:
    with catalogue_path(code).open("rb") as source:
        written = read_po(source, locale=code)

    assert {message.id for message in written} == {m.id for m in updated(code)}
    assert [one.id for one in written if one.id and one.fuzzy] == []
    for message in messages():
        if message.id:
            found = written.get(message.id)
            assert found is not None
            assert all(each(found.string)), message.id


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_keeps_every_figure(code: str) -> None:
    def figures(text: str) -> set[str | None]:
        braces = {field for _, field, *_ in Formatter().parse(text) if field}
        return {*braces, *re.findall(r"%\((\w+)\)s", text)}

    for message in updated(code):
        if message.id:
            for one in each(message.string):
                assert figures(one) == figures(each(message.id)[-1]), message.id


@pytest.mark.parametrize("code", OTHERS)
def test_every_page_is_wholly_in_the_language(served: Served, code: str) -> None:
    served.http.cookies.set(COOKIE, code)
    for answer in every_page(served):
        if answer.status_code == 303:
            continue
        assert answer.headers["content-language"] == code
        assert re.search(r'<html lang="zh', answer.text)
        assert ENGLISH_WORDS.findall(words(answer.text)) == [], answer.url


def test_the_browsers_language_holds_until_another_is_chosen(served: Served) -> None:
    def spoken(accepted: str) -> str:
        headers = {"accept-language": accepted}
        return str(served.http.get("/sign-in", headers=headers).text)

    assert "登录" in spoken("zh-CN,zh;q=0.9,en;q=0.8")
    assert "登录" in spoken("fr, zh-TW;q=0.5")
    for accepted in ("en-GB,zh;q=0.5", "fr", "zh;q=0, en", "", ";;q=x,,"):
        assert "Sign in" in spoken(accepted)
    served.http.get("/language/zh")
    assert "登录" in spoken("en")
    served.http.get("/language/en")
    assert "Sign in" in spoken("zh")


def test_switching_leads_back_to_the_same_page_and_nowhere_else(
    served: Served,
) -> None:
    sign_in(served)
    shown = page(served, "/unassigned?after=3").text
    link = re.search(r'href="(/language/zh[^"]+)"', shown)
    assert link is not None

    answer = page(served, unescape(link[1]))

    assert answer.headers["location"] == "/unassigned?after=3"
    assert page(served, "/language/zh?to=//evil.example").headers["location"] == "/"
    assert page(served, "/language/xx").status_code == 404


def test_numbers_money_and_days_are_said_as_the_language_does(served: Served) -> None:
    list(every_page(served))
    served.http.get("/language/zh")

    shown = words(page(served).text)

    assert "¥" in shown
    assert "CN¥" not in shown
    assert "2026年3月2日 12:" in shown


def test_a_refused_key_is_told_in_the_language(served: Served) -> None:
    served.http.cookies.set(COOKIE, "zh")
    for key, said in (
        ("rr_wrong", "此 API 密钥不存在、已过期或已吊销。"),
        (served.keys[Role.SERVICE], "这是 service 角色的密钥。"),
    ):
        answer = served.http.post("/sign-in", data={"key": key}, headers=HOME)
        assert said in answer.text


def test_a_recorded_sentence_keeps_its_figures_and_an_unknown_one_its_words() -> None:
    def shout(text: str) -> str:
        return text.upper().replace("{N}", "{n}")

    assert recorded("only 3 reps may take the lead", shout) == (
        "ONLY 3 REPS MAY TAKE THE LEAD"
    )
    assert recorded("something else {n}", shout) == "something else {n}"
