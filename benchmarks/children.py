"""What a worker starts processes of its own with, to time them as wholes."""

from __future__ import annotations

import os

KEEPERS = ("minigrad", "minigrad eager", "jax")  # contenders that may keep what they compile for the next process
COLD, WARM = "first process", "later process"
OF_CACHES = (
    "In the first process the folder in which a library keeps what it compiles is empty (JAX's is switched on here; it is off by "
    "default), in a later one it is as the first left it; torch and scikit-learn compile nothing."
)


def surroundings(folder: str) -> dict[str, str]:
    """The environment, but minigrad and JAX keep all that they compile in this folder. Python keeps compiled modules from one run to the
    next, as it does for a user, whatever is set here."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {
        "MINIGRAD_CACHE": folder,
        "JAX_COMPILATION_CACHE_DIR": folder,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
