"""The unit of stored EEG: 100 uV, in which scalp EEG lies near -1 to 1."""

UNIT_UV = 100.0
"""Microvolts in a unit of stored EEG."""

UNIT = f"{UNIT_UV:g} uV"
"""Name of the unit, as files and models state it."""

UNIT_V = UNIT_UV / 1e6
"""Volts in a unit of stored EEG."""

UNITS_PER_VOLT = 1e6 / UNIT_UV
"""Factor from volts to units of stored EEG."""
