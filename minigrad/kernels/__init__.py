"""Compiled kernels, and the notation that rules are written in."""
