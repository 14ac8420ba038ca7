"""Tuning of the trees' parameters by trial, on earlier rows than those that judge.

Off by default: the usual parameters were chosen over many markets, and a tenant's own
history is mostly too short to choose better. What is found here is taken only where it
predicts held-back rows better by more than the standard error of that.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from features.as_of import FloatArray
from rightrep.errors import InvalidInput
from training.boosting import Rows, Trees
from training.evaluation import Gain, gain_of, log_losses
from training.model import ConversionModel
from training.rows import TrainingRows
from training.trial import Cut

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial as Asked

_Z_95 = 1.96


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One set of parameters, tried.

    Attributes:
        trees: The parameters.
        log_loss: Of the pair's chances on held-back rows, in nats.
    """

    trees: Trees
    log_loss: float


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What tuning found.

    Attributes:
        trials: In the order tried; the usual parameters first.
        gain: Fall of log loss from the usual parameters to the best ones.
        trees: The parameters to train with.
    """

    trials: tuple[Trial, ...]
    gain: Gain
    trees: Trees

    @property
    def taken(self) -> bool:
        """Whether other parameters than the usual ones are to be used."""
        return self.trees != self.trials[0].trees

    def in_words(self) -> str:
        """What was found, in a sentence."""
        gain = f"{self.gain.mean:+.4f} [{self.gain.low:+.4f}, {self.gain.high:+.4f}]"
        if not self.taken:
            return (
                f"Tuning ({len(self.trials)} trials) kept the usual parameters: the "
                f"best others changed log loss by {gain} on held-back rows."
            )
        usual = asdict(self.trials[0].trees)
        changed = ", ".join(
            f"{name} {value:.3g}"
            for name, value in asdict(self.trees).items()
            if value != usual[name]
        )
        return (
            f"Tuning ({len(self.trials)} trials) took {changed}: log loss falls by "
            f"{gain} on held-back rows."
        )


def tune(rows: TrainingRows, n_trials: int, *, trees: Trees | None = None) -> Tuning:
    """Search better parameters than the usual ones (Optuna's TPE, seeded).

    The rows that calibrate and judge the model are not looked at. Of the earlier ones,
    the last part is held back, in order of time as everywhere.

    Args:
        rows: Labelled decisions with their feature rows.
        n_trials: Sets of parameters to try, the usual ones included; at least 2.
        trees: The usual parameters; by the number of rows when not given.

    Raises:
        InvalidInput: There are fewer than 2 trials, or Optuna is not installed.
    """
    if n_trials < 2:
        raise InvalidInput("Tuning needs at least 2 trials.", field="tune")
    usual = trees or Trees.usual(rows.labels.n_rows)
    earlier = np.arange(Cut.of(rows.labels.n_rows).later.start)
    labels, columns = rows.labels.where(earlier), rows.columns[earlier]
    held = Cut.of(earlier.size).later
    chances: list[FloatArray] = []
    tried: list[Trial] = []

    def loss_of(chosen: Trees) -> float:
        model = ConversionModel(rows.contract, trees=chosen)
        part = Rows(columns=columns, won=labels.won, weight=labels.weight)
        chances.append(model.try_pair(part).chance)
        loss = float(log_losses(labels.won[held], chances[-1]).mean())
        tried.append(Trial(trees=chosen, log_loss=loss))
        return loss

    study = _study(usual.seed)
    loss_of(usual)
    study.optimize(_objective(usual, loss_of), n_trials=n_trials - 1)
    best = int(np.argmin([one.log_loss for one in tried]))
    gain = gain_of(
        labels.won[held],
        chances[0],
        chances[best],
        labels.rep[held],
        labels.week[held],
    )
    error = (gain.mean - gain.low) / _Z_95
    found = tried[best].trees if gain.mean > error else usual
    return Tuning(trials=tuple(tried), gain=gain, trees=found)


def _study(seed: int) -> "Study":
    try:
        import optuna
    except ImportError as error:
        raise InvalidInput(
            "Optuna is not installed.", remedy="Install RightRep's extra 'train'."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))


def _objective(
    usual: Trees, loss_of: Callable[[Trees], float]
) -> Callable[["Asked"], float]:
    def objective(trial: "Asked") -> float:
        chosen: dict[str, Any] = {
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
            "n_leaves": trial.suggest_int("n_leaves", 2, 64, log=True),
            "n_pair_leaves": trial.suggest_int("n_pair_leaves", 2, 32, log=True),
            "min_rows": trial.suggest_int("min_rows", 10, 500, log=True),
            "l2": trial.suggest_float("l2", 0.1, 100.0, log=True),
            "column_share": trial.suggest_float("column_share", 0.3, 1.0),
        }
        return loss_of(replace(usual, **chosen))

    return objective
