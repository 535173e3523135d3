"""``params.yaml`` as a document that keeps its comments."""

from collections.abc import Iterator
from contextlib import contextmanager

from ruamel.yaml import YAML

from eegdiffusion.core.runtime.settings import PARAMS

NULL = "tag:yaml.org,2002:null"


@contextmanager
def edit() -> Iterator[dict]:
    """Yield the parsed file; it is written again unless the block raises."""
    round_trip = YAML()
    round_trip.preserve_quotes = True
    round_trip.width = 120
    round_trip.representer.add_representer(type(None), lambda dumper, _: dumper.represent_scalar(NULL, "null"))
    document = round_trip.load(PARAMS.read_text())
    yield document
    with PARAMS.open("w") as file:
        round_trip.dump(document, file)
