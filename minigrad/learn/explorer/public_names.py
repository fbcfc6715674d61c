"""What readers call the operations: the public function that runs one, where it is called otherwise."""

from __future__ import annotations

from typing import Any

from ...core import Op

__all__ = ["PUBLIC", "of_library", "public"]

PUBLIC = {
    "astype": "to",
    "binary_focal_loss": "focal_loss",
    "channel_moments": "var_mean",
    "clamp_both": "clamp",
    "combine_at": "scatter_reduce",
    "cosine_hinge": "cosine_embedding_loss",
    "cosine_of_rows": "cosine_embedding_loss",
    "div_floor": "div",
    "div_trunc": "div",
    "div_whole": "div",
    "euclidean_distances": "cdist",
    "expand_to": "expand",
    "flip_along": "flip",
    "focused": "focal_loss",
    "gaussian_nll": "gaussian_nll_loss",
    "gelu_exact": "gelu",
    "gelu_tanh": "gelu",
    "keep_above": "dropout",
    "kl_div_of_logs": "kl_div",
    "kl_div_of_probabilities": "kl_div",
    "last_diagonal": "diagonal",
    "linear_scan": "cumprod",
    "log_odds": "logit",
    "median_of_all": "median",
    "multilabel_terms": "multilabel_soft_margin_loss",
    "normalize_channels": "batch_norm",
    "permute_to": "permute",
    "pick": "gather",
    "place": "scatter_add",
    "pow_scalar": "pow",
    "pow_tensor": "pow",
    "prod_along": "prod",
    "put_into_zeros": "index_add",
    "raised": "gaussian_nll_loss",
    "reshape_to": "reshape",
    "rint": "round",
    "round_scaled": "round",
    "scale_negative": "prelu",
    "scale_negative_between": "rrelu",
    "sum_to_shape": "sum",
    "taken_rows": "embedding",
    "tile_by": "tile",
    "triplet_hinge": "triplet_margin_loss",
    "vector_distance": "pairwise_distance",
    "window": "getitem",
}


def of_library(operation: Op[Any]) -> bool:
    """Whether it is one of minigrad's own; others may have the name of one."""
    return operation.formula.__module__.startswith("minigrad.ops.")


def public(operation: Op[Any]) -> str:
    """What the reader calls it."""
    return PUBLIC.get(operation.name, operation.name) if of_library(operation) else operation.name
