"""Exact pairs: people who all met, so that every possible assignment has its outcome.

The speed dating protocol. In every evening (wave) everyone of one side met everyone of
the other, and whether a pair matched is known. One side are leads, the other reps; then
the other way round. Each evening's leads are split in two halves: from one half the
model learns, the reps' history too; the other half is assigned, and the true outcomes
of the chosen pairs are added up. Then the halves are swapped. Repeated over seeds;
intervals over evenings.

With slack a rep takes one lead at most, and there are about two reps per lead. With
equal shares every rep takes as much as any other (leads are divided where they must
be), so that only the fit of the pair can pay.

``--data FOLDER`` gives the real evenings (``pairs_odd_waves.csv``: wave, w, m, match,
agediff, goal_w, goal_m); without, evenings are made up, with reps who differ and pairs
who fit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment, linprog
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.common import Figure, Row, options, publish
from features.columns import Column, Contract, Side
from training.boosting import Rows, Trees
from training.model import ConversionModel
from training.trial import try_part

FILE = "pairs_odd_waves.csv"
N_SEEDS, QUICK_SEEDS = 10, 2
PRIOR = 10.0
"""Meetings at which a rep's own record counts as much as the mean of all."""

FloatArray = NDArray[np.float64]
TREES = Trees(n_trees=200, min_rows=30, n_threads=1)


def _column(name: str, side: Side, *, categorical: bool = False) -> Column:
    return Column(
        name=name, side=side, unit="code", meaning=name, categorical=categorical
    )


CONTRACT = Contract(
    (
        _column("lead_goal", Side.LEAD, categorical=True),
        _column("rep_goal", Side.REP, categorical=True),
        _column("rep_rating", Side.REP),
        _column("age_difference", Side.PAIR),
        _column("age_distance", Side.PAIR),
        _column("same_goal", Side.PAIR),
    )
)


def main(argv: Sequence[str] | None = None) -> int:
    """Score every model on every evening, print and save the table."""
    asked = options(__doc__ or "", argv)
    n_seeds = QUICK_SEEDS if asked.quick else N_SEEDS
    pairs = _made() if asked.data is None else pd.read_csv(asked.data / FILE)
    sides = [as_leads(pairs, "w", "m"), as_leads(pairs, "m", "w")]
    found = [
        one for seed in range(n_seeds) for side in sides for one in _scored(side, seed)
    ]
    table = pd.DataFrame(found).groupby(["model", "shares", "wave"]).sum()
    rows = [
        _row(str(model), str(shares), part)
        for (model, shares), part in table.groupby(level=["model", "shares"])
    ]
    best = next(row for row in rows if (row["model"], row["shares"]) == HEADLINE)
    return publish(
        Figure(
            name="exact_pairs",
            value=float(best["more than random"] or 0.0),
            bar=None,
            holds=None,
            rows=rows,
            title=(
                f"{table.index.get_level_values('wave').nunique()} evenings, "
                f"{len(pairs):,} pairs, each side as leads, {n_seeds} seeds; "
                f"{'made up' if asked.data is None else 'real people'}"
            ),
            notes=[
                "intervals: 95 %, bootstrap over evenings",
                "the product's model answers without the rep where reps do not differ "
                "measurably on a half of so few rows; the pair model answers anyway",
            ],
            extra={"unit": "matches over random, slack, the pair model"},
        ),
        quick=asked.quick,
    )


HEADLINE = ("pair model", "slack")


def as_leads(pairs: pd.DataFrame, lead: str, rep: str) -> pd.DataFrame:
    """One row per pair in our words, one side as leads."""
    sign = 1.0 if lead == "w" else -1.0
    return pd.DataFrame(
        {
            "wave": pairs["wave"],
            "lead": pairs["wave"] * 1_000 + pairs[lead],
            "rep": pairs["wave"] * 1_000 + pairs[rep],
            "won": pairs["match"].astype(bool),
            "lead_goal": pairs[f"goal_{lead}"],
            "rep_goal": pairs[f"goal_{rep}"],
            "age_difference": sign * pairs["agediff"],
            "age_distance": pairs["agediff"].abs(),
            "same_goal": (pairs[f"goal_{lead}"] == pairs[f"goal_{rep}"]).astype(float),
        }
    )


def scored_halves(pairs: pd.DataFrame, seed: int) -> list[pd.DataFrame]:
    """Both halves with what the pair model, taught by the other, says: column p."""
    halves = []
    for past, new in _taught(pairs, seed):
        halves.append(new.assign(p=_pair_model(past, new)))
    return halves


def _taught(
    pairs: pd.DataFrame, seed: int
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Each half to learn from with the half to be shared out, both rated."""
    rng = np.random.default_rng(seed)
    half = _halves(pairs["lead"], rng)
    for learnt in (0, 1):
        past, new = pairs[half == learnt], pairs[half != learnt].copy()
        past = past.iloc[rng.permutation(len(past))].reset_index(drop=True)
        past["rep_rating"] = _cross_rated(past, rng)
        new["rep_rating"] = _ratings(past, new)
        yield past, new


def _scored(pairs: pd.DataFrame, seed: int) -> list[Mapping[str, object]]:
    """Outcomes of every model's assignment of both halves, by evening."""
    found: list[Mapping[str, object]] = []
    for past, new in _taught(pairs, seed):
        for model, score in MODELS.items():
            new["p"] = score(past, new)
            for wave, evening in new.groupby("wave"):
                found += _outcomes(model, int(str(wave)), evening)
    return found


def _halves(lead: pd.Series, rng: np.random.Generator) -> NDArray[np.int64]:
    """0 or 1 for each row: half the leads of each evening, at random."""
    names = np.unique(lead)
    order = pd.Series(rng.random(names.size), index=names)
    rank = order.groupby(names // 1_000).rank(method="first").astype(int) % 2
    return np.asarray(lead.map(rank), dtype=np.int64)


def _ratings(past: pd.DataFrame, rows: pd.DataFrame) -> FloatArray:
    """Shrunk sum of won less the share of all, of each row's rep, as learnt."""
    off = past["won"] - past["won"].mean()
    sums = off.groupby(past["rep"]).sum()
    counts = off.groupby(past["rep"]).size()
    return rows["rep"].map(sums / (counts + PRIOR)).fillna(0.0).to_numpy(np.float64)


def _cross_rated(past: pd.DataFrame, rng: np.random.Generator) -> FloatArray:
    """Ratings of rows that are learnt from, each from leads of other folds."""
    fold = past["lead"].map({lead: rng.integers(5) for lead in past["lead"].unique()})
    out = np.zeros(len(past))
    for k in range(5):
        mine = (fold == k).to_numpy()
        out[mine] = _ratings(past[~mine], past[mine])
    return out


def _pair_model(past: pd.DataFrame, new: pd.DataFrame) -> FloatArray:
    return _model(past, new, by_rep_anyway=True)


def _product(past: pd.DataFrame, new: pd.DataFrame) -> FloatArray:
    return _model(past, new, by_rep_anyway=False)


def _model(past: pd.DataFrame, new: pd.DataFrame, *, by_rep_anyway: bool) -> FloatArray:
    model = ConversionModel(CONTRACT, trees=TREES, by_rep_anyway=by_rep_anyway)
    model.fit(past, past["won"], rep=past["rep"])
    return model.predict_proba(new)[:, 1]


def _rep_history(_: pd.DataFrame, new: pd.DataFrame) -> FloatArray:
    return new["rep_rating"].to_numpy(np.float64)


def _ridge_and_trees(past: pd.DataFrame, new: pd.DataFrame) -> FloatArray:
    """The reference: the plain mean of a ridge logistic and one booster over all."""
    codes, numbers = CONTRACT.names[:2], CONTRACT.names[2:]

    def wide(rows: pd.DataFrame) -> FloatArray:
        known = rows[numbers].fillna(past[numbers].mean()).to_numpy()
        return np.hstack([encoder.transform(rows[codes].fillna(0)), known])

    encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    encoder.fit(past[codes].fillna(0))
    ridge = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    ridge.fit(wide(past), past["won"])
    rows = Rows(
        columns=past[CONTRACT.names].to_numpy(np.float32),
        won=past["won"].to_numpy(),
        weight=np.ones(len(past)),
    )
    part = try_part(rows, CONTRACT.columns, TREES).part
    trees = part.chance(new[CONTRACT.names].to_numpy(np.float32))
    return np.asarray((ridge.predict_proba(wide(new))[:, 1] + trees) / 2.0)


MODELS: Mapping[str, Callable[[pd.DataFrame, pd.DataFrame], FloatArray]] = {
    "pair model": _pair_model,
    "product's model": _product,
    "rep history alone": _rep_history,
    "ridge and trees": _ridge_and_trees,
}


def _outcomes(
    model: str, wave: int, evening: pd.DataFrame
) -> list[Mapping[str, object]]:
    p = evening.pivot_table(index="lead", columns="rep", values="p")
    won = evening.pivot_table(index="lead", columns="rep", values="won").reindex_like(p)
    score = np.nan_to_num(p.to_numpy(), nan=-1.0)
    true = np.nan_to_num(won.to_numpy(np.float64))
    lead, rep = linear_sum_assignment(score, maximize=True)
    by_share = _equal_shares(score)
    random = float(evening["won"].mean()) * len(p)
    common = {"model": model, "wave": wave, "random": random}
    return [
        {**common, "shares": "slack", "matches": float(true[lead, rep].sum())},
        {**common, "shares": "equal", "matches": float((by_share * true).sum())},
    ]


def _equal_shares(score: FloatArray) -> FloatArray:
    """Shares of leads per rep that add up to the most, every rep having as much."""
    n_leads, n_reps = score.shape
    per_lead = np.kron(np.eye(n_leads), np.ones(n_reps))
    per_rep = np.kron(np.ones(n_leads), np.eye(n_reps))
    found = linprog(
        -score.ravel(),
        A_eq=np.vstack([per_lead, per_rep]),
        b_eq=np.concatenate([np.ones(n_leads), np.full(n_reps, n_leads / n_reps)]),
    )
    return np.asarray(found.x).reshape(score.shape)


def _row(model: str, shares: str, part: pd.DataFrame) -> Row:
    draw = np.random.default_rng(0).integers(len(part), size=(2_000, len(part)))
    won, random = (part[name].to_numpy()[draw].sum(1) for name in ("matches", "random"))
    low, high = np.quantile(won / random - 1.0, [0.025, 0.975])
    return {
        "model": model,
        "shares": shares,
        "more than random": float(part["matches"].sum() / part["random"].sum() - 1.0),
        "low": float(low),
        "high": float(high),
    }


def _made(n_waves: int = 11, n_side: int = 18) -> pd.DataFrame:
    """Made-up evenings: people differ in how often they match, and pairs fit by age."""
    rng = np.random.default_rng(11)
    waves = []
    for wave in range(n_waves):
        w, m = np.divmod(np.arange(n_side**2), n_side)
        liked, age, goal = (
            rng.normal(size=(2, n_side)),
            rng.integers(22, 36, size=(2, n_side)),
            rng.integers(1, 7, size=(2, n_side)),
        )
        difference = age[1, m] - age[0, w]
        odds = -1.8 + 0.7 * (liked[0, w] + liked[1, m]) - 0.1 * np.abs(difference)
        waves.append(
            pd.DataFrame(
                {
                    "wave": wave,
                    "w": w,
                    "m": m + n_side,
                    "match": rng.random(w.size) < 1.0 / (1.0 + np.exp(-odds)),
                    "agediff": difference,
                    "goal_w": goal[0, w],
                    "goal_m": goal[1, m],
                }
            )
        )
    return pd.concat(waves, ignore_index=True)


if __name__ == "__main__":
    raise SystemExit(main())
