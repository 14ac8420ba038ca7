"""A model as one file: a zip of LightGBM's own texts and one JSON. Nothing in it runs.

The same model always gives the same bytes, so its SHA-256 is its name.
"""

import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.as_of import FloatArray
from features.columns import Column, Contract, Side
from features.profiles import contract_of
from features.recipe import Recipe
from rightrep.errors import InvalidInput, ModelUnavailable
from training.boosting import Trees, from_text, text_of
from training.calibration import BetaCalibration
from training.evaluation import Gain
from training.lead_score import ScoreMap
from training.lead_slices import LeadSlices
from training.model import ConversionModel
from training.origin import Origin
from training.reference import Reference
from training.trial import Part

FORMAT = 2
"""Version of the file's layout."""

_CARD, _PAIR, _LEAD = "model.json", "pair.txt", "lead.txt"
_REFERENCE = "reference.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,  # a flipped bit says that it is encrypted, or packed otherwise
    KeyError,
    ValueError,
    TypeError,
)
"""What reading a damaged file raises."""


def save_model(model: ConversionModel, path: Path) -> str:
    """Write a model; the file appears whole or not at all.

    Returns:
        SHA-256 of the file, 64 hex digits.

    Raises:
        InvalidInput: The model does not know what its columns were made by.
    """
    origin = model.origin
    if origin is None:
        raise InvalidInput("Set the model's origin before saving it.", field="origin")
    texts = {
        _CARD: json.dumps(_card(model, origin), indent=1, sort_keys=True),
        _REFERENCE: json.dumps(origin.reference.to_json(), sort_keys=True),
        _PAIR: text_of(model.pair_.booster),
        _LEAD: text_of(model.lead_.booster),
        **{
            _slice_name(k): text_of(booster)
            for k, booster in enumerate(origin.slices.boosters)
        },
    }
    packed = _pack(texts)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(packed)
    partial.replace(path)
    return hashlib.sha256(packed).hexdigest()


def load_model(path: Path, sha256: str | None = None) -> ConversionModel:
    """Read what ``save_model`` wrote.

    Raises:
        ModelUnavailable: The file is not there, not the one meant, damaged, or its
            columns mean something else to this version of RightRep.
    """
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise ModelUnavailable(f"The model {path.name} cannot be read.") from error
    if sha256 is not None and hashlib.sha256(packed).hexdigest() != sha256:
        raise ModelUnavailable(f"The model {path.name} is not the one published.")
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            texts = {name: archive.read(name).decode() for name in archive.namelist()}
        return _model(texts)
    except _DAMAGE as error:
        raise ModelUnavailable(f"The model {path.name} is damaged: {error}") from error


def _slice_name(k: int) -> str:
    return f"slices/{k:02}.txt"


def _card(model: ConversionModel, origin: Origin) -> dict[str, Any]:
    contract = model.contract
    assert contract is not None  # noqa: S101  (a fitted model has one)
    return {
        "format": FORMAT,
        "contract_version": contract.version,
        "columns": [asdict(column) for column in contract.columns],
        "recipe": origin.recipe.to_json(),
        "label_window_days": origin.recipe.label_window_days,
        "as_of": origin.as_of.isoformat(),
        "data_hash": origin.data_hash,
        "n_rows": origin.n_rows,
        "n_won": origin.n_won,
        "slices_since": origin.slices.since.tolist(),
        "trees": asdict(model.trees or Trees.usual(origin.n_rows)),
        "fewest_of_each": model.fewest_of_each,
        "reps_differ": model.reps_differ_,
        "gain": asdict(model.gain_),
        "pair": _part_card(model.pair_),
        "lead": _part_card(model.lead_),
        "score_edges": model.score_map_.edges.tolist(),
    }


def _part_card(part: Part) -> dict[str, Any]:
    return {"calibration": asdict(part.calibration), "n_trees": part.n_trees}


def _pack(texts: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(texts.items()):
            archive.writestr(
                zipfile.ZipInfo(name, _EPOCH),
                text,
                compress_type=zipfile.ZIP_DEFLATED,
            )
    return packed.getvalue()


def _model(texts: dict[str, str]) -> ConversionModel:
    card = json.loads(texts[_CARD])
    if card["format"] != FORMAT:
        raise ModelUnavailable(f"The model's format is {card['format']}, not {FORMAT}.")
    recipe = Recipe.from_json(card["recipe"])
    contract = _contract(card, recipe)
    model = ConversionModel(
        contract,
        trees=Trees(**card["trees"]),
        fewest_of_each=card["fewest_of_each"],
    )
    model.set_parts(
        _part(card, "lead", texts[_LEAD]), _part(card, "pair", texts[_PAIR])
    )
    model.reps_differ_ = bool(card["reps_differ"])
    model.gain_ = Gain(**card["gain"])
    model.later_ = model.lottery_ = None
    model.score_map_ = ScoreMap(np.array(card["score_edges"]))
    model.origin = Origin(
        recipe=recipe,
        slices=_slices(card, texts, contract),
        as_of=pd.Timestamp(card["as_of"]),
        data_hash=card["data_hash"],
        reference=Reference.from_json(json.loads(texts[_REFERENCE])),
        n_rows=card["n_rows"],
        n_won=card["n_won"],
    )
    return model


def _contract(card: dict[str, Any], recipe: Recipe) -> Contract:
    columns = [Column(**{**one, "side": Side(one["side"])}) for one in card["columns"]]
    stored, ours = Contract(tuple(columns)), contract_of(recipe)
    if stored.version != card["contract_version"]:
        raise ModelUnavailable("The model's columns are not those it was saved with.")
    if stored.version != ours.version:
        raise ModelUnavailable(
            f"The model was trained on columns {stored.version}; this version of "
            f"RightRep makes columns {ours.version}. Train again."
        )
    return stored


def _part(card: dict[str, Any], name: str, text: str) -> Part:
    return Part(
        from_text(text),
        BetaCalibration(**card[name]["calibration"]),
        int(card[name]["n_trees"]),
    )


def _slices(
    card: dict[str, Any], texts: dict[str, str], contract: Contract
) -> LeadSlices:
    since = np.array(card["slices_since"], dtype=np.int64)
    boosters = [from_text(texts[_slice_name(k)]) for k in range(since.size)]
    return LeadSlices.of(since, boosters, contract.of(Side.LEAD))


class Chances:
    """What MLflow loads: frames of feature rows in, chances out."""

    def __init__(self, model: ConversionModel) -> None:
        self._model = model

    def predict(self, rows: pd.DataFrame) -> FloatArray:
        """Chance to win of each row, in [0, 1]; float64 (n_rows,)."""
        return self._model.predict_proba(rows)[:, 1]


def _load_pyfunc(path: str) -> Chances:
    """MLflow calls this by its name; see ``training.registry``."""
    return Chances(load_model(Path(path)))
