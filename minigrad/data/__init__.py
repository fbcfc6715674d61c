"""Datasets, batches and toy problems."""

from .dataset import Dataset, Subset, TensorDataset, random_split
from .loader import DataLoader, default_collate
from .toy import blobs, circles, spirals, two_moons, xor

__all__ = [
    "DataLoader",
    "Dataset",
    "Subset",
    "TensorDataset",
    "blobs",
    "circles",
    "default_collate",
    "random_split",
    "spirals",
    "two_moons",
    "xor",
]
