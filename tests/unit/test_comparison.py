"""A comparison as it is read: a table, JSON and CSV that say the same."""

import csv

import orjson

from experiments.comparison import (
    Comparison,
    Shown,
    Side,
    fairness_plot,
    value_plot,
    weights_plot,
)


def found() -> Comparison:
    """Two policies, of one of which nothing can be said."""
    known = {"value": 12.5, "low": 10.0, "high": 15.0, "load_spread": 0.1}
    unknown = dict.fromkeys(known, None)
    return Comparison(
        ground="history",
        baseline="fair",
        sides=[
            Side(name="unheard", figures=unknown, said="Not enough decisions."),
            Side(name="fair", figures=known, rules={"version": 3, "rules": []}),
        ],
        facts={"seed": 7},
        shown=(Shown(figure="value", title="CNY", form=".1f", ends=("low", "high")),),
        value=("value", "low", "high"),
        heading="Two policies",
        notes=("A note.",),
    )


def test_the_best_stands_first_and_what_cannot_be_said_is_left_empty() -> None:
    assert found().in_words() == [
        "Two policies",
        "policy                 CNY",
        "fair     12.5 [10.0, 15.0]",
        "unheard",
        "unheard: Not enough decisions.",
        "A note.",
    ]


def test_json_and_csv_hold_every_figure_of_every_policy() -> None:
    told = orjson.loads(found().as_json())
    rows = list(csv.DictReader(found().as_csv().splitlines()))

    assert told["facts"] == {"seed": 7}
    assert told["sides"][1]["rules"] == {"version": 3, "rules": []}
    assert told["sides"][0]["value"] is None
    assert [row["policy"] for row in rows] == ["unheard", "fair"]
    assert rows[0]["value"] == ""
    assert float(rows[1]["high"]) == told["sides"][1]["high"] == 15.0


def test_plots_show_only_what_is_known() -> None:
    value = value_plot(found()).axes[0]
    labels = [text.get_text() for text in value.get_yticklabels()]
    fairness = fairness_plot(found()).axes[0]

    assert labels == ["fair"]
    assert [text.get_text() for text in fairness.texts] == ["fair"]
    assert "fair" in weights_plot(found().side("fair")).axes[0].get_title()
