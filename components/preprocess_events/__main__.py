"""Preprocess a corpus of EEG events into a window store: ``python -m components.preprocess_events --corpus tuev``."""

from components.preprocess_events.settings import PreprocessEvents
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.stage import Stage, stage


@stage("preprocess_events")
def main(run: Stage) -> None:
    """Preprocess every recording and print what the store holds."""
    settings = run.settings(PreprocessEvents)
    with loading_modules():
        from components.preprocess_events.compute import compute
    root, index, out = run.input("corpus"), run.input("index"), run.output("store")
    store = compute(root, index, settings, out, run.shared_work)
    megabytes = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6
    say(f"{store.recordings} recordings, {store.hours:.2f} h, {store.windows} event windows, {megabytes:.1f} MB")


if __name__ == "__main__":
    main()
