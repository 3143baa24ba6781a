"""Position-only heads that come nearest to an attention layer's output: least squares, in closed form.

>>> fit_position(layer, pairs, ridge=1e-4)  # doctest: +SKIP
0.12
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from vision.convert.calibration import LayerProducts
from vision.convert.head_maps import HeadMaps
from vision.convert.layers.head_convolution import HeadConvolution
from vision.convert.normal_equations import EXACT, equations_of_patches, equations_of_prefix, ridge_step

Pairs = Sequence[tuple[Tensor, Tensor]]
ROUNDS, LEAST_GAIN = 6, 1e-3  # of alternating least squares, and the error that another must save


def fit_position(layer: HeadConvolution, pairs: Pairs, ridge: float) -> float:
    """Fit the output map and the kernels in turn, in place, and return the error of `fit_output`."""
    error = fit_output(layer, pairs, ridge)
    for _ in range(ROUNDS):
        if error < EXACT:
            break
        fit_kernels(layer, pairs, ridge)
        before, error = error, fit_output(layer, pairs, ridge)
        if error > before - LEAST_GAIN:
            break
    return error


@torch.no_grad()
def fit_kernels(layer: HeadConvolution, pairs: Pairs, ridge: float) -> None:
    """Move the weights by position to the least squares of the wanted outputs, in place, with the biases.

    Args:
        layer: the maps of its heads stay.
        pairs: inputs (B, P + N, C) and wanted outputs (B, P + N, C_out), in minibatches.
        ridge: weight of the distance from the present weights, as a share of the mean diagonal of the normal
            equations.
    """
    products = LayerProducts(_maps_of(layer))
    for x, y in pairs:
        products.add(x, y)
    weights = layer.weight.flatten(1).double().cpu()
    if layer.prefix:
        weights = torch.cat((weights, layer.to_prefix.double().cpu()), 1)
    equations = equations_of_patches(products, layer)
    solved = equations.solve(weights.flatten(), ridge)
    by_head = solved.view_as(weights)
    layer.weight.copy_(by_head[:, : layer.weight[0].numel()].view_as(layer.weight))
    layer.proj.bias.copy_(equations.intercept(solved))
    if not layer.prefix:
        return
    layer.to_prefix.copy_(by_head[:, layer.weight[0].numel() :])
    for token in range(layer.prefix):
        equations = equations_of_prefix(products, token)
        solved = equations.solve(layer.prefix_weight[token].double().cpu().flatten(), ridge)
        layer.prefix_weight[token] = solved.view_as(layer.prefix_weight[token])
        layer.prefix_bias[token] = equations.intercept(solved)


@torch.no_grad()
def fit_output(layer: HeadConvolution, pairs: Pairs, ridge: float) -> float:
    """Fit the output map and biases of position-only heads by least squares, in place.

    Args:
        layer: with fitted kernels.
        pairs, ridge: as in `fit_kernels`.

    Returns:
        The squared error as a share of the outputs' variance.
    """
    # Patches share one mean and bias, each prefix token has its own.
    parts = [slice(layer.prefix, None), *(slice(token, token + 1) for token in range(layer.prefix))]
    mixed = [layer.mix(x).double() for x, _ in pairs]
    means: list[tuple[Tensor, Tensor]] = []
    gram, cross, total = 0.0, 0.0, 0.0
    for part in parts:
        features = torch.cat([each[:, part].flatten(0, 1) for each in mixed])
        wanted = torch.cat([y[:, part].flatten(0, 1) for _, y in pairs]).double()
        means.append((features.mean(0), wanted.mean(0)))
        features, wanted = features - means[-1][0], wanted - means[-1][1]
        gram = gram + features.T @ features
        cross = cross + features.T @ wanted
        total += float(wanted.square().sum())
    gram, cross = torch.as_tensor(gram), torch.as_tensor(cross)

    def error(output: Tensor) -> float:
        left = total - 2 * (output * cross).sum() + (output * (gram @ output)).sum()
        return max(0.0, float(left) / total) if total > 0 else 0.0

    def finish(output: Tensor) -> float:
        biases = [wanted - features @ output for features, wanted in means]
        layer.proj.weight.copy_(output.T)
        layer.proj.bias.copy_(biases[0])
        if layer.prefix:
            layer.prefix_bias.copy_(torch.stack(biases[1:]))
        return error(output)

    output = layer.proj.weight.double().T
    if error(output) < EXACT:
        return finish(output)
    return finish(output + ridge_step(gram, cross - gram @ output, ridge))


def _maps_of(layer: HeadConvolution) -> HeadMaps:
    values = torch.unflatten(layer.v.weight, 0, (layer.num_heads, -1))
    outputs = torch.unflatten(layer.proj.weight, 1, (layer.num_heads, -1))
    return HeadMaps(values, values.new_zeros(values.shape[:2]), outputs, layer.proj.bias)
