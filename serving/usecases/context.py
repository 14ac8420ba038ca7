"""What every way in shares: the parts of one running process, joined in one place."""

from dataclasses import dataclass, field

from rightrep.clock import Clock, SystemClock
from rightrep.settings import Settings
from rightrep.store.engine import Store
from serving.observe import Metrics
from serving.oidc import Provider
from serving.passwords import Passwords
from serving.usecases.advice import Advisers
from serving.usecases.paces import PaceBook
from serving.usecases.together import Together
from serving.usecases.win_rates import WinRateBook


@dataclass(frozen=True)
class Context:
    """The parts of one process.

    Attributes:
        settings: What was set from outside.
        store: The database.
        clock: The time.
        metrics: What the process says about itself.
        advisers: What each tenant's model says, kept in memory.
        win_rates: How often each tenant's reps win, kept in memory.
        paces: How quick each tenant's reps are, kept in memory.
        together: Brings questions together that are asked at the same time.
        passwords: Hashes and checks passwords, a few at a time.
        provider: The OpenID provider that people may sign in through, or None.
    """

    settings: Settings
    store: Store
    clock: Clock
    metrics: Metrics = field(default_factory=Metrics)
    advisers: Advisers = field(init=False)
    win_rates: WinRateBook = field(default_factory=WinRateBook)
    paces: PaceBook = field(default_factory=PaceBook)
    together: Together = field(default_factory=Together)
    passwords: Passwords = field(default_factory=Passwords)
    provider: Provider | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "advisers", Advisers(self.store, self.clock))
        object.__setattr__(self, "provider", Provider.of(self.settings, self.clock))

    @classmethod
    def of(cls, settings: Settings, clock: Clock | None = None) -> "Context":
        """The real parts; nothing connects yet."""
        return cls(settings, Store(settings.store_url), clock or SystemClock())
