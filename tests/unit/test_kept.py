"""What was worked out once is kept, and no more of it than was agreed."""

from serving.usecases.kept import Kept


def test_what_is_kept_is_not_made_again() -> None:
    kept: Kept[str, int] = Kept(2)
    made: list[str] = []

    def make() -> int:
        made.append("one")
        return 1

    assert [kept.get("one", make), kept.get("one", make)] == [1, 1]
    assert made == ["one"]


def test_the_oldest_goes_first() -> None:
    kept: Kept[str, int] = Kept(2)
    for number, key in enumerate("abc"):
        kept.get(key, lambda number=number: number)  # type: ignore[misc]

    assert [kept.get(key, lambda: -1) for key in "bca"] == [1, 2, -1]
