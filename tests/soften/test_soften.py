"""A converted CNN whose kernels become soft convolutions."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from soft_cases import distance, radius
from torch import Tensor, nn

from vision.soften import SoftConvolution
from vision.soften.error_bound import error_bound
from vision.soften.soften import soften, softened_layers


class StandIn(nn.Module):
    """A stand-in for a converted layer: it returns the convolution that it replaces."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images)

    def to_conv(self) -> nn.Module:
        return self.layer


def small_cnn(chans: int = 1) -> nn.Sequential:
    torch.manual_seed(0)
    uneven = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(8, 8, 2))
    head = (nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 10))
    body = {
        "first": StandIn(nn.Conv2d(chans, 8, 3, padding=1)),
        "act1": nn.ReLU(),
        "uneven": StandIn(uneven),
        "point": StandIn(nn.Conv2d(8, 8, 1)),
        "wrapped": StandIn(nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular")),
        "block": nn.Sequential(StandIn(nn.Conv2d(8, 8, 3, stride=2, padding=1)), nn.ReLU()),
        "head": nn.Sequential(*head),
    }
    model = nn.Sequential()
    for name, layer in body.items():
        model.add_module(name, layer)
    return model


def test_soften_replaces_the_kernels_and_nothing_else():
    model = small_cnn().eval()
    soft = soften(model, alpha=4.0)
    assert set(softened_layers(soft)) == {"first", "block.0"} and not softened_layers(model)
    for layer in softened_layers(soft).values():
        assert layer.window == 1 and layer.ring == (1, 1) and not layer.training
        assert all(p.requires_grad for p in layer.parameters()) and (layer.alpha == 4).all()


def test_a_layer_used_twice_stays_one_and_a_root_may_be_softened():
    layer = StandIn(nn.Conv2d(2, 2, 3, padding=1))
    soft = soften(nn.Sequential(layer, nn.ReLU(), layer))
    assert isinstance(soft[0], SoftConvolution) and soft[0] is soft[2]  # type: ignore[index]
    assert isinstance(soften(layer), SoftConvolution)
    nested = StandIn(StandIn(nn.Conv2d(2, 2, 3)))
    nested.to_conv = nested.layer.to_conv  # type: ignore[method-assign, union-attr]
    assert set(softened_layers(soften(nn.Sequential(nested)))) == {"0"}


def test_a_layer_that_gets_its_weights_with_each_call_stays():
    called = StandIn(nn.Conv2d(2, 2, 3))
    called.weight = None  # type: ignore[assignment]
    called.to_conv = lambda: 1 / 0  # type: ignore[method-assign, return-value, assignment]
    soft = soften(nn.Sequential(called, StandIn(nn.Conv2d(2, 2, 3))))
    assert set(softened_layers(soft)) == {"1"}


def test_each_softened_layer_is_within_its_bound_and_the_logits_converge():
    model = small_cnn().double()
    images = torch.randn(4, 1, 9, 8, dtype=torch.float64)
    errors = []
    for alpha in (4.0, 8.0, 12.0):
        soft, seen = soften(model, alpha), {}
        layers = softened_layers(soft)
        for layer in layers.values():
            layer.register_forward_hook(
                lambda layer, given, out, seen=seen: seen.update({layer: (*given, out)})
            )
        errors.append(float((soft(images) - model(images)).detach().abs().max()))
        assert len(seen) == 2
        for name, layer in layers.items():
            conv: Any = model.get_submodule(name)
            given, out = seen[layer]
            assert 0 < distance(out, conv(given)) <= error_bound(conv.layer, alpha, radius(given))
    for one, other in pairwise(errors):
        assert math.log(other / one) / 4 == pytest.approx(-1, abs=0.05)


@pytest.mark.slow
def test_training_a_softened_cnn_lowers_its_loss_and_moves_its_centres(digits):
    from vision.data import load_source

    train = load_source(digits).train
    images, labels = torch.as_tensor(train.pixels)[:256] / 255, train.labels[:256]
    model = soften(small_cnn(), alpha=4.0)
    before = {name: layer.centres.detach().clone() for name, layer in softened_layers(model).items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for step in range(60):
        chosen = slice(step % 4 * 64, step % 4 * 64 + 64)
        loss = nn.functional.cross_entropy(model(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-4:]) < 0.5 * sum(losses[:4])
    for name, layer in softened_layers(model).items():
        assert (layer.centres - before[name]).abs().max() > 0.02
        assert layer.k.weight.grad is not None and layer.k.weight.grad.any()  # q has left zero
        assert (layer.alpha > 0).all()


@pytest.mark.parametrize("layer", [nn.Conv2d(1, 1, 3), StandIn(nn.Conv2d(1, 1, 1)), nn.ReLU()])
def test_soften_needs_a_converted_kernel(layer: nn.Module):
    with pytest.raises(ValueError, match=r"soften needs a converted layer .* got Sequential without one"):
        soften(nn.Sequential(layer))


def test_a_softened_model_is_not_softened_again():
    with pytest.raises(ValueError, match="soften needs a converted layer"):
        soften(soften(small_cnn()))
