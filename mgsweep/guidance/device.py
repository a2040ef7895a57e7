"""What a trial computes on."""

from __future__ import annotations

import platform

import torch
from torch import Tensor


def choose(threads: int) -> torch.device:
    """The GPU this process was given, else the CPU with so many threads."""
    torch.set_num_threads(threads)
    # PyTorch's own default is TF32, which a trial has to ask for.
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]  # its stub lacks it
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


RESIDENT = 0.25
"""Share of a GPU's free memory that the images of one split may take."""


def resident(images: Tensor, device: torch.device) -> Tensor:
    """The images of a split where batches are best taken from: on a GPU with room for them, else where they are.

    They are bytes: VOC 2007 at 224 pixels takes 1.5 GB. On a CPU they stay a memory map shared with other trials.
    """
    if device.type == "cuda" and images.nbytes <= RESIDENT * torch.cuda.mem_get_info(device)[0]:
        return images.to(device)
    return images


def describe(device: torch.device) -> str:
    """Name of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


def gpus() -> list[str]:
    """Names of the GPUs this process can see."""
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the GPU's or the machine's memory was too small."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError)
