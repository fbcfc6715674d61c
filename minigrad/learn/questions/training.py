"""How does a network find good weights?"""

from .question import Choice, Question

__all__ = ["TRAINING"]

TRAINING = (
    Question(
        "training-1",
        "Three steps down the curve 5 w², from w = 1 with learning rate 0.3. Where do they end?",
        (
            Choice(
                "0.0",
                "The lowest point is at 0, but a step has a length: lr times the slope. Here that is 3 at first, and it leads far past 0.",
            ),
            Choice("0.343", "That is (1 − 0.3)³: the learning rate without the slope. The slope of 5 w² is 10 w, ten times w."),
            Choice(
                "-2.0", "That is where the first step leads: 1 − 0.3 · 10. The next two start there, and each doubles the distance."
            ),
            Choice(
                "-8.0", "Each step multiplies w by 1 − 0.3 · 10 = −2: to the other side, and twice as far. After three it is −8."
            ),
        ),
        "d",
        """\
import minigrad as mg
from minigrad import optim

w = mg.tensor(1.0, requires_grad=True)
optimizer = optim.SGD([w], lr=0.3)
for _ in range(3):
    optimizer.zero_grad()
    (5 * w * w).backward()
    optimizer.step()
print(round(w.item(), 4))""",
    ),
    Question(
        "training-2",
        "Two weights of 1, one with the gradient 1000, one with 0.001. Where are they after Adam's first step?",
        (
            Choice(
                "[0.9, 0.9]",
                "At the first step m̂ is g and √v̂ is |g|. Their ratio is 1, whatever the gradient: the step has the length lr.",
            ),
            Choice(
                "[-99.0, 1.0]",
                "That is what SGD makes of it: the step is lr times the gradient. Adam divides by the gradient's size.",
            ),
            Choice("[0.9, 1.0]", "Adam does not scale all gradients by the largest one: each weight is divided by its own size."),
            Choice(
                "[1.0, 1.0]", "Both averages start at 0, but their bias is corrected: already the first step has its full length."
            ),
        ),
        "a",
        """\
import minigrad as mg
from minigrad import optim

w = mg.tensor([1.0, 1.0], requires_grad=True)
optimizer = optim.Adam([w], lr=0.1)
(1000 * w[0] + 0.001 * w[1]).backward()
optimizer.step()
print([round(v, 3) for v in w.tolist()])""",
    ),
    Question(
        "training-3",
        "All weights and biases begin at 0.5. How many different units has the hidden layer of eight, after 100 steps?",
        (
            Choice(
                "1",
                "Equal units compute the same and get the same gradient, so they stay equal for ever: one unit, eight times over.",
            ),
            Choice(
                "2", "There are two inputs, and the two weights of a unit may well part. But in all eight units they part alike."
            ),
            Choice(
                "8",
                "The data differ, but every unit sees the same data with the same weights. Nothing tells one unit from another.",
            ),
        ),
        "a",
        """\
import minigrad as mg
from minigrad import nn, optim

mg.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
for parameter in model.parameters():
    nn.init.constant_(parameter, 0.5)
inputs = mg.randn(64, 2)
targets = inputs[:, :1] * inputs[:, 1:]
optimizer = optim.Adam(model.parameters(), lr=0.01)
for _ in range(100):
    optimizer.zero_grad()
    nn.functional.mse_loss(model(inputs), targets).backward()
    optimizer.step()
units = {tuple(round(v, 4) for v in unit) for unit in model[0].weight.tolist()}
print(len(units))""",
    ),
    Question(
        "training-4",
        "A weight of 1 whose gradient is 0, and Adam with weight_decay=0.1. Where is the weight after a step of lr = 0.01?",
        (
            Choice(
                "0.999",
                "That is 1 − lr · 0.1, the decay of SGD and of AdamW. Adam takes 0.1 · w for a gradient, and divides by its size.",
            ),
            Choice(
                "0.99",
                "The decay, 0.1 · w, is all the gradient there is. Adam divides it by its own size: a step of lr, whatever the decay.",
            ),
            Choice("1.0", "The gradient of the loss is 0, but the decay is added to it before Adam looks at it."),
            Choice("0.9", "The decay goes through the step, and so is multiplied by the learning rate at least."),
        ),
        "b",
        """\
import minigrad as mg
from minigrad import optim

w = mg.tensor(1.0, requires_grad=True)
optimizer = optim.Adam([w], lr=0.01, weight_decay=0.1)
w.grad = mg.tensor(0.0)
optimizer.step()
print(round(w.item(), 4))""",
    ),
)
