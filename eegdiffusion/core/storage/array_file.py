"""A user's ``.npy`` file: numbers, as many as its header promises, and nothing that is executed."""

from pathlib import Path

import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.pickles.pickled_values import checked_shape


def load_array(path: Path, rule: str) -> np.ndarray:
    """Read the array of a ``.npy`` file, once its header is known to promise what follows.

    Args:
        path: the file.
        rule: what the file must be, for the error.

    Raises:
        InputError: there is no such file, it is no array of numbers, or has another size than its header promises.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            if dtype.hasobject or dtype.names or not dtype.itemsize:
                raise ValueError(f"holds {str(dtype)[:60]}")
            promised = checked_shape(shape) * dtype.itemsize
            if promised != (left := path.stat().st_size - file.tell()):
                raise ValueError(f"promises {promised} bytes of {shape} and holds {left}")
        return np.load(path, allow_pickle=False)
    except Exception as error:  # NumPy raises nearly anything on a crafted header
        raise InputError(f"{path}: {rule} ({' '.join(str(error).split())[:300]})") from error
