"""Measures minigrad against other libraries, PyTorch and JAX above all: `python -m benchmarks` (what `make bench` runs).

One module a section. Each names its jobs, (contender, group) pairs, and says what a worker process measures for a job and how the
results are laid out as tables. `runner` gives every job a fresh process and lets the contenders take turns, round after round;
no process ever holds two of the libraries.
"""
