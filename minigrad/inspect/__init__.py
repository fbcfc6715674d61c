"""See what a network does: traces, diagnoses, graphs, reports."""
