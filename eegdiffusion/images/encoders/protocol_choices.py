"""The choices of a protocol sheet, and the rows of the sheet that a protocol takes."""

from collections.abc import Mapping

import numpy as np
import pandas

FILE = "protocol_sheet.parquet"

INDUCTIVE, TRANSDUCTIVE = "inductive", "transductive (CSLS)"

COMBINATION = ["electrodes", "layer", "repetitions", "inference"]
"""Columns that say which protocol a row of the sheet is of."""


def select(sheet: pandas.DataFrame, protocol: Mapping[str, object], on_test: bool = False) -> pandas.DataFrame:
    """Take the rows of a protocol; what it leaves open is chosen for each subject, by validation or by the test itself.

    Args:
        sheet: rows of :func:`sheet_of_subject`, of any subjects.
        protocol: values of some of ``COMBINATION``.
        on_test: whether the test images choose, which leaks: the score is then the best of as many.

    Returns:
        rows ``subject``, ``image``, ``hit`` and all other columns, one for each subject and image.
    """
    for column, value in protocol.items():
        sheet = sheet[sheet[column] == value]
    chosen = []
    for _, rows in sheet.groupby("subject"):
        groups = rows.groupby([*COMBINATION, "alpha"], sort=True)
        score = groups["hit"].mean() if on_test else -groups["validation_rank"].first()
        key = dict(zip([*COMBINATION, "alpha"], score.idxmax(), strict=True))
        chosen.append(rows[np.logical_and.reduce([rows[column] == value for column, value in key.items()])])
    return pandas.concat(chosen, ignore_index=True)
