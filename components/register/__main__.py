"""Register the models of the last ``dvc repro``: ``python -m components.register``."""

import sys

from components.errors import InputError
from components.stage import EXIT_BAD_INPUT
from components.tracking.registry import entries, register


def main() -> None:
    for name, entry in entries().items():
        version = register(name, entry)
        scores = [f"{key} {version.tags[f'{key}.mean']}" for key in entry.metrics]
        print(f"models:/{name}/{version.version}  ({version.tags['corpus']} data; {', '.join(scores)})")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        print(f"register: {error}", file=sys.stderr)
        raise SystemExit(EXIT_BAD_INPUT) from error
