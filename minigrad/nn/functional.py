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
from ..ops.arranging import pad
from ..ops.linalg import linear
from ..ops.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
)
from ..ops.picking import one_hot
from ..ops.random import dropout
from ..ops.softmax import log_softmax, softmax

__all__ = [
    # activation
    "gelu", "leaky_relu", "relu", "sigmoid", "silu", "softplus", "tanh",
    # arranging, picking
    "one_hot", "pad",
    # linalg
    "linear",
    # loss
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "l1_loss", "mse_loss", "nll_loss",
    # random
    "dropout",
    # softmax
    "log_softmax", "softmax",
]  # fmt: skip
