"""The report's part on probes: their table, and what pretraining is worth, in a sentence."""

import pandas

from eegdiffusion.events.results.probes import ProbeResults
from eegdiffusion.report.classifier_tables import METRIC_NAMES, format_number


def _verdict(mean: float, low: float, high: float) -> str:
    difference = f"{mean:+z.3f} balanced accuracy (95 % interval {low:+z.3f} to {high:+z.3f})"
    if low > 0:
        return f"Pretraining is worth {difference}"
    if high < 0:
        return f"Pretraining costs {difference}"
    return f"Pretraining is worth nothing that shows here: {difference}"


def probe_sentence(results: ProbeResults) -> str:
    """Say how much pretraining is worth on all labels, over the same backbone untrained, and over band powers."""
    whole = results.worth[results.worth["fraction"] == 1].set_index("against")
    over = whole.loc["untrained backbone", ["mean", "low", "high"]]
    bands = whole.loc["band powers", ["mean", "low", "high"]]
    kind = results.table["probe"].iloc[0]
    above = "above" if bands["mean"] > 0 else "below"
    interval = f"{bands['low']:+z.3f} to {bands['high']:+z.3f}"
    return (
        f"{_verdict(*over)} over the same backbone untrained, by a {kind} probe of all labels. It is "
        f"{abs(bands['mean']):.3f} {above} band powers with LDA (difference {interval})."
    )


def probes_table(results: ProbeResults) -> pandas.DataFrame:
    """Return a row for each probe, with the interval of its balanced accuracy."""
    return pandas.DataFrame(
        [
            {
                "features": row["features"],
                "probe": row["probe"],
                "labels": f"{100 * row['fraction']:g} %",
                "derivations": row["channels"],
                **{name: format_number(row[metric]) for metric, name in METRIC_NAMES.items()},
                "95 % interval of balanced accuracy": f"{format_number(row['low'])} to {format_number(row['high'])}",
            }
            for row in results.table.to_dict("records")
        ]
    )
