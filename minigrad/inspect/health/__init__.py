"""The doctor: what is looked at, what is found, and what it says."""
