"""Several processes that train together: who this one is, and how they meet. With one process everything is a no-op."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process is number `rank` of `count`."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This process's share of a list, every `count`-th item."""
        return items[self.rank :: self.count]

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            distributed.barrier()

    def from_first(self, value: T) -> T:
        """The value that the first process has, on all of them; it must survive pickling."""
        if self.count == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]

    def mean(self, values: Sequence[float]) -> list[float]:
        """The mean over all processes of a list of floats; those that have NaN at a place do not count there."""
        if self.count == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        gathered = [total] * self.count
        distributed.all_gather_object(gathered, total)
        return torch.stack(gathered).nanmean(dim=0).tolist()


def join_ranks(environment: Mapping[str, str], use_gpu: bool) -> Ranks:
    """Join the other processes that torchrun started; alone where the script was started by itself.

    Processes talk through nccl on GPUs, one GPU each, and through gloo on CPUs.

    Args:
        environment: the process's variables, in which torchrun says who is who.
    """
    count = int(environment.get("WORLD_SIZE", "1"))
    if count == 1:
        return Ranks()
    if use_gpu:
        torch.cuda.set_device(int(environment.get("LOCAL_RANK", "0")))
    if not distributed.is_initialized():
        distributed.init_process_group("cpu:gloo,cuda:nccl" if use_gpu else "gloo")
    return Ranks(distributed.get_rank(), count)


def leave_ranks() -> None:
    """Say goodbye to the other processes, if there are any."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
