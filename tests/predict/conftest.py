import mlflow
import pytest

from eegdiffusion.core.observe.tracking import log_model
from eegdiffusion.events.serving import lft_pyfunc as serving
from tests.predict import tiny_model


@pytest.fixture(scope="session")
def registered(tmp_path_factory):
    """A registered tiny model, the champion, in a local store: (tracking URI, model URI)."""
    folder = tmp_path_factory.mktemp("model")
    uri = f"sqlite:///{folder}/mlflow.db"
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.create_experiment("finetune_lft", artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment("finetune_lft")
    with mlflow.start_run():
        info = log_model.log(serving, "lft", tiny_model.write(folder / "lft"), {})
    client = mlflow.MlflowClient()
    client.create_registered_model("lft")
    version = client.create_model_version("lft", info.model_uri, model_id=info.model_id)
    client.set_registered_model_alias("lft", "champion", version.version)
    mlflow.set_tracking_uri(before)
    return uri, "models:/lft@champion"
