"""A demo market as the files an old CRM would export, in the importer's own fields."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from experiments import market_places as places
from experiments import market_world as world
from experiments.market_activities import KINDS, NOTES, RESULTS, Activities
from experiments.market_calendar import ZONES, Calendar
from experiments.market_ids import numbered
from experiments.market_leads import Leads
from experiments.market_past import POLICIES, Past
from experiments.market_records import STATUSES, Closes, RepVersions
from experiments.market_reps import NEVER, Reps
from experiments.market_settings import CURRENCY, FloatArray, IntArray
from experiments.market_story import STAGES, Versions
from experiments.market_tables import allowed_products, listed
from experiments.market_text import TEXT, spell

SHIFTS = "mon-fri 09:00-18:00"
_WHOLE = pa.int64()


def crm_lead_ids(lead: IntArray) -> pa.Array:
    """The CRM's ids of leads: ``L0000042``."""
    return numbered("L", lead, 7)


def crm_rep_ids(rep: IntArray) -> pa.Array:
    """The CRM's ids of reps: ``R0042``; missing for -1."""
    return numbered("R", rep, 4)


def decision_ids(decision: IntArray) -> pa.Array:
    """The CRM's ids of decisions: ``D0000042``."""
    return numbered("D", decision, 7)


def _outcome_ids(outcome: IntArray) -> pa.Array:
    return numbered("O", outcome, 7)


def _instants(seconds: IntArray) -> pa.Array:
    return pa.array(seconds, pa.int64()).cast(pa.timestamp("s", "UTC"))


def _amounts(amount: FloatArray) -> pa.Array:
    """Whole major units; missing for NaN."""
    gone = np.isnan(amount)
    return pa.array(np.where(gone, 0, amount).astype(np.int64), _WHOLE, mask=gone)


def lead_rows(leads: Leads, versions: Versions, contacts: pd.DataFrame) -> pa.Table:
    """One row per version of a lead."""
    lead = versions.lead
    customer = pa.array(leads.customer[lead])
    people = pa.Table.from_pandas(contacts, preserve_index=False)
    size_gone = ~versions.size_known
    return pa.table(
        {
            "external_id": crm_lead_ids(lead),
            "created_at": _instants(leads.created[lead]),
            "valid_from": _instants(versions.valid_from),
            "customer": numbered("C", leads.customer[lead], 7),
            **{name: people[name].take(customer) for name in people.column_names},
            "industry": spell(world.INDUSTRIES, leads.industry[lead]),
            "company_size": pa.array(leads.size[lead], _WHOLE, mask=size_gone),
            "region": spell(places.REGIONS, leads.region[lead]),
            "language": spell(world.LANGUAGES, leads.language[lead]),
            "product": spell(world.PRODUCTS, leads.product[lead]),
            "budget": _amounts(versions.budget),
            "deal_value": _amounts(versions.estimate),
            "currency": spell((CURRENCY,), np.zeros_like(lead)),
            "channel": spell(world.CHANNELS, leads.channel[lead]),
            "campaign": spell(leads.campaigns, leads.campaign[lead]),
            "stage": spell(STAGES, versions.stage),
            "grade": spell(world.GRADES, leads.grade[lead]),
            "owner": crm_rep_ids(versions.owner),
            "attributes.buying_style": spell(world.STYLES, leads.style[lead]),
            "attributes.timeline": spell(world.TIMELINES, leads.timeline[lead]),
        }
    )


def rep_rows(
    calendar: Calendar, reps: Reps, versions: RepVersions, rep_names: pa.Array
) -> pa.Table:
    """One row per version of a rep."""
    rep = versions.rep
    divisor = np.where(versions.ramp, 2, 1)
    hired = [calendar.date_of(int(day)) for day in reps.hired]
    return pa.table(
        {
            "external_id": crm_rep_ids(rep),
            "name": rep_names.take(pa.array(rep)),
            "valid_from": _instants(versions.valid_from),
            "team": spell(reps.teams, reps.team[rep]),
            "manager": crm_rep_ids(reps.manager[rep]),
            "region": spell(places.REGIONS, reps.region[rep]),
            "languages": _lists(listed(world.LANGUAGES, reps.languages), rep),
            "products": _lists(allowed_products(reps), rep),
            "industries": _lists(listed(world.INDUSTRIES, reps.industries), rep),
            "hired_on": pa.array(hired, pa.date32()).take(pa.array(rep)),
            "holding_limit": -(-reps.holding_limit[rep] // divisor),
            "intake_per_day": -(-reps.intake_per_day[rep] // divisor),
            "weight": 1.0 / divisor,
            "time_zone": spell(ZONES, reps.zone[rep]),
            "shifts": spell((SHIFTS,), np.zeros_like(rep)),
            "leave": _lists(
                [_leave(calendar, reps.leave[k]) for k in range(reps.n_reps)], rep
            ),
            "status": spell(STATUSES, versions.status),
        }
    )


def decision_rows(past: Past) -> pa.Table:
    """One row per decision."""
    return pa.table(
        {
            "external_id": decision_ids(np.arange(past.lead.size)),
            "lead": crm_lead_ids(past.lead),
            "rep": crm_rep_ids(past.rep),
            "decided_at": _instants(past.decided_at),
            "policy": spell(POLICIES, past.policy),
            "propensity": pa.array(past.propensity, mask=np.isnan(past.propensity)),
        }
    )


def outcome_rows(past: Past, seen: Closes) -> pa.Table:
    """One row per outcome, corrections included."""
    return pa.table(
        {
            "event_id": _outcome_ids(np.arange(seen.decision.size)),
            "lead": crm_lead_ids(past.lead[seen.decision]),
            "result": spell(("lost", "won"), seen.won.astype(np.int64)),
            "closed_at": _instants(seen.closed_at),
            "value": _amounts(seen.value),
            "currency": spell((CURRENCY,), np.where(seen.won, 0, -1)),
            "reason": spell(world.LOST_REASONS, seen.reason),
            "replaces": _outcome_ids(seen.replaces),
            "decision": decision_ids(seen.decision),
        }
    )


def activity_rows(activities: Activities) -> pa.Table:
    """One row per activity."""
    place = np.isnan(activities.latitude)
    score = np.isnan(activities.score)
    return pa.table(
        {
            "event_id": numbered("A", np.arange(activities.lead.size), 8),
            "lead": crm_lead_ids(activities.lead),
            "rep": crm_rep_ids(activities.rep),
            "kind": spell(KINDS, activities.kind),
            "happened_at": _instants(activities.at),
            "result": spell(RESULTS, activities.result),
            "score": pa.array(activities.score, mask=score),
            "latitude": pa.array(activities.latitude, mask=place),
            "longitude": pa.array(activities.longitude, mask=place),
            "note": spell(NOTES, activities.note),
        }
    )


def cost_rows(costs: pd.DataFrame) -> pa.Table:
    """Columns channel, day, cost, as ``Market.channel_costs`` gives them."""
    return pa.Table.from_pandas(costs, preserve_index=False)


def write_files(folder: Path, tables: Mapping[str, pa.Table]) -> dict[str, Path]:
    """Write each table as ``NAME.csv`` (UTF-8, comma, header) into a folder.

    Args:
        folder: Made when it is not there.
        tables: Rows by name of the file.

    Returns:
        Path of each file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.csv" for name in tables}
    plain = pyarrow.csv.WriteOptions(include_header=False)
    for name, table in tables.items():
        with paths[name].open("wb") as file:
            file.write((",".join(table.column_names) + "\n").encode())
            pyarrow.csv.write_csv(table, file, plain)
    return paths


def _lists(lists: Sequence[Sequence[str]], rep: IntArray) -> pa.Array:
    texts = pa.array([";".join(some) or None for some in lists], TEXT)
    return pc.take(texts, pa.array(rep))


def _leave(calendar: Calendar, leave: IntArray) -> list[str]:
    def day(number: np.int64) -> date:
        return calendar.date_of(int(number))

    return [f"{day(a)}/{day(b)}" for a, b in leave if a < NEVER]
