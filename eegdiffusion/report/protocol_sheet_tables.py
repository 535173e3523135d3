"""Tables of the protocol sheet: what scores owe to layer, electrodes, repetitions, inference and selection."""

from collections.abc import Mapping

import pandas

from eegdiffusion.core.statistics.retrieval import Score, bootstrap
from eegdiffusion.images.encoders.protocol_choices import INDUCTIVE, TRANSDUCTIVE, select
from eegdiffusion.report.encoder_tables import format_percent, format_score


def _paired(first: pandas.DataFrame, second: pandas.DataFrame) -> Score:
    """Bootstrap the difference of hits, first minus second, of the same subjects and images."""
    keys = ["subject", "image"]
    both = first.merge(second, on=keys, suffixes=("", "_reference"), validate="one_to_one")
    difference = both["hit"].astype(float) - both["hit_reference"].astype(float)
    return bootstrap(difference.to_numpy(), both["image"].to_numpy())


def _top1(rows: pandas.DataFrame) -> Score:
    return bootstrap(rows["hit"].to_numpy(float), rows["image"].to_numpy())


def inflation_table(sheet: pandas.DataFrame) -> pandas.DataFrame:
    """Make a row for the protocol that chooses nothing by the test images, and one for each departure from it.

    Args:
        sheet: what ``train_eeg_encoder`` wrote; see :func:`eegdiffusion.images.encoders.protocol_choices.select`.
    """
    most, everything = sheet["repetitions"].max(), sheet["electrodes"].max()
    plain: dict[str, object] = {"electrodes": everything, "repetitions": most, "inference": INDUCTIVE}
    reference = select(sheet, plain)
    layers = ", ".join(f"{name}: {layer}" for name, layer in reference.groupby("subject")["layer"].first().items())
    rows = [
        {
            "protocol": f"all {everything} electrodes, {most} repetitions averaged, inductive, layer and penalty "
            f"chosen on validation images ({layers})",
            "top-1, % (interval)": format_score(_top1(reference)),
            "more, points (interval)": "–",
        }
    ]

    def depart(name: str, protocol: Mapping[str, object], on_test: bool = False) -> None:
        other = select(sheet, protocol, on_test)
        rows.append(
            {
                "protocol": name,
                "top-1, % (interval)": format_score(_top1(other)),
                "more, points (interval)": format_score(_paired(other, reference)),
            }
        )

    for layer in sheet["layer"].unique():
        depart(f"layer {layer}, whatever the validation says", plain | {"layer": layer})
    for count in sorted(set(sheet["electrodes"]) - {everything}):
        depart(f"{count} parietal and occipital electrodes", plain | {"electrodes": count})
    for count in sorted(set(sheet["repetitions"]) - {most}):
        depart(f"{count} repetition{'s' if count > 1 else ''} averaged", plain | {"repetitions": count})
    depart("CSLS, which sees all test epochs at once (transductive)", plain | {"inference": TRANSDUCTIVE})
    depart("leaky: layer and penalty chosen on the test images", plain, on_test=True)
    leaky = {"repetitions": most, "inference": TRANSDUCTIVE}
    depart("leaky: layer, penalty and electrodes chosen on the test images, with CSLS", leaky, on_test=True)
    return pandas.DataFrame(rows)


def combination_table(sheet: pandas.DataFrame) -> pandas.DataFrame:
    """Make a row for each layer and number of electrodes: top-1 by repetitions, inductive, with CSLS, and leaky."""
    rows = []
    for (layer, count), part in sheet.groupby(["layer", "electrodes"], sort=False):
        row = {"layer": layer, "electrodes": count}
        for repetitions in sorted(part["repetitions"].unique()):
            chosen = {"repetitions": repetitions, "inference": INDUCTIVE}
            scores = [
                select(part, chosen),
                select(part, chosen | {"inference": TRANSDUCTIVE}),
                select(part, chosen, on_test=True),
            ]
            row[f"{repetitions} averaged"] = " / ".join(format_percent(rows["hit"].mean()) for rows in scores)
        rows.append(row)
    return pandas.DataFrame(rows)
