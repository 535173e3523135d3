"""What an EDF or BDF file must have to be read: its samples, and signals of one rate whose scale is said."""

from collections.abc import Sequence

from eegdiffusion.core.recordings.edf_header import Header
from eegdiffusion.core.recordings.units import microvolts_per_unit
from eegdiffusion.core.runtime.errors import InputError


def check_extent(header: Header) -> None:
    """Check that an EDF or BDF file has all the samples of its header.

    Raises:
        InputError: it has not; the message names file, field and rule.
    """
    if header.records < 1:
        raise InputError(f"{header.path}: number of records: must be positive (found {header.records})")
    if header.whole_records < header.records:
        expected = header.size + header.records * header.record_bytes
        size = header.path.stat().st_size
        raise InputError(f"{header.path}: file size: must be {expected} bytes as the header says (found {size})")


def check_signals(header: Header, signals: Sequence[int]) -> None:
    """Check that signals of an EDF or BDF file share a rate, and have a unit of voltage and ranges that scale them.

    Raises:
        InputError: they do not; the message names file, field and rule.
    """
    check_rates(header, signals)
    units = sorted({unit for k in signals if microvolts_per_unit(unit := header.channels["unit"][k]) is None})
    if units:
        raise InputError(f"{header.path}: physical dimension: must be one of uV, mV, V or nV (found {units})")
    check_ranges(header, signals)


def check_rates(header: Header, signals: Sequence[int]) -> None:
    """Check that signals of an EDF or BDF file share a rate.

    Raises:
        InputError: they do not; the message names the rates.
    """
    rates = {header.rates[k] for k in signals}
    if len(rates) > 1:
        raise InputError(f"{header.path}: sampling rate: must be one for all electrodes (found {sorted(rates)})")


def check_ranges(header: Header, signals: Sequence[int]) -> None:
    """Check that signals of an EDF or BDF file have ranges that scale them.

    Raises:
        InputError: they do not; the message names them.
    """
    if reasons := unscaled(header, signals):
        listed = ", ".join(reasons)
        raise InputError(f"{header.path}: physical, digital range: must scale each electrode (found {listed})")


def unscaled(header: Header, signals: Sequence[int]) -> list[str]:
    """Name the signals, of these positions, whose ranges do not say how large a sample is, and what is wrong with them.

    An empty physical range, and a digital one that is missing, reversed or beyond the bits of a sample, say nothing.
    """
    most = 2 ** (8 * header.sample_bytes - 1)
    reasons = []
    for k in signals:
        physical = header.channels["physical_min"][k], header.channels["physical_max"][k]
        digital = header.channels["digital_min"][k], header.channels["digital_max"][k]
        # Comparisons with NaN are false, so that a missing number fails them too.
        if not abs(physical[1] - physical[0]) > 0:
            reasons.append(f"{header.labels[k]}: physical {physical[0]:g} to {physical[1]:g}")
        elif not -most <= digital[0] < digital[1] <= most:
            reasons.append(f"{header.labels[k]}: digital {digital[0]:g} to {digital[1]:g}")
    return reasons
