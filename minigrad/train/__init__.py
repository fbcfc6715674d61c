"""Train a network: the loop, what can be hung into it, and the history that it leaves.

`history = mg.train.fit(model, nn.CrossEntropyLoss(), optimizer, loader, epochs=20, validation=(X, y))` trains, and `print(history)` shows
what came of it.
"""

from .callbacks import BestWeights, Callback, EarlyStopping, Run, Schedule
from .history import Epoch, History
from .loop import fit

__all__ = ["BestWeights", "Callback", "EarlyStopping", "Epoch", "History", "Run", "Schedule", "fit"]
