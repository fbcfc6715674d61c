"""Traces: of data through layers, of gradients through rules, of one prediction."""
