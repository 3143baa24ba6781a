# pyright: strict
"""Every public name of the package in use: tests run this script, and pyright checks it strictly."""

import torch
from torch import Tensor, nn

import vision
from vision import AugmentConfig, DataConfig, Field, Grid, ModelConfig, RunConfig, TrainingConfig

grid = Grid(4, 4)
images = torch.zeros(2, 3, 16, 16)
patches: Tensor = vision.patchify(images, 4)
images = vision.unpatchify(patches, grid, 4)
shuffled: Tensor = vision.shuffle_patches(images, 4, torch.Generator().manual_seed(0))
tokens: Tensor = vision.PatchEmbed(16, 4, 3, 8)(images)

fields: list[Field] = [
    vision.full(grid),
    vision.neighbourhood(grid, kernel_size=3),
    vision.convolution(grid, 3, padding=1),
    vision.truncated(grid, 3),
    vision.tiled(grid, 2, shift=1),
    vision.graph(torch.tensor([[0], [1]]), grid),
]
q = torch.zeros(2, 4, 16, 8)
attended: list[Tensor] = [vision.attend(q, q, q, field) for field in fields]
mixed: Tensor = vision.MultiHeadAttention(8, 4, field=fields[1])(tokens)


@vision.register_mixer("public_mean")
class Mean(nn.Module):
    """(B, N, C) -> (B, N, C): the mean of the tokens."""

    def __init__(
        self, dim: int, grid: Grid, *, device: torch.device | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens."""
        return x.mean(dim=1, keepdim=True).expand_as(x)


mixer: nn.Module = vision.create_mixer("public_mean", 8, grid)
model: nn.Module = vision.create_model("field_cnn", img_size=16, embed_dim=8, depth=1)
backbone = vision.Backbone(img_size=16, embed_dim=8, depth=1, mixer="public_mean")

cnn = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
attention: nn.Module = vision.as_attention(cnn, 16)
back: nn.Module = vision.as_convolution(attention)
soft: Tensor = vision.soft_convolution(nn.Conv2d(3, 4, 3, padding=1), alpha=10.0)(images)

config = RunConfig(
    data=DataConfig(source="digits", augment=AugmentConfig(flip=False)),
    model=ModelConfig(name="field_cnn", label="CNN", kwargs={"embed_dim": 8, "depth": 1}),
    training=TrainingConfig(steps=2, batch_size=8, num_evaluations=1),
    train_size=20,
)
record = vision.run(config)
accuracies = vision.collect("outputs/runs")["test_accuracy"]
trained: vision.TrainedModel = vision.load(record["folder"])
name: str = trained.predict(torch.zeros(1, 8, 8)).name
vision.save_converted(vision.as_attention(trained.model, (1, 8, 8)), "converted")
restored: nn.Module = vision.load_converted("converted", trained.model)
rooms = [
    *(vision.attention, vision.config, vision.convert, vision.data, vision.fields, vision.inspection),
    *(vision.mixers, vision.models, vision.patches, vision.plots, vision.positions, vision.report),
    *(vision.results, vision.reuse, vision.soften, vision.statistics),
]
