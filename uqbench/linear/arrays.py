"""Where row work is done: NumPy, or torch on a device; one code path, float64 throughout.

Rows, n × P, go to the device block by block; P × P matrices are made there and come back to the host.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from types import ModuleType

Device = Any
"""An array on the device: NumPy's own for "cpu", else a torch tensor."""


@dataclass(frozen=True)
class Arrays:
    """Arrays of one device. device: "cpu" for NumPy; "cuda", "cuda:1", "torch:cpu" for torch."""

    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.device == "cpu":
            return
        try:
            import torch
        except ImportError as error:
            raise UqbenchError(
                f"device {self.device} needs torch, which is not installed: pip install torch."
            ) from error
        if self._torch_device.startswith("cuda") and not torch.cuda.is_available():
            raise UqbenchError(
                f"device {self.device} was asked for, but torch finds no CUDA device; use cpu."
            )

    @property
    def _torch_device(self) -> str:
        return self.device.removeprefix("torch:")

    @property
    def xp(self) -> ModuleType:
        """The array-API namespace."""
        if self.device == "cpu":
            import array_api_compat.numpy as namespace
        else:
            import array_api_compat.torch as namespace
        return namespace

    def put(self, values: Array) -> Device:
        """A float64 array on the device; NumPy arrays are not copied for NumPy."""
        if self.device == "cpu":
            return np.asarray(values, dtype=np.float64)
        import torch

        return torch.as_tensor(np.ascontiguousarray(values, dtype=np.float64), device=self._torch_device)

    def get(self, values: Device) -> Array:
        """A NumPy array from one on the device."""
        return values if isinstance(values, np.ndarray) else values.cpu().numpy()

    def zeros(self, *shape: int) -> Device:
        """Zeros of a shape."""
        return self.put(np.zeros(shape))

    def take(self, rows: Device, index: NDArray[np.int64]) -> Device:
        """rows[index] for an index array of any shape on the host."""
        if self.device == "cpu":
            return rows[index]
        import torch

        return rows[torch.as_tensor(index, device=self._torch_device)]

    def add_at(self, total: Device, index: NDArray[np.int64], rows: Device) -> None:
        """total[index] += rows in place, for an index array on the host that may name a row of total many times."""
        if self.device != "cpu":
            import torch

            total.index_add_(0, torch.as_tensor(index, device=self._torch_device), rows)
            return
        if not len(index):
            return
        order = np.argsort(index, kind="stable")
        starts = np.flatnonzero(np.diff(index[order], prepend=-1))
        total[index[order[starts]]] += np.add.reduceat(rows[order], starts, axis=0)

    def squared_norms(self, rows: Device) -> Array:
        """(n,) squared norms of rows (n, r), on the host."""
        return self.get(self.xp.vecdot(rows, rows))

    def synchronise(self) -> None:
        """Wait until the device has done all it was given, before a clock is read."""
        if self._torch_device.startswith("cuda"):
            import torch

            torch.cuda.synchronize(self._torch_device)

    def peak_bytes(self) -> int | None:
        """Most memory taken on the device so far; None for the CPU."""
        if not self._torch_device.startswith("cuda"):
            return None
        import torch

        return int(torch.cuda.max_memory_allocated(self._torch_device))
