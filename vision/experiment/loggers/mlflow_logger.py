"""MLflow: into a database below output_dir, or to MLFLOW_TRACKING_URI."""

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from vision.experiment.loggers.logger import RunName


class MLflow:
    """Makes an MLflow run in the experiment of the sweep's name."""

    def __init__(self, name: RunName) -> None:
        client = cast(Any, import_module("mlflow.tracking")).MlflowClient
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        if not uri:
            name.folder.mkdir(parents=True, exist_ok=True)
            uri = f"sqlite:///{name.folder / 'mlflow.db'}"
        self._client = client(uri)
        known = self._client.get_experiment_by_name(name.sweep)
        experiment = known.experiment_id if known else self._client.create_experiment(name.sweep)
        self._run: str = self._client.create_run(experiment, run_name=name.run).info.run_id
        for key, value in name.settings.items():
            self._client.log_param(self._run, key, value)

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Send the figures of a step."""
        for key, value in figures.items():
            self._client.log_metric(self._run, key, value, step=step)

    def finish(self) -> None:
        """End the MLflow run."""
        self._client.set_terminated(self._run)
