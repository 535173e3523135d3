"""Register the models of the last ``dvc repro``: ``python -m components.register``."""

from components.orchestration import shell
from components.tracking.entries import trained
from components.tracking.registry import register


def main() -> None:
    for name, entry in trained().items():
        version = register(name, entry)
        scores = [f"{key} {version.tags[f'{key}.mean']}" for key in entry.metrics]
        print(f"models:/{name}/{version.version}  ({version.tags['corpus']} data; {', '.join(scores)})")


if __name__ == "__main__":
    shell.run("register", main)
