"""What does an activation do to a signal, and to its gradient?"""

from __future__ import annotations

from .question import Choice, Question

__all__ = ["ACTIVATIONS"]

ACTIVATIONS = (
    Question(
        "activations-1",
        "A sigmoid of 20, in float32. What does this print?",
        (
            Choice(
                "0.9999999979388463",
                "That is the right value, and what float64 gives. It is nearer to 1 than to the float32 before 1, which is 6e-8 away.",
            ),
            Choice(
                "1.0", "σ(20) is 1 − 2·10⁻⁹. Between 1 and the float32 before it, 1 − 6·10⁻⁸, there is nothing: it rounds to 1."
            ),
            Choice(
                "nan", "e²⁰ is about 5·10⁸, far from the largest float32, 3·10³⁸; and minigrad takes e^−|x|, which never overflows."
            ),
            Choice("20.0", "That is what ReLU would give. A sigmoid squashes: no output is above 1."),
        ),
        "b",
        """\
import minigrad as mg

z = mg.tensor(20.0, dtype=mg.float32)
print(mg.sigmoid(z).item())""",
    ),
    Question(
        "activations-2",
        "Twenty sigmoids in a row, each fed with the one before, and no weights at all. How large is the gradient at the start?",
        (
            Choice(
                "1e+00",
                "Each sigmoid multiplies the gradient by its slope y(1 − y), which is never above ¼; that does not stay near 1.",
            ),
            Choice(
                "9e-13",
                "That is (¼)²⁰, the upper bound. Only the first sigmoid sits at 0, where the slope is ¼; the others sit beside it.",
            ),
            Choice(
                "1e-13",
                "Twenty slopes multiply. The signal settles near 0.66, where a sigmoid's slope is 0.225, and 0.225²⁰ is 10⁻¹³.",
            ),
            Choice("0e+00", "Small, but no slope is exactly 0 here, and a float64 holds numbers down to 10⁻³⁰⁸."),
        ),
        "c",
        """\
import minigrad as mg

start = mg.tensor(0.0, dtype=mg.float64, requires_grad=True)
signal = start
for _ in range(20):
    signal = mg.sigmoid(signal)
signal.backward()
print(f"{start.grad.item():.0e}")""",
    ),
    Question(
        "activations-3",
        "A ReLU with the bias −5 and inputs between −1 and 1 should answer 1. What is its bias after a hundred steps?",
        (
            Choice(
                "-5.0",
                "The unit is dead: its input is below 0 for every sample, so no sample sends a gradient back. Nothing moves.",
            ),
            Choice(
                "1.0",
                "So it would be if the gradient came through. But the output is 0 for every input, and there ReLU's slope is 0.",
            ),
            Choice(
                "5.0",
                "The loss would fall if the bias grew, but gradient descent sees only the slope where it stands, and that is 0.",
            ),
            Choice("nan", "Nothing overflows: all numbers are small, and the gradient is a clean 0, which is the trouble."),
        ),
        "a",
        """\
import minigrad as mg
from minigrad import optim

inputs = mg.tensor([-1.0, 0.0, 1.0])
weight = mg.tensor(1.0, requires_grad=True)
bias = mg.tensor(-5.0, requires_grad=True)
optimizer = optim.SGD([weight, bias], lr=0.1)
for _ in range(100):
    optimizer.zero_grad()
    loss = (mg.relu(weight * inputs + bias) - 1).square().mean()
    loss.backward()
    optimizer.step()
print(bias.item())""",
    ),
    Question(
        "activations-4",
        "The larger of 2z and z: what does this print?",
        (
            Choice(
                "[-2.0, 1.0]",
                "That is a rectifier whose left slope is 2. At −1 the two numbers are −2 and −1, and −1 is the larger.",
            ),
            Choice(
                "[-1.0, 2.0]",
                "At −1 the larger of −2 and −1 is −1; at 1 the larger of 2 and 1 is 2. The slope went to the right side.",
            ),
            Choice("[-1.0, 1.0]", "That would be z alone. At 1 the other number, 2, is larger."),
            Choice("[-2.0, 2.0]", "That would be 2z alone. At −1 it gives −2, and z = −1 is larger."),
        ),
        "b",
        """\
import minigrad as mg

z = mg.tensor([-1.0, 1.0])
print(mg.maximum(2 * z, z).tolist())""",
    ),
)
