"""A pytest plugin that lets timm's own tests of models see the models of this package only.

`-p timm_plugin` loads it before timm's tests/test_models.py, which lists models when it is imported. Models
on tokens count as NON_STD models, as timm's own vision transformers do.
"""

from typing import Any

import pytest
import timm

import vision  # noqa: F401  # adds our models to timm's registry
from vision.models import our_models

OURS = our_models()
TOKENS = [name for name in OURS if name.startswith("field_") or name in ("softened_cnn", "nearest_cnn")]
_NON_STD = "vit_*"  # one of timm's NON_STD filters, which are given together


def _list_models(
    filter: str | list[str] = "", *, exclude_filters: str | list[str] = "", pretrained: bool = False, **_: Any
) -> list[str]:
    """Return our models, those on tokens, or those that are not, by the filters of timm.list_models."""
    if pretrained:
        return []
    if filter:
        return TOKENS if _NON_STD in filter else []
    return [name for name in OURS if _NON_STD not in exclude_filters or name not in TOKENS]


def _list_pretrained(*_: Any, **__: Any) -> list[str]:
    return []


def pytest_configure(config: pytest.Config) -> None:
    """Replace timm's lists, in this process alone."""
    timm.list_models = _list_models
    timm.list_pretrained = _list_pretrained


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of single models of timm."""
    ours = [item for item in items if _model_of(item) in OURS]
    config.hook.pytest_deselected(items=[item for item in items if item not in ours])
    items[:] = ours


def _model_of(item: pytest.Item) -> str | None:
    callspec: Any = getattr(item, "callspec", None)
    return callspec.params.get("model_name") if callspec else None
