"""What a training takes: the steps of :func:`.core.training.fit.fit` with their validations and checkpoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.operations.planning.counted_operations import Operations, moved, weight_bytes
from eegdiffusion.operations.planning.stage_cost import Phase, StageCost

STEP_S = 0.006
"""Seconds of the reference machine that Lightning, the loader and the logger take for a step."""

ROUND_S = 0.15
"""Seconds of the reference machine that a round takes beside its steps: checkpoint, metrics, callbacks."""

TRACKED_S = 7.0
"""Seconds of the reference machine for a run in MLflow: to open its store, log figures and files, and log a model."""

TRACKED_BYTES = 260_000_000
"""Memory of MLflow, Matplotlib and Lightning at work, beside what a stage loads to begin with."""

WRITE_BYTES_S = 400_000_000
"""Bytes a second that are written, synchronised and hashed."""


@dataclass(frozen=True)
class CountedTraining:
    """A training of one network.

    Attributes:
        step: operations of a step of a global batch.
        validation: operations of a batch of validation.
        weights, trained: bytes of all weights of the network, and of those that are trained.
        frozen: bytes of networks beside it that stay as they are.
    """

    step: Operations
    validation: Operations
    weights: int
    trained: int
    frozen: int = 0

    @classmethod
    def of(
        cls, network: nn.Module, step: Operations, validation: Operations, frozen: Sequence[nn.Module] = ()
    ) -> "CountedTraining":
        """Take the bytes from the networks themselves."""
        return cls(step, validation, weight_bytes(network), weight_bytes(network, trained=True), weight_bytes(*frozen))

    @property
    def state_bytes(self) -> int:
        """Weights and their average, gradients (in the peak of a step), AdamW's two averages, frozen networks."""
        return 2 * self.weights + 2 * self.trained + self.frozen

    @property
    def checkpoint_bytes(self) -> int:
        """Weights and averages that a checkpoint holds; the last and the best are kept."""
        return 2 * 4 * self.trained


def training_cost(
    counted: CountedTraining, optimisation: Optimisation, samples: int, validated: int, sample_s: float
) -> StageCost:
    """Return what a training takes, at most.

    Args:
        counted: operations of a step.
        optimisation: batch, epochs, validations.
        samples: number of training samples.
        validated: number of samples of a validation.
        sample_s: seconds of the reference machine to read and prepare a sample.
    """
    batch, rounds = optimisation.batch_size, optimisation.validations_per_epoch
    steps = max(1, samples // batch // rounds) * rounds * optimisation.max_epochs
    batches = -(-validated // batch) * rounds * optimisation.max_epochs
    checkpoint = ROUND_S + counted.checkpoint_bytes / WRITE_BYTES_S
    return StageCost(
        phases=[
            Phase("step", steps, counted.step, STEP_S + batch * sample_s, stops_early=True),
            Phase("batch of validation", batches, counted.validation, 0.002 + batch * sample_s, stops_early=True),
            Phase("checkpoint", rounds * optimisation.max_epochs, reference_s=checkpoint, stops_early=True),
        ],
        steps=steps,
        state_bytes=counted.state_bytes,
        activation_bytes=counted.step.peak_bytes,
        work_bytes=counted.checkpoint_bytes,
    )


def together(*costs: StageCost, **more) -> StageCost:
    """Return what parts of a stage take one after another: times and files add up, of memory the most counts.

    Args:
        *costs: the parts.
        **more: fields of the result that are stated in their place.
    """
    values: dict[str, Any] = {
        "phases": [phase for cost in costs for phase in cost.phases],
        "steps": sum(cost.steps for cost in costs),
        "state_bytes": max((cost.state_bytes for cost in costs), default=0),
        "activation_bytes": max((cost.activation_bytes for cost in costs), default=0),
        "host_bytes": max((cost.host_bytes for cost in costs), default=0),
        "output_bytes": sum(cost.output_bytes for cost in costs),
        "work_bytes": sum(cost.work_bytes for cost in costs),
        "notes": [note for cost in costs for note in cost.notes],
    }
    return StageCost(**values | more)


def tracked() -> StageCost:
    """Return what a run in MLflow takes beside the work itself."""
    return StageCost(phases=[Phase("MLflow", 1, reference_s=TRACKED_S)], host_bytes=TRACKED_BYTES, output_bytes=300_000)


def inference(
    what: str, samples: float, batch: int, operations: Operations, weights: int, sample_s: float
) -> StageCost:
    """Return what a network takes for some samples, batch by batch, without gradients.

    Args:
        what: what is done.
        samples: number of samples.
        batch: samples at a time.
        operations: of a full batch.
        weights: bytes of the network.
        sample_s: seconds of the reference machine to read and prepare a sample.
    """
    phase = Phase(what, samples / batch, operations, batch * sample_s)
    return StageCost(phases=[phase], state_bytes=weights, activation_bytes=operations.peak_bytes)


def copied(size: int) -> StageCost:
    """Return what files of so many bytes take that are written once."""
    return StageCost(
        phases=[Phase("writing", 1, moved(2 * size), size / WRITE_BYTES_S, on_gpu=False)], output_bytes=size
    )
