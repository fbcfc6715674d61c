"""The operations that networks are made of, under PyTorch's name for their place."""

from ..ops.activation import gelu, glu, logsigmoid, mish, sigmoid, silu, softplus, softsign, swish, tanh, tanhshrink
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
from ..ops.random import dropout
from ..ops.rectifier import (
    celu,
    celu_,
    elu,
    elu_,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    hardtanh_,
    leaky_relu,
    leaky_relu_,
    prelu,
    relu,
    relu6,
    relu_,
    rrelu,
    rrelu_,
    selu,
    selu_,
    softshrink,
    threshold,
    threshold_,
)
from ..ops.softmax import log_softmax, softmax, softmin

__all__ = [
    # activation
    "gelu", "glu", "logsigmoid", "mish", "sigmoid", "silu", "softplus", "softsign", "swish", "tanh", "tanhshrink",
    # linalg
    "linear",
    # loss
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "l1_loss", "mse_loss", "nll_loss",
    # random
    "dropout",
    # rectifier
    "celu", "celu_", "elu", "elu_", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "prelu",
    "relu", "relu6", "relu_", "rrelu", "rrelu_", "selu", "selu_", "softshrink", "threshold", "threshold_",
    # softmax
    "log_softmax", "softmax", "softmin",
]  # fmt: skip
