"""Neural networks: modules, layers, activations, losses."""

from . import functional, init, utils
from .activation import GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .attention import MultiheadAttention
from .containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .layers import (
    AlphaDropout,
    Bilinear,
    CosineSimilarity,
    Dropout,
    Dropout1d,
    Embedding,
    FeatureAlphaDropout,
    Flatten,
    Identity,
    Linear,
    PairwiseDistance,
    Unflatten,
)
from .loss import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, MSELoss, NLLLoss
from .module import Module, Parameter
from .normalization import BatchNorm1d, GroupNorm, InstanceNorm1d, LayerNorm, RMSNorm
from .table import summary

__all__ = [
    # modules
    "functional", "init", "utils",
    # activation
    "GELU", "LeakyReLU", "LogSoftmax", "ReLU", "SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh",
    # attention
    "MultiheadAttention",
    # containers
    "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential",
    # layers
    "AlphaDropout", "Bilinear", "CosineSimilarity", "Dropout", "Dropout1d", "Embedding", "FeatureAlphaDropout", "Flatten", "Identity",
    "Linear", "PairwiseDistance", "Unflatten",
    # loss
    "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "HuberLoss", "L1Loss", "MSELoss", "NLLLoss",
    # module
    "Module", "Parameter",
    # normalization
    "BatchNorm1d", "GroupNorm", "InstanceNorm1d", "LayerNorm", "RMSNorm",
    # table
    "summary",
]  # fmt: skip
