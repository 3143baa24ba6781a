"""Images for the tests of soft convolutions."""

import pytest
from soft_cases import example_images
from torch import Tensor


@pytest.fixture
def images() -> Tensor:
    return example_images()
