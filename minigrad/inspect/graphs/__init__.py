"""Graphs: read, folded, laid out and drawn."""
