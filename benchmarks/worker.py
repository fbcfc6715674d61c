"""One job in a process of its own: `python -m benchmarks.worker SECTION CONTENDER GROUP [--quick]`.

Prints one JSON line `[case, value]` for each result.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module


def main(arguments: list[str]) -> None:
    section, contender, group = arguments[:3]
    for case, value in import_module(f"benchmarks.{section}").work(contender, group, "--quick" in arguments):
        print(json.dumps([case, value]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
