"""Smaller fully connected layers by truncated SVD, for scoring (Fast R-CNN, section 3.1)."""

from collections.abc import Sequence

import torch
from torch import nn


def compress(head: nn.Module, ranks: Sequence[int], exact: bool = True) -> None:
    """Replace the head's fully connected layers, first to last, by two thin ones of these ranks each, in place.

    W (v, u) becomes U (v, t) with the bias after diag(S) V^T (t, u): t (u + v) products in place of u v.

    Args:
        exact: False leaves the new layers' weights random, for a model that loads its weights afterwards.

    Raises:
        ValueError: where there are not as many layers as ranks, or where a rank is not smaller than its layer.
    """
    for (parent, name), rank in zip(full_layers(head, ranks), ranks, strict=True):
        setattr(parent, name, truncated(getattr(parent, name), rank, exact))


def full_layers(head: nn.Module, ranks: Sequence[int]) -> list[tuple[nn.Module, str]]:
    """(parent, name) of each fully connected layer; raises ValueError where the ranks do not fit them."""
    places = [
        (parent, name)
        for parent in head.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Linear)
    ]
    if len(places) != len(ranks):
        raise ValueError(f"{len(ranks)} ranks, but the head has {len(places)} fully connected layers")
    for (parent, name), rank in zip(places, ranks, strict=True):
        least = min(getattr(parent, name).weight.shape)
        if rank >= least:
            raise ValueError(f"rank {rank}: must be less than {least}")
    return places


@torch.no_grad()
def truncated(layer: nn.Linear, rank: int, exact: bool = True) -> nn.Sequential:
    """Two layers that compute what one does, but for the singular values beyond the first `rank`."""
    thin = nn.Linear(layer.in_features, rank, bias=False, device=layer.weight.device)
    wide = nn.Linear(rank, layer.out_features, device=layer.weight.device)
    if exact:
        u, s, vt = torch.linalg.svd(layer.weight, full_matrices=False)
        thin.weight.copy_(s[:rank, None] * vt[:rank])
        wide.weight.copy_(u[:, :rank])
        wide.bias.copy_(layer.bias)
    return nn.Sequential(thin, wide)
