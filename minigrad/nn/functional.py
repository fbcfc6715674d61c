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
from ..ops.class_margin import multi_margin_loss, multilabel_margin_loss
from ..ops.classification import cross_entropy, nll_loss
from ..ops.focal import focal_loss
from ..ops.likelihood import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    gaussian_nll_loss,
    kl_div,
    multilabel_soft_margin_loss,
    poisson_nll_loss,
)
from ..ops.linalg import linear
from ..ops.loss import (
    huber_loss,
    l1_loss,
    log_cosh,
    log_cosh_loss,
    mse_loss,
    smooth_l1_loss,
)
from ..ops.margin import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    pairwise_distance,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from ..ops.random import dropout
from ..ops.softmax import log_softmax, softmax

__all__ = [
    # activation
    "gelu", "leaky_relu", "relu", "sigmoid", "silu", "softplus", "tanh",
    # class_margin
    "multi_margin_loss", "multilabel_margin_loss",
    # classification
    "cross_entropy", "nll_loss",
    # focal
    "focal_loss",
    # likelihood
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "gaussian_nll_loss", "kl_div", "multilabel_soft_margin_loss",
    "poisson_nll_loss",
    # linalg
    "linear",
    # loss
    "huber_loss", "l1_loss", "log_cosh", "log_cosh_loss", "mse_loss", "smooth_l1_loss",
    # margin
    "cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "pairwise_distance", "soft_margin_loss",
    "triplet_margin_loss", "triplet_margin_with_distance_loss",
    # random
    "dropout",
    # softmax
    "log_softmax", "softmax",
]  # fmt: skip
