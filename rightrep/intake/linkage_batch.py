"""All customers compared at once: splink on DuckDB, only where two share a key.

Needs the ``dedupe`` extra; nothing else imports this module when it is loaded. DuckDB
keeps to a memory limit and spills to disk beyond it.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from itertools import islice
from typing import Any

import duckdb
import pyarrow as pa
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from rightrep.intake.identity import MANY, MOST_BLOCK, Identity, blocking_keys
from rightrep.intake.linkage import Link, Verdict, Weights, link
from rightrep.intake.linkage_fields import FIELDS, LinkField

_CHUNK = 20_000
_LEAST_M = 0.005
_LEAST_U = 1e-6
"""Least shares of a level: what a sample never showed is rare, not impossible."""

_SHARED = {"lines", "mail"}
_LEAST_U_SHARED = 1e-4
"""Least share of "the same switchboard" and "the same mail domain" among pairs of two:
made data has no business parks and no groups of companies."""
_COLUMNS = [field.name for field in fields(Identity)]
_LISTS = frozenset(
    name
    for name in _COLUMNS
    if isinstance(getattr(Identity(customer_id=""), name), tuple)
)
_BOTH = ", ".join(f"{side}.{name}" for side in "lr" for name in _COLUMNS)


class Batch:
    """Identities in DuckDB, ready to be compared."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._db = connection
        self.count = 0

    @classmethod
    @contextmanager
    def of(
        cls,
        identities: Iterable[Identity],
        *,
        memory: str = "2GB",
        threads: int | None = None,
    ) -> Iterator["Batch"]:
        """Take identities in; what many share, and keys that many have, are taken out.

        Args:
            identities: Each customer once.
            memory: What DuckDB may use, such as "2GB"; beyond it, it uses the disk.
            threads: What it may use; all processors when None.
        """
        with tempfile.TemporaryDirectory(prefix="rightrep-link-") as folder:
            options: dict[str, Any] = {"memory_limit": memory, "temp_directory": folder}
            if threads is not None:
                options["threads"] = threads
            with duckdb.connect(":memory:", config=options) as connection:
                made = cls(connection)
                made._load(identities)
                made._leave_common_out()
                yield made

    def links(self, weights: Weights) -> Iterator[Link]:
        """Every two customers that are or may be one, the likeliest first."""
        self._db.execute(
            "CREATE OR REPLACE TABLE found AS "  # noqa: S608
            "SELECT unique_id_l, unique_id_r, match_weight "
            f"FROM {self._found(weights)} "
            f"WHERE match_weight >= {weights.likely} "
            "OR greatest(mw_tax, mw_lines, mw_mail) > 0"
        )
        rows = self._db.execute(
            f"SELECT {_BOTH} FROM found "  # noqa: S608
            "JOIN identities l ON l.unique_id = unique_id_l "
            "JOIN identities r ON r.unique_id = unique_id_r "
            "ORDER BY match_weight DESC, l.customer_id, r.customer_id"
        )
        while block := rows.fetchmany(_CHUNK):
            for row in block:
                left, right = (
                    _identity(row[: len(_COLUMNS)]),
                    _identity(row[len(_COLUMNS) :]),
                )
                judgement = link(left, right, weights)
                if judgement.verdict is not Verdict.NO:
                    yield judgement

    def pairs(self, weights: Weights) -> pa.Table:
        """Every two customers that share a key, whatever they weigh.

        Returns:
            left, right (our ids), bits and ``mw_FIELD`` of each field, as splink says.
        """
        each = ", ".join(f"mw_{field.name}" for field in FIELDS)
        return self._db.sql(
            "SELECT l.customer_id AS left, r.customer_id AS right, "  # noqa: S608
            f"match_weight AS bits, {each} FROM {self._found(weights)} "
            "JOIN identities l ON l.unique_id = unique_id_l "
            "JOIN identities r ON r.unique_id = unique_id_r"
        ).to_arrow_table()

    def _found(self, weights: Weights) -> str:
        """Splink's table of every two customers that share a key."""
        return str(self._linker(weights).inference.predict().physical_name)

    def train(self, truth: Sequence[int], *, seed: int, sampled: int) -> Weights:
        """Weights from labelled customers; the thresholds are chosen elsewhere.

        Args:
            truth: The same number for customers that are one, in the order taken in.
            seed: Of the sample of pairs.
            sampled: Pairs to look at for the shares among pairs of two.

        Returns:
            Weights whose thresholds are 0.
        """
        labels = pa.table({"unique_id": range(len(truth)), "truth": list(truth)})
        self._db.register("labels", labels)
        self._db.execute(
            "CREATE OR REPLACE TABLE identities AS "
            "SELECT i.*, t.truth FROM identities i JOIN labels t USING (unique_id)"
        )
        linker = self._linker(None)
        linker.training.estimate_u_using_random_sampling(max_pairs=sampled, seed=seed)
        linker.training.estimate_m_from_label_column("truth")
        told = linker.misc.save_model_to_json()
        shares = {c["output_column_name"]: _shares(c) for c in told["comparisons"]}
        return Weights(
            m={name: m for name, (m, _) in shares.items()},
            u={name: u for name, (_, u) in shares.items()},
            sure=0.0,
            likely=0.0,
            customers=self.count,
        )

    def _load(self, identities: Iterable[Identity]) -> None:
        schema = pa.schema(
            [
                ("unique_id", pa.int64()),
                *(
                    (n, pa.list_(pa.string()) if n in _LISTS else pa.string())
                    for n in _COLUMNS
                ),
                ("keys", pa.list_(pa.int64())),
            ]
        )
        self._db.register("block", schema.empty_table())
        self._db.execute("CREATE TABLE identities AS SELECT * FROM block")
        given = iter(identities)
        while chunk := list(islice(given, _CHUNK)):
            columns = {name: [getattr(one, name) for one in chunk] for name in _COLUMNS}
            first, self.count = self.count, self.count + len(chunk)
            columns["unique_id"] = list(range(first, self.count))
            columns["keys"] = [blocking_keys(one) for one in chunk]
            self._db.register("block", pa.table(columns, schema=schema))
            self._db.execute("INSERT INTO identities SELECT * FROM block")
        self._db.unregister("block")

    def _leave_common_out(self) -> None:
        for name in ("phones", "emails", "domains"):
            self._keep(name, "count(*) <= $1", MANY)
        self._keep("keys", "count(*) BETWEEN 2 AND $1", MOST_BLOCK)

    def _keep(self, name: str, having: str, most: int) -> None:
        """Take out of a list column what too many rows have."""
        self._db.execute(
            f"CREATE OR REPLACE TABLE each AS SELECT unique_id, unnest({name}) AS v "  # noqa: S608
            "FROM identities"
        )
        self._db.execute(
            "CREATE OR REPLACE TABLE kept AS SELECT v FROM each GROUP BY v "  # noqa: S608
            f"HAVING {having}",
            [most],
        )
        self._db.execute(
            f"CREATE OR REPLACE TABLE identities AS SELECT i.* REPLACE ("  # noqa: S608
            f"coalesce(k.v, []) AS {name}) FROM identities i LEFT JOIN "
            "(SELECT unique_id, list(v ORDER BY v) AS v FROM each "
            "SEMI JOIN kept USING (v) GROUP BY unique_id) k USING (unique_id)"
        )
        self._db.execute("DROP TABLE each; DROP TABLE kept")

    def _linker(self, weights: Weights | None) -> Linker:
        settings = SettingsCreator(
            link_type="dedupe_only",
            comparisons=[_comparison(field, weights) for field in FIELDS],
            blocking_rules_to_generate_predictions=[
                block_on("keys", arrays_to_explode=["keys"])
            ],
            # No prior: bits are what the fields say, and thresholds are in them.
            probability_two_random_records_match=0.5,
            retain_matching_columns=False,
            retain_intermediate_calculation_columns=True,
        )
        api = DuckDBAPI(self._db)
        table = api.register("identities")
        return Linker(table, settings, log_level=None, validate_settings=False)


def _identity(row: Sequence[Any]) -> Identity:
    told: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    told |= {name: tuple(told[name]) for name in _LISTS}
    return Identity(**told)


def _comparison(field: LinkField, weights: Weights | None) -> dict[str, Any]:
    best = len(field.levels)
    levels: list[dict[str, Any]] = [
        {
            "sql_condition": field.unknown_sql,
            "label_for_charts": "unknown",
            "is_null_level": True,
        }
    ]
    conditions = [(level.sql, level.words) for level in field.levels]
    for place, (sql, words) in enumerate([*conditions, ("ELSE", field.otherwise)]):
        level: dict[str, Any] = {"sql_condition": sql, "label_for_charts": words}
        if weights is not None:
            level["m_probability"] = weights.m[field.name][best - place]
            level["u_probability"] = weights.u[field.name][best - place]
        levels.append(level)
    return {"output_column_name": field.name, "comparison_levels": levels}


def _shares(comparison: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Shares worst level first; one that was never seen gets the least there is."""
    told = [lv for lv in comparison["comparison_levels"] if not lv.get("is_null_level")]
    m = [max(lv.get("m_probability") or 0.0, _LEAST_M) for lv in reversed(told)]
    u = [max(lv.get("u_probability") or 0.0, _LEAST_U) for lv in reversed(told)]
    if comparison["output_column_name"] in _SHARED:
        u[1] = max(u[1], _LEAST_U_SHARED)
    return m, u
