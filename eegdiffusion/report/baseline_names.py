"""What tables call the baselines."""

BASELINES = {"sparcnet": "SPaRCNet", "contrawr": "ContraWR", "band_power": "band-power regression"}
"""Entry of ``matrix.baselines`` or of a task's ``baselines``, and the model's name in tables."""
