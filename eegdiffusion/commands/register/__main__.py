"""Register the models of the last ``dvc repro``: ``python -m eegdiffusion.commands.register``."""

from eegdiffusion.core.runtime import shell
from eegdiffusion.operations.registry.registration import register
from eegdiffusion.operations.registry.registry_config import trained


def main() -> None:
    for name, entry in trained().items():
        version = register(name, entry)
        scores = [f"{key} {version.tags[f'{key}.mean']}" for key in entry.metrics]
        print(f"models:/{name}/{version.version}  ({version.tags['corpus']} data; {', '.join(scores)})")


if __name__ == "__main__":
    shell.run("register", main)
