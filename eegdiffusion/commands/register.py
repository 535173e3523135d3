"""Register the models of the last ``dvc repro``: ``python -m eegdiffusion.commands.register``."""

from eegdiffusion.core.runtime import shell
from eegdiffusion.operations.registry.registration import register_model
from eegdiffusion.operations.registry.registry_config import trained_models


def main() -> None:
    for name, entry in trained_models().items():
        version = register_model(name, entry)
        scores = [f"{key} {version.tags[f'{key}.mean']}" for key in entry.metrics]
        print(f"models:/{name}/{version.version}  ({version.tags['corpus']} data; {', '.join(scores)})")


if __name__ == "__main__":
    shell.run("register", main)
