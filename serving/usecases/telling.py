"""Plans as people read them: names instead of ids, sentences instead of codes."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from optimizer.problem import UNASSIGNED
from rightrep.domain.eligibility import SENTENCES, Exclusion
from rightrep.domain.ids import TenantId
from rightrep.domain.money import minor_digits
from rightrep.intake.formulas import neutralised
from rightrep.store import reps
from rightrep.store.aliases import RecordKind, aliases_of
from rightrep.store.engine import Store
from serving.usecases.planning import MadePlan
from serving.usecases.situation import Situation

HEADER = (
    "lead",
    "rep",
    "rep_name",
    "policy",
    "p_convert",
    "value",
    "shadow_price",
    "propensity",
    "reason",
)


def write_plan(store: Store, tenant_id: TenantId, made: MadePlan, path: Path) -> None:
    """Write a plan as CSV: one row per lead, in the CRM's own ids.

    Amounts are in major units of the tenant's currency. A lead that nobody gets has
    the reason in words.
    """
    situation, plan = made.situation, made.chosen.plan
    names = _names(store, tenant_id, situation)
    scale = 10 ** minor_digits(situation.tenant.currency)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for i, lead_id in enumerate(situation.lead_ids):
            j = int(plan.rep_of[i])
            row = [names.leads.get(lead_id, lead_id)]
            if j == UNASSIGNED:
                row += ["", "", made.chosen.policy[i], "", "", "", ""]
                row.append(why_nobody(situation, i))
            else:
                rep_id = situation.rep_ids[j]
                row += [names.reps.get(rep_id, rep_id), names.people[rep_id]]
                row += [made.chosen.policy[i], *_numbers(made, i, j, scale), ""]
            writer.writerow([neutralised(cell) for cell in row])


def _numbers(made: MadePlan, i: int, j: int, scale: int) -> list[str]:
    """Chance, value, price and propensity of one pair; empty where there is none."""
    scores, chosen = made.scores, made.chosen
    price, drawn = chosen.shadow_price, chosen.plan.propensity[i]
    return [
        "" if scores is None else f"{scores.p_convert[i, j]:.6f}",
        "" if scores is None else f"{chosen.problem.value[i, j] / scale:.2f}",
        "" if price is None else f"{price[j] / scale:.2f}",
        "" if math.isnan(drawn) else f"{drawn:.6f}",
    ]


def why_nobody(situation: Situation, lead: int) -> str:
    """Why a lead stays unassigned, in a sentence: the reasons, most frequent first."""
    codes = situation.codes[lead]
    barred = codes[codes != Exclusion.ELIGIBLE]
    if barred.size == 0:
        return "Every slot is worth more with another lead."
    if barred.size < codes.size:
        return "Those who may take it are full with leads that are worth more."
    counts = {code: int((barred == code).sum()) for code in set(barred.tolist())}
    told = sorted(counts.items(), key=lambda item: -item[1])
    return "; ".join(
        f"{count} reps: {SENTENCES[Exclusion(code)]}" for code, count in told
    )


class _Names(NamedTuple):
    """The CRM's ids and people's names, by our ids."""

    leads: Mapping[str, str]
    reps: Mapping[str, str]
    people: Mapping[str, str]


def _names(store: Store, tenant_id: TenantId, situation: Situation) -> _Names:
    with store.read(tenant_id) as session:
        found = reps.list_reps(session, as_of=situation.at)
        return _Names(
            _first(aliases_of(session, RecordKind.LEAD, situation.lead_ids)),
            _first(aliases_of(session, RecordKind.REP, situation.rep_ids)),
            {rep.rep_id: rep.name for rep in found},
        )


def _first(named: Mapping[str, Sequence[tuple[str, str]]]) -> dict[str, str]:
    return {own_id: names[0][1] for own_id, names in named.items() if names}
