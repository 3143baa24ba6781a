"""Several captured steps in one process, each on a stream of its own, over one captured step alone."""

from collections.abc import Iterator
from functools import partial

import torch

from gpu import capture
from gpu.timing import Row, in_turns, ratio, summary
from vision.training.cuda_graph import EAGER_STEPS

COUNTS = (1, 2, 4, 8)
PARAMS, BATCH = 200_000, 64


def streams(device: torch.device, tiny: bool, *, model: str) -> Iterator[Row]:
    """Yield ms of one step of each of 1, 2, 4 and 8 models, and models' steps per second over one model's."""
    params, batch, rounds = (20_000, 8, 2) if tiny else (PARAMS, BATCH, 9)
    work = capture.make_work(
        model, device, batch=batch, precision="auto", memory_format="auto", params=params
    )
    steps = [capture.graphed_step(capture.copy_of(work)) for _ in range(max(COUNTS))]
    for step in steps:
        for _ in range(EAGER_STEPS + 1):
            step()
    own = [torch.cuda.Stream() for _ in steps]

    def all_of(count: int) -> None:
        main = torch.cuda.current_stream()
        for step, stream in zip(steps[:count], own, strict=False):
            stream.wait_stream(main)
            with torch.cuda.stream(stream):
                step()
        for stream in own[:count]:
            main.wait_stream(stream)

    ways = {str(count): partial(all_of, count) for count in COUNTS}
    taken = in_turns(ways, device, rounds=rounds)
    case = {"model": model, "params": params, "batch": batch}
    for count in COUNTS:
        seconds = taken[str(count)]
        faster = ratio([count * one for one in taken["1"]], seconds)
        yield {**case, "models": count, **summary(seconds), **faster, "of": "steps/s over one model's"}
