"""When memory runs out in a step: how it is recognized, and the message about it.

>>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
True
"""

import torch


class OutOfMemory(RuntimeError):
    """A step needs more memory than there is."""

    def __init__(self, images: int, parts: int, reason: str) -> None:
        super().__init__(
            f"memory ran out in a step of {images} images in {parts} parts; a smaller training.batch_size or "
            f"training.out_of_memory=halve, may help ({reason})"
        )
        self._arguments = images, parts, reason

    def __reduce__(self) -> tuple[type["OutOfMemory"], tuple[int, int, str]]:
        return type(self), self._arguments


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out, on a CPU or a GPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    message = str(error)
    return isinstance(error, RuntimeError) and ("can't allocate memory" in message or "bad_alloc" in message)


def free_cached(device: torch.device) -> None:
    """Give memory that torch keeps for later back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
