"""The operations that networks are made of, under PyTorch's name for their place."""

from ..ops.activation import (
    gelu,
    leaky_relu,
    relu,
    sigmoid,
    silu,
    softplus,
    tanh,
)
from ..ops.attention import embedding, scaled_dot_product_attention
from ..ops.channels import batch_norm, group_norm, instance_norm
from ..ops.distance import cosine_similarity, normalize, pairwise_distance
from ..ops.linalg import bilinear, linear
from ..ops.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
)
from ..ops.noise import alpha_dropout, dropout, dropout1d, feature_alpha_dropout
from ..ops.normalization import layer_norm, rms_norm
from ..ops.softmax import log_softmax, softmax

__all__ = [
    # activation
    "gelu", "leaky_relu", "relu", "sigmoid", "silu", "softplus", "tanh",
    # attention
    "embedding", "scaled_dot_product_attention",
    # distance
    "cosine_similarity", "normalize", "pairwise_distance",
    # noise
    "alpha_dropout", "dropout", "dropout1d", "feature_alpha_dropout",
    # linalg
    "bilinear", "linear",
    # loss
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "l1_loss", "mse_loss", "nll_loss",
    # channels, normalization
    "batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm",
    # softmax
    "log_softmax", "softmax",
]  # fmt: skip
