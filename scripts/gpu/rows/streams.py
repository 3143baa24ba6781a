"""Several captured steps in one process, each on a stream of its own, over one captured step alone."""

from collections.abc import Iterator
from functools import partial

import torch

from gpu import capture
from gpu.timing import Row, in_turns, ratio, summary

COUNTS = (1, 2, 4, 8)
PARAMS, BATCH = 200_000, 64


def streams(device: torch.device, tiny: bool, *, model: str) -> Iterator[Row]:
    """Yield ms of one step of each of 1, 2, 4 and 8 models, and models' steps per second over one model's."""
    params, batch, rounds = (20_000, 8, 2) if tiny else (PARAMS, BATCH, 9)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    work = capture.make_work(model, device, batch=batch, dtype=dtype, params=params)
    replays = [capture.graphed_step(capture.copy_of(work)) for _ in range(max(COUNTS))]
    own = [torch.cuda.Stream() for _ in replays]

    def all_of(count: int) -> None:
        main = torch.cuda.current_stream()
        for replay, stream in zip(replays[:count], own, strict=False):
            stream.wait_stream(main)
            with torch.cuda.stream(stream):
                replay()
        for stream in own[:count]:
            main.wait_stream(stream)

    steps = {str(count): partial(all_of, count) for count in COUNTS}
    taken = in_turns(steps, device, rounds=rounds)
    case = {"model": model, "params": params, "batch": batch, "dtype": str(dtype)}
    for count in COUNTS:
        seconds = taken[str(count)]
        faster = ratio([count * one for one in taken["1"]], seconds)
        yield {**case, "models": count, **summary(seconds), **faster, "of": "steps/s over one model's"}
