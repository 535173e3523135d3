"""What a command of ours prints, and does not print."""

import errno
import os
import subprocess
import sys
import warnings

import pytest

from eegdiffusion.core.runtime import shell


def test_advice_of_libraries_to_developers_is_hidden_and_nothing_else(monkeypatch):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with warnings.catch_warnings(record=True) as shown:
        shell.hide_advice_to_developers()
        shell.hide_advice_to_developers()
        warnings.simplefilter("always")  # as MLflow does while it logs a model
        others = [
            (UserWarning, "lightning/pytorch/utilities/_pytree.py", "of another kind"),
            (UserWarning, "mlflow/pyfunc/model.py", "Add type hints to the `predict` method"),
            (UserWarning, "mlflow/pyfunc/utils/data_validation.py", "of other words"),
            (SyntaxWarning, "eegdiffusion/core.py", "invalid escape sequence"),
        ]
        for category, source, words in (*shell.ADVICE, *others):
            warnings.warn_explicit(f"\033[33m{words}", category, f"/lib/{source}", 1)
    words = [(w.category, w.filename.removeprefix("/lib/"), str(w.message).removeprefix(r"\x1b[33m")) for w in shown]
    assert words == others


def test_what_mlflow_tells_while_it_works_is_hidden_unless_it_is_asked_for(monkeypatch):
    monkeypatch.delenv("MLFLOW_LOGGING_LEVEL", raising=False)
    shell.hide_advice_to_developers()
    assert os.environ["MLFLOW_LOGGING_LEVEL"] == "WARNING"
    monkeypatch.setenv("MLFLOW_LOGGING_LEVEL", "DEBUG")
    shell.hide_advice_to_developers()
    assert os.environ["MLFLOW_LOGGING_LEVEL"] == "DEBUG"


def test_a_full_disk_is_said_in_a_line(capsys):
    with pytest.raises(SystemExit) as ended, shell.errors_as_exit_status("disk"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "models/weights")
    assert ended.value.code == 75
    said = "disk: [Errno 28] No space left on device: 'models/weights'; free some disk, then the same command again\n"
    assert capsys.readouterr().err == said
    with pytest.raises(FileNotFoundError), shell.errors_as_exit_status("disk"):
        raise FileNotFoundError(errno.ENOENT, "a fault of the program's", "models/weights")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_folder_that_is_not_this_users_is_said_in_a_line(capsys, number):
    with pytest.raises(SystemExit) as ended, shell.errors_as_exit_status("key create"):
        raise OSError(number, os.strerror(number), "/home/other/.config")
    assert ended.value.code == 65
    assert capsys.readouterr().err == (
        f"key create: /home/other/.config: {os.strerror(number)}; it is not yours, or read-only\n"
    )


@pytest.mark.parametrize(("output", "status"), [("/dev/full", 75), (None, 0)])
def test_where_nothing_can_be_printed_there_is_no_traceback(tmp_path, output, status):
    code = "from eegdiffusion.core.runtime.printable import say; from eegdiffusion.core.runtime import shell\n"
    code += "shell.run('x', lambda: say('words'))"
    words = f'"$0" -c "$1" >{output or "&-"}'
    process = subprocess.run(
        ["sh", "-c", words, sys.executable, code], env=os.environ, stderr=subprocess.PIPE, text=True
    )
    assert process.returncode == status, process.stderr
    assert "Traceback" not in process.stderr
