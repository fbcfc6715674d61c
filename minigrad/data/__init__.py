"""Datasets, batches and toy problems."""

from .batches import Batch, batches, loader_of
from .dataset import ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset, random_split
from .loader import DataLoader, default_collate
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler
from .toy import blobs, circles, spirals, two_moons, xor

__all__ = [
    "Batch",
    "BatchSampler",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "batches",
    "blobs",
    "circles",
    "default_collate",
    "loader_of",
    "random_split",
    "spirals",
    "two_moons",
    "xor",
]
