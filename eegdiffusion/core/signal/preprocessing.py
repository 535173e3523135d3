"""What was done to the signals that a model was trained on, which it carries so that others can do the same."""

from collections.abc import Mapping

from eegdiffusion.core.runtime.settings import settings, validate
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.signal.montages import choose_montage


@settings
class Preprocessing:
    """From recorded EEG in volts to windows of a montage's channels."""

    filtering: Filtering
    """Filters and sampling rate."""
    channels: list[str]
    """Derivations or electrodes of a window, in order."""
    window: int
    """Number of samples in a window, at the rate of ``filtering``."""
    unit: str
    """Unit of the windows that the model takes."""
    classes: list[str]
    """Names of the classes, in the order of the model's probabilities."""
    corpus: str
    """What the model was trained on; ``surrogate`` where it is one."""


def read_preprocessing_fields(fields: Mapping, where: str) -> Preprocessing:
    """Read what a model carries as plain data.

    Models of version 0.1 name the signs of TUEV's derivations in the place of their channels.

    Args:
        fields: the fields of :class:`Preprocessing`.
        where: what they are of, for errors.

    Raises:
        InputError: a field is missing, unknown or breaks its rule; the message names it and the rule.
    """
    fields = dict(fields)
    sign = fields.pop("montage_sign", None)
    if "channels" not in fields and sign in ("eegdm", "tuh"):
        fields["channels"] = choose_montage("tcp22" if sign == "eegdm" else "tcp22_tuh").names
    return validate(fields, Preprocessing, where)
