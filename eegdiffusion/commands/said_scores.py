"""Scores of a classifier on windows, as commands print them."""

from typing import TYPE_CHECKING

from eegdiffusion.core.runtime.printable import say

if TYPE_CHECKING:
    from eegdiffusion.events.prediction.score_windows import ScoredWindows
    from eegdiffusion.events.store.window_store import Store


def say_scores(scored: "ScoredWindows", title: str, split: str, store: "Store") -> None:
    """Print scores over all classes, scores of each class, and what must be said with the corpus's numbers.

    Args:
        scored: the scores.
        title: the model and what it was trained on.
        split: name of the split.
        store: the windows.
    """
    if scored.left_out:
        say(f"{scored.left_out} windows of classes that are none of the task's are left out")
    table = scored.table()
    of_all, of_classes = table[table["class"] == ""], table[table["class"] != ""]
    say(f"{title}, on {split} windows of {store.corpus} data ({store.path})")
    say(*(f"{row.metric:<20}{row.value:>10.4g}" for row in of_all.itertuples()))
    by_class = of_classes.pivot(index="class", columns="metric", values="value").loc[scored.classes]
    shown = by_class[["precision", "recall", "f1", "support"]]
    say(*shown.to_string(float_format=lambda value: f"{value:.4g}").split("\n"))
    for warning in store.warnings:
        say(f"WARNING: {warning}")
