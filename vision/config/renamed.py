"""Settings under their old names, which are still understood."""

from vision.dynamic import JsonObject

# Old names of settings, with the present ones. The old ones are understood for one more version: on the
# command line, in YAML files, and in the configs and records of finished runs.
RENAMED = {
    "training.warmup": "training.warmup_fraction",
    "training.ema": "training.ema_decay",
    "training.evaluations": "training.num_evaluations",
    "data.workers": "data.num_workers",
    "data.memory_share": "data.max_memory_fraction",
    "data.augment.erasing": "data.augment.random_erasing",
    "model.start": "model.init_from",
    "out": "output_dir",
}
# timm's own arguments, which a model's kwargs may still have: `ModelConfig` takes them out of these.
MOVED = {"model.kwargs.checkpoint_path": "model.init_from", "model.kwargs.pretrained": "model.pretrained"}
# The distance of data=far_marker was given as data.dataset, in digits.
DISTANCE, OLD_DISTANCE = "data.options.distance", "data.dataset"


def current_names(settings: JsonObject) -> JsonObject:
    """Return settings of a finished run, by dotted name, under their present names.

    >>> current_names({"training.ema": 0.9, "data.source": "far_marker", "data.dataset": "6"})
    {'training.ema_decay': 0.9, 'data.source': 'far_marker', 'data.dataset': None, 'data.options.distance': 6}
    """
    present = RENAMED | MOVED
    current = {present.get(name, name): value for name, value in settings.items()}
    if MOVED.keys() & settings.keys() and not any(name.startswith("model.kwargs.") for name in current):
        current["model.kwargs"] = {}
    if current.get("data.source") == "far_marker" and current.get(OLD_DISTANCE) is not None:
        current |= {OLD_DISTANCE: None, DISTANCE: int(current[OLD_DISTANCE])}
    return current
