import pytest
import torch
from small_models import small_config

from wordsight.models.clip4str import Clip4Str


@pytest.fixture
def model() -> Clip4Str:
    torch.manual_seed(0)
    return Clip4Str(small_config())


@pytest.fixture
def batch(model):
    """Three images and their words, one of them empty."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(3, 3, 16, 32, generator=generator)
    return images, torch.from_numpy(model.tokenizer.encode(["abcabc", "j", ""]))
