"""Gate the challengers of the registry: ``python -m components.promote``."""

import sys

from components.errors import InputError
from components.stage import EXIT_BAD_INPUT
from components.tracking.gate import promote
from components.tracking.registry import entries


def main() -> None:
    for name, entry in entries().items():
        decision = promote(name, entry)
        print(f"{name}: {'promoted' if decision.promoted else 'kept'}: {decision.reason}")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        print(f"promote: {error}", file=sys.stderr)
        raise SystemExit(EXIT_BAD_INPUT) from error
