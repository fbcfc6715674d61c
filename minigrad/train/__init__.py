"""Train a network: the loop, its history, what can be hung into it."""
