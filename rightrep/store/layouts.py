"""The columns of whole tables, as Arrow types; see ``bulk``."""

from collections.abc import Mapping

import pyarrow as pa
from sqlalchemy import Table

from rightrep.store import schema
from rightrep.store.arrow import DAY, FLOAT, INT, TEXT, TIME

Types = Mapping[str, pa.DataType]

LEAD: Types = {"lead_id": TEXT, "customer_id": TEXT, "created_at": TIME}
ATTRIBUTES: Types = {
    "valid_from": TIME,
    "recorded_at": TIME,
    "industry": TEXT,
    "company_size": FLOAT,
    "region": TEXT,
    "language": TEXT,
    "product": TEXT,
    "budget_minor": INT,
    "budget_currency": TEXT,
    "deal_value_minor": INT,
    "deal_value_currency": TEXT,
    "channel": TEXT,
    "campaign": TEXT,
    "stage": TEXT,
    "grade": TEXT,
    "attributes": TEXT,
}
REP_ATTRIBUTES: Types = {
    "rep_id": TEXT,
    "valid_from": TIME,
    "recorded_at": TIME,
    "team": TEXT,
    "manager": TEXT,
    "region": TEXT,
    "languages": TEXT,
    "products": TEXT,
    "industries": TEXT,
    "hired_on": DAY,
    "holding_limit": FLOAT,
    "intake_per_day": FLOAT,
    "weight": FLOAT,
    "status": TEXT,
}
DECISION: Types = {
    "decision_id": TEXT,
    "lead_id": TEXT,
    "rep_id": TEXT,
    "decided_at": TIME,
    "recorded_at": TIME,
    "policy": TEXT,
    "cause": TEXT,
    "propensity": FLOAT,
    "p_convert": FLOAT,
}
OUTCOME: Types = {
    "event_id": TEXT,
    "lead_id": TEXT,
    "decision_id": TEXT,
    "result": TEXT,
    "closed_at": TIME,
    "recorded_at": TIME,
    "value_minor": INT,
    "value_currency": TEXT,
    "replaces": TEXT,
}
ACTIVITY: Types = {
    "lead_id": TEXT,
    "rep_id": TEXT,
    "kind": TEXT,
    "happened_at": TIME,
    "recorded_at": TIME,
    "result": TEXT,
    "score": FLOAT,
}
OWNERSHIP: Types = {
    "lead_id": TEXT,
    "kind": TEXT,
    "owner": TEXT,
    "previous_owner": TEXT,
    "happened_at": TIME,
    "revision": INT,
}
MERGE: Types = {
    "lead_id": TEXT,
    "survivor_id": TEXT,
    "merged_at": TIME,
    "undone_at": TIME,
}
LAYOUTS: Mapping[str, tuple[Table, str, Types]] = {
    "leads": (schema.leads, "created_at", LEAD),
    "lead_versions": (
        schema.lead_versions,
        "recorded_at",
        {"lead_id": TEXT, **ATTRIBUTES},
    ),
    "reps": (schema.reps, "created_at", {"rep_id": TEXT, "created_at": TIME}),
    "rep_versions": (schema.rep_versions, "recorded_at", REP_ATTRIBUTES),
    "decisions": (schema.decisions, "recorded_at", DECISION),
    "outcomes": (schema.outcomes, "recorded_at", OUTCOME),
    "activities": (schema.activities, "recorded_at", ACTIVITY),
    "ownership": (schema.ownership_events, "happened_at", OWNERSHIP),
}
"""Table, the column that says since when a row is known, and columns, by name."""
