"""How a backbone makes tokens of EEG: what its signals have to pass first, and which latents are pooled."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montage import BIPOLAR
from eegdiffusion.core.signal.units import UNIT_V
from eegdiffusion.events.models.latents import STATISTICS
from eegdiffusion.events.models.ssmdp_network import KINDS, PART

UNITS_V = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "100 uV": UNIT_V}
"""Volts in each unit of signals that has a name."""


@dataclass(frozen=True)
class TokenSettings:
    """How tokens are made.

    Attributes:
        channels: derivations or electrodes that the numbers of the backbone's channels count, in order.
        rate_hz: sampling rate that the backbone was trained at.
        unit: unit that it was trained in, before the mu-law.
        mu_law: whether signals pass the staged mu-law.
        signal_scale: factor on the signals after it, 1 but for latents of the scaled signal.
        kind: ``gate``, ``filter`` or ``inter``, the activity that is pooled.
        statistic: ``std`` or ``mean``, how it is pooled.
        step: diffusion step that conditions the backbone; None leaves the step out of the conditioning.
        pool_s: seconds to a token.
        numbers: numbers of further channels by name, as the montage of the training states them.
    """

    channels: tuple[str, ...] = field(default_factory=lambda: tuple(BIPOLAR))
    rate_hz: float = 200.0
    unit: str = "100 uV"
    mu_law: bool = True
    signal_scale: float = 1.0
    kind: str = "gate"
    statistic: str = "std"
    step: int | None = 1
    pool_s: float = 1.0
    numbers: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        for name, value, admitted in (
            ("kind", self.kind, KINDS),
            ("statistic", self.statistic, STATISTICS),
            ("unit", self.unit, tuple(UNITS_V)),
        ):
            if value not in admitted:
                raise InputError(f"tokens: {name}: must be one of {', '.join(admitted)} (found {value!r})")
        if strange := sorted(name for name, number in self.numbers.items() if number not in range(len(self.channels))):
            rule = f"must be numbers from 0 to {len(self.channels) - 1}"
            raise InputError(f"tokens: numbers: {rule} (found {self.numbers[strange[0]]!r} of {strange[0]})")
        if not self.rate_hz > 0:
            raise InputError(f"tokens: rate_hz: must be positive (found {self.rate_hz!r})")
        if self.window < 2 or PART % self.window:
            rule = f"must be such that {PART} samples, a part, are whole pools of 2 samples or more"
            raise InputError(f"tokens: pool_s: {rule} (found {self.pool_s!r} at {self.rate_hz:g} Hz)")

    @property
    def window(self) -> int:
        """Samples to a token, at ``rate_hz``."""
        return round(self.pool_s * self.rate_hz)


def positive_number(value: object) -> float | None:
    """Return a positive finite number of Python or NumPy as a float; None where a value is none."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    number = float(value)
    return number if 0 < number < float("inf") else None


def volts_in(unit: str | float) -> float:
    """Return how many volts a unit is: of a name, or of the number of volts in one.

    Raises:
        InputError: it is neither.
    """
    if isinstance(unit, str) and unit in UNITS_V:
        return UNITS_V[unit]
    if (number := positive_number(unit)) is not None:
        return number
    raise InputError(f"unit: must be one of {', '.join(UNITS_V)}, or the volts in one (found {unit!r})")
