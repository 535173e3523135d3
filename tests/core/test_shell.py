"""What a command of ours prints, and does not print."""

import warnings

from eegdiffusion.core.runtime import shell


def test_advice_of_libraries_to_developers_is_hidden_and_nothing_else():
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        shell.hide_advice_to_developers()
        for category, module in (
            (UserWarning, "mlflow.pyfunc.utils.data_validation"),
            (FutureWarning, "lightning.pytorch.utilities._pytree"),
            (UserWarning, "lightning.pytorch.utilities._pytree"),
            (UserWarning, "mlflow.pyfunc.model"),
        ):
            warnings.warn_explicit(module, category, "file.py", 1, module=module)
    assert [(warning.category, str(warning.message)) for warning in shown] == [
        (UserWarning, "lightning.pytorch.utilities._pytree"),
        (UserWarning, "mlflow.pyfunc.model"),
    ]
