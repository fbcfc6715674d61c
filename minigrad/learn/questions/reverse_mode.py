"""Why backward, in which order, and why do gradients add up?"""

from .question import Choice, Question

__all__ = ["REVERSE_MODE"]

REVERSE_MODE = (
    Question(
        "reverse_mode-1",
        "A chain of three layers leads from 1000 inputs to one loss. How many multiplications does its gradient take, from the end?",
        (
            Choice(
                "110000",
                (
                    "The last Jacobian is a row. A row times a matrix takes one multiplication for each entry of the matrix: "
                    "100 · 100 + 100 · 1000. What is carried along stays one row."
                ),
            ),
            Choice("2", "That is the number of products: three matrices need two. Asked are the multiplications within them."),
            Choice(
                "10100000",
                "That is from the beginning: a matrix of 1000 columns, one for each input, is carried through all layers.",
            ),
            Choice(
                "100000",
                "Those are the multiplications with the largest Jacobian alone. The one in the middle has entries as well, 100 · 100.",
            ),
        ),
        "a",
        """\
import numpy as np

jacobians = [np.ones((100, 1000)), np.ones((100, 100)), np.ones((1, 100))]
row, count = jacobians[-1], 0
for jacobian in jacobians[-2::-1]:
    count += row.shape[0] * jacobian.size
    row = row @ jacobian
print(count)""",
    ),
    Question(
        "reverse_mode-2",
        "a = x², b = 3a, L = a + b, at x = 1. Each value is visited once, but a before b. What does this print?",
        (
            Choice(
                "8.0",
                "That is the true gradient, and what the order L, b, a gives. Here a passes its gradient on before b has added to it.",
            ),
            Choice(
                "6.0",
                "That would be the path through b alone. It is b's part that comes too late: a was visited already when it arrives.",
            ),
            Choice(
                "10.0",
                "That would be if a were visited twice and passed on all that it has each time, 1 and then 4. Here it is visited once.",
            ),
            Choice(
                "2.0",
                (
                    "When a is visited, only the direct path has arrived: 1, and x gets 1 · 2. The 3 that b adds to a afterwards "
                    "goes no further, because nobody visits a again."
                ),
            ),
        ),
        "d",
        """\
slopes = {"L": {"a": 1, "b": 1}, "b": {"a": 3}, "a": {"x": 2}, "x": {}}
gradient = {"L": 1.0, "a": 0.0, "b": 0.0, "x": 0.0}
for name in ("L", "a", "b", "x"):
    for part, slope in slopes[name].items():
        gradient[part] += gradient[name] * slope
print(gradient["x"])""",
    ),
    Question(
        "reverse_mode-3",
        "Three steps of SGD on a loss with slope 2, without zero_grad. What does this print?",
        (
            Choice(
                "0.4", "That would be three steps of 0.1 · 2, with the gradient set to zero before each. Nobody does that here."
            ),
            Choice("0.8", "That is one step. There are three of them."),
            Choice(
                "-0.2",
                "backward() adds 2 each time, so .grad is 2, then 4, then 6, and the steps are 0.2, 0.4 and 0.6, 1.2 together.",
            ),
            Choice(
                "-0.4",
                "That would be if .grad doubled, 2, 4, 8. What comes in each time is the slope of one pass, and it is added.",
            ),
        ),
        "c",
        """\
import minigrad as mg
from minigrad import optim

w = mg.tensor(1.0, requires_grad=True)
optimizer = optim.SGD([w], lr=0.1)
for _ in range(3):
    (2 * w).backward()
    optimizer.step()
print(round(w.item(), 4))""",
    ),
    Question(
        "reverse_mode-4",
        "Backward is called twice on the same result. What does this print?",
        (
            Choice("6.0", "That is after the first pass. The line that prints comes after the second, if it comes to that."),
            Choice(
                "12.0",
                (
                    "Two passes would add up to 12 if there were a graph for the second: with backward(retain_graph=True) "
                    "in the first. Without, the first pass gives it back."
                ),
            ),
            Choice("0.0", "Nobody sets .grad to zero but zero_grad (or you). A second pass does not begin from nothing."),
            Choice(
                "the graph is gone",
                (
                    "The first pass lets go of what the steps saved: memory is what reverse mode pays with, and it pays back "
                    "as soon as it can. To go through a graph again, ask for retain_graph=True before."
                ),
            ),
        ),
        "d",
        """\
import minigrad as mg
from minigrad.errors import GraphError

w = mg.tensor(3.0, requires_grad=True)
L = w * w
L.backward()
try:
    L.backward()
    print(w.grad.item())
except GraphError:
    print("the graph is gone")""",
    ),
)
