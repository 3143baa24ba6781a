"""The columns of a table of records that the statistics read, and what they mean."""

COLUMNS = {
    "label": "name of the model",
    "train_size": "number of training images",
    "seed": "seed of the run; runs that differ only in seeds are repetitions",
    "test_accuracy": "share of correctly classified test images, in [0, 1]; other accuracies are metrics too",
    "subset_seed": "which subset of the training images; optional where the seed determines it",
    "subset_sha256": "hash of the subset's indices; optional, equal subsets are then not checked",
    "data": "name of the data set; optional where there is only one",
}
RUN_KEYS = ["train_size", "seed", "subset_seed"]
REQUIRED = ("label", "train_size", "seed")
# Names of what was run. They follow from other settings and make no difference themselves.
NAMES = (
    *("data", "data.name", "label", "model.label", "model", "model.name"),
    *("model.init_from", "model.init_sha256"),  # a softened CNN starts from that of its own size and seed
)
SEEDS = ("seed", "subset_seed", "data.subset_seed")
ACCURACIES = ("test_accuracy", "val_accuracy", "train_accuracy")
COSTS = ("params", "macs", "steps", "train_seconds")
