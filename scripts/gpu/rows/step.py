"""A micro model's training step, captured or compiled, over the eager step in turns with it."""

import statistics
from collections.abc import Iterator

import torch

from gpu import capture
from gpu.timing import Row, in_turns, ratio, summary, synchronize

PARAMS, BATCH = 200_000, 64
AGREEMENT_STEPS = 10


def step(device: torch.device, tiny: bool, *, model: str, way: str) -> Iterator[Row]:
    """Yield ms per step of both ways, how many times faster the second is, and how well the weights agree."""
    params, batch, rounds = (20_000, 8, 3) if tiny else (PARAMS, BATCH, 25)
    work = capture.make_work(
        model, device, batch=batch, precision="auto", memory_format="auto", params=params
    )
    case = {"model": model, "params": params, "batch": batch}
    begin = {**case, "way": "eager"}
    eager = capture.eager(capture.copy_of(work))
    try:
        other = capture.WAYS[way](capture.copy_of(work))
        difference = _difference(work, way)
    except Exception as error:  # recorded; the eager figure is measured all the same
        yield {**case, "way": way, "error": f"{type(error).__name__}: {error}"[:500]}
        synchronize(device)
        yield {**begin, **summary(in_turns({"eager": eager}, device, rounds=rounds)["eager"])}
        return
    taken = in_turns({"eager": eager, way: other}, device, rounds=rounds)
    yield {**begin, **summary(taken["eager"])}
    faster = ratio(taken["eager"], taken[way])
    yield {**case, "way": way, **summary(taken[way]), **faster, "of": "eager over this", **difference}


def _difference(work: capture.Work, way: str) -> Row:
    """Train copies a few steps: how far the weights of both ways, and of the eager one twice, are apart."""
    copies = {name: capture.copy_of(work) for name in ("eager", "again", way)}
    losses = {}
    for name, own in copies.items():
        run = capture.WAYS["eager" if name == "again" else name](own)
        losses[name] = statistics.fmean(float(run()) for _ in range(AGREEMENT_STEPS))
    models = {name: own.model for name, own in copies.items()}
    return {
        "weights_differ": capture.relative_difference(models[way], models["eager"]),
        "eager_differs": capture.relative_difference(models["again"], models["eager"]),
        "loss_differs": losses[way] - losses["eager"],
    }
