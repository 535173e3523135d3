"""Training on several devices of one machine, without a port that other accounts or machines could reach."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy

RENDEZVOUS = "EEG_DDP_RENDEZVOUS"
"""Environment variable by which the processes of a training know the folder in which they meet."""

LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
"""Variables of Gloo and NCCL: data between processes go over the loopback interface."""


class LocalDDPStrategy(DDPStrategy):
    """Distributed data parallelism whose processes meet in a file of this user's.

    PyTorch's own store listens at every address of the machine, without a login. Where processes are started by
    another launcher (Slurm, torchrun), they meet as it says.
    """

    def __init__(self, **options: Any):
        super().__init__(**options)
        os.environ.update({name: value for name, value in LOOPBACK.items() if name not in os.environ})
        if RENDEZVOUS not in os.environ:
            folder = tempfile.mkdtemp(prefix="eeg-ddp-")
            os.environ[RENDEZVOUS] = folder
            atexit.register(_leave, folder, os.getpid())

    def setup_distributed(self) -> None:
        """Meet the other processes; Lightning takes the group that there is."""
        distributed = torch.distributed
        if isinstance(self.cluster_environment, LightningEnvironment) and not distributed.is_initialized():
            self.set_world_ranks()
            store = distributed.FileStore(str(Path(os.environ[RENDEZVOUS], "store")), self.world_size)
            distributed.init_process_group(
                self._get_process_group_backend(),
                store=store,
                rank=self.global_rank,
                world_size=self.world_size,
                timeout=self._timeout,
                device_id=self.root_device if self.root_device.type != "cpu" else None,
            )
            atexit.register(_end_group)
        super().setup_distributed()


def _leave(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _end_group() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
