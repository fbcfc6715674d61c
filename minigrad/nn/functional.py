"""The operations that networks are made of, under PyTorch's name for their place."""

from ..ops.activation import gelu, glu, logsigmoid, mish, sigmoid, silu, softplus, softsign, swish, tanh, tanhshrink
from ..ops.arranging import pad
from ..ops.attention import embedding, scaled_dot_product_attention
from ..ops.channels import batch_norm, group_norm, instance_norm
from ..ops.class_margin import multi_margin_loss, multilabel_margin_loss
from ..ops.classification import cross_entropy, nll_loss
from ..ops.distance import cosine_similarity, normalize, pairwise_distance
from ..ops.focal import focal_loss
from ..ops.likelihood import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    gaussian_nll_loss,
    kl_div,
    multilabel_soft_margin_loss,
    poisson_nll_loss,
)
from ..ops.linalg import bilinear, linear
from ..ops.loss import huber_loss, l1_loss, log_cosh, log_cosh_loss, mse_loss, smooth_l1_loss
from ..ops.margin import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from ..ops.noise import alpha_dropout, dropout, dropout1d, feature_alpha_dropout
from ..ops.normalization import layer_norm, rms_norm
from ..ops.picking import one_hot
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
    # arranging
    "pad",
    # attention
    "embedding", "scaled_dot_product_attention",
    # channels
    "batch_norm", "group_norm", "instance_norm",
    # class_margin
    "multi_margin_loss", "multilabel_margin_loss",
    # classification
    "cross_entropy", "nll_loss",
    # distance
    "cosine_similarity", "normalize", "pairwise_distance",
    # focal
    "focal_loss",
    # likelihood
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "gaussian_nll_loss", "kl_div", "multilabel_soft_margin_loss",
    "poisson_nll_loss",
    # linalg
    "bilinear", "linear",
    # loss
    "huber_loss", "l1_loss", "log_cosh", "log_cosh_loss", "mse_loss", "smooth_l1_loss",
    # margin
    "cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "soft_margin_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    # noise
    "alpha_dropout", "dropout", "dropout1d", "feature_alpha_dropout",
    # normalization
    "layer_norm", "rms_norm",
    # picking
    "one_hot",
    # rectifier
    "celu", "celu_", "elu", "elu_", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "prelu",
    "relu", "relu6", "relu_", "rrelu", "rrelu_", "selu", "selu_", "softshrink", "threshold", "threshold_",
    # softmax
    "log_softmax", "softmax", "softmin",
]  # fmt: skip
