"""The alias ``champion``: moved to challengers that pass the gate, moved back, or taken away.

The versions' tags are its history: ``champion.since``, ``champion.until``, and ``champion.replaced``, the version that
was champion before. A version's tag ``gate`` says what the gate found, ``gate.decision`` what came of it.
"""

from datetime import UTC, datetime
from typing import Literal

import mlflow
from mlflow.entities.model_registry import ModelVersion

from eegdiffusion.core.observe.tracking import server
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.results.champion_predictions import read_champion, write_champion
from eegdiffusion.operations.lineage import lineage_transport
from eegdiffusion.operations.lineage.open_lineage import registry_events
from eegdiffusion.operations.registry.champion_record import fetch_predictions
from eegdiffusion.operations.registry.gate import ROLLED_BACK, Decision, decide_promotion
from eegdiffusion.operations.registry.registry_config import CHALLENGER, CHAMPION, RegisteredModelConfig
from eegdiffusion.operations.registry.verified_version import record_unsigned_use, require_verified

REPLACED = "champion.replaced"
PROPOSED = "proposed"


class RegisteredModel:
    """A registered model of the server in use, which need not exist yet.

    Args:
        name: name of the model.

    Raises:
        InputError: the server cannot be reached as the variables have it.
        UnavailableError: the server is away for too long.
    """

    def __init__(self, name: str):
        server.connect()
        self.name, self._client = name, mlflow.MlflowClient()

    def version_with_alias(self, alias: str) -> ModelVersion | None:
        """Return the version that has an alias, or None."""
        try:
            aliases = self._client.get_registered_model(self.name).aliases
        except mlflow.MlflowException as error:
            # A server that does not answer must not look like a model without a champion.
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return self._client.get_model_version(self.name, aliases[alias]) if alias in aliases else None

    def set_tags(self, version: ModelVersion, tags: dict[str, str]) -> None:
        """Set tags of a version."""
        for key, value in tags.items():
            self._client.set_model_version_tag(self.name, version.version, key, value)

    def make_champion(self, version: ModelVersion, former: ModelVersion | None) -> None:
        """Move the alias from the former champion to a version, and write down when."""
        now = _now()
        self._client.set_registered_model_alias(self.name, CHAMPION, version.version)
        self.set_tags(version, {"champion.since": now})
        if "champion.until" in version.tags:
            self._client.delete_model_version_tag(self.name, version.version, "champion.until")
        if former:
            self.set_tags(former, {"champion.until": now})
        self._emit("promote" if former is None or int(former.version) < int(version.version) else "rollback", version)

    def _emit(self, action: str, version: ModelVersion) -> None:
        """Say in OpenLineage's terms which version has become champion, or is one no more."""
        number, namespace = str(version.version), lineage_transport.namespace()
        inputs = [f"{self.name}/{number}"]
        lineage_transport.emit(registry_events(action, self.name, number, inputs, namespace, datetime.now(UTC)))

    def challenge(
        self, config: RegisteredModelConfig, mode: Literal["promote", "propose", "approved"], unsigned: bool = False
    ) -> Decision:
        """Put the challenger through the gate; the alias moves to it if it passes.

        Files and tags of challenger and champion are verified first, as the gate decides by the tags.

        Args:
            config: settings of the model, in ``mlflow/registry.yaml``.
            mode: ``propose`` gives what passes the alias ``proposed`` only; ``approved`` looks at what bears that
                alias, whatever has become challenger since.
            unsigned: believe the tags without verifying them, which is written down.
        """
        alias = PROPOSED if mode == "approved" else CHALLENGER
        challenger, champion = self.version_with_alias(alias), self.version_with_alias(CHAMPION)
        if self.version_with_alias(PROPOSED):  # a proposal is good for one answer
            self._client.delete_registered_model_alias(self.name, PROPOSED)
        if challenger is None:
            return Decision(False, "there is no challenger" if alias == CHALLENGER else "nothing was proposed")
        if champion and champion.version == challenger.version:
            return Decision(False, f"version {champion.version} is the champion already")
        decision = self._refusal(challenger, champion, mode, unsigned) or decide_promotion(
            config.gate, challenger.tags, champion.tags if champion else None
        )
        passed = PROPOSED if mode == "propose" else "promoted"
        self.set_tags(challenger, {"gate": decision.reason, "gate.decision": passed if decision.passed else "refused"})
        if decision.passed and mode == "propose":
            self._client.set_registered_model_alias(self.name, PROPOSED, challenger.version)
        elif decision.passed:
            # Before the alias moves: rolling back must know the way whatever happens in between.
            if champion:
                self.set_tags(challenger, {REPLACED: str(champion.version)})
            self.make_champion(challenger, champion)
        return decision

    def _refusal(
        self, challenger: ModelVersion, champion: ModelVersion | None, mode: str, unsigned: bool
    ) -> Decision | None:
        """Decide against a challenger that does not verify, or a champion of which that is true; None where both do."""
        for who, version in (("challenger", challenger), ("champion", champion)):
            if version is None:
                continue
            if unsigned:
                uri = f"models:/{self.name}/{version.version}"
                record_unsigned_use(uri, version, f"{who} of `eeg promote`, {mode}")
                continue
            try:
                require_verified(version)
            except InputError as error:
                way = "; --retire takes it away" if who == "champion" else ""
                return Decision(False, f"the {who}, version {version.version}, does not verify: {error}{way}")
        return None

    def keep_predictions(self, unsigned: bool = False) -> bool:
        """Keep the champion's test predictions beside the models for the report, see :mod:`.champion_predictions`.

        Args:
            unsigned: keep them without verifying them; else those of a champion that does not verify are not kept.

        Returns:
            whether the report can have something else to compare with: another champion than before is kept, or none
            any more; and it is not the challenger, whose results are the report's own.
        """
        before, champion = read_champion(self.name), self.version_with_alias(CHAMPION)
        kept, challenger = champion and fetch_predictions(champion, unsigned), self.version_with_alias(CHALLENGER)
        write_champion(self.name, kept)
        own = champion is not None and challenger is not None and champion.version == challenger.version
        return (before and before.version) != (kept and kept.version) and not own

    def _champion(self) -> ModelVersion:
        champion = self.version_with_alias(CHAMPION)
        if champion is None:
            raise InputError(f"{self.name}: there is no champion")
        return champion

    def roll_back(self, unsigned: bool = False) -> tuple[ModelVersion, ModelVersion]:
        """Give the alias back to the version that the champion replaced; the gate will not admit the latter again.

        Args:
            unsigned: do not verify the version that is champion again, which is written down.

        Returns:
            the version that was rolled back, and the one that is champion again.

        Raises:
            InputError: there is no champion, or it replaced none, or the former one is gone or does not verify.
        """
        champion = self._champion()
        if REPLACED not in champion.tags:
            raise InputError(f"{self.name}: version {champion.version} replaced no champion; --retire takes it away")
        try:
            former = self._client.get_model_version(self.name, champion.tags[REPLACED])
        except mlflow.MlflowException as error:
            raise InputError(f"{self.name}: version {champion.tags[REPLACED]}, the former champion: {error}") from error
        if refused := self._refusal(former, None, "rollback", unsigned):
            raise InputError(f"{self.name}: {refused.reason.replace('challenger', 'former champion', 1)}")
        now = _now()
        self.set_tags(champion, {ROLLED_BACK: f"{now} to version {former.version}"})
        self.set_tags(former, {"restored": f"{now} from version {champion.version}"})
        self.make_champion(former, champion)
        return champion, former

    def retire(self) -> ModelVersion:
        """Take the alias away, so that the next challenger has to reach the floor only; return the former champion.

        Raises:
            InputError: there is no champion.
        """
        champion = self._champion()
        self._client.delete_registered_model_alias(self.name, CHAMPION)
        self.set_tags(champion, {"champion.until": _now(), "retired": _now()})
        self._emit("retire", champion)
        return champion


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
