"""What is a derivative of a program?"""

from .question import Choice, Question

__all__ = ["CHAIN_RULE"]

CHAIN_RULE = (
    Question(
        "chain_rule-1",
        "y = (3x)². What does this print?",
        (
            Choice(
                "12.0", "That is 2 · 3x at x = 2: the outer slope. The inner one, 3, is missing; the chain rule multiplies them."
            ),
            Choice("36.0", "The outer slope 2 · 3x = 12 times the inner slope 3."),
            Choice("18.0", "That is 9 · x: the derivative of x² is 2x, so 9x² has the slope 18x, and x is 2."),
            Choice("3.0", "That is the slope of the inside alone. The square has a slope of its own, 2 · 3x."),
        ),
        "b",
        """\
import minigrad as mg

x = mg.tensor(2.0, requires_grad=True)
y = (3 * x) ** 2
y.backward()
print(x.grad.item())""",
    ),
    Question(
        "chain_rule-2",
        "A loop squares y until it reaches 100. What does this print?",
        (
            Choice(
                "6.0", "That is 2 · 3, the slope of the first round alone. Each round has a slope of its own, and they multiply."
            ),
            Choice(
                "162.0", "That is 2 · 81, the slope of the last round alone. It is along the path from x to y that slopes multiply."
            ),
            Choice(
                "6561.0",
                "That is y, the value that comes out. Asked is how fast it changes with x: the product of the rounds' slopes.",
            ),
            Choice(
                "17496.0",
                (
                    "Three rounds ran, 3 → 9 → 81 → 6561, with the slopes 2 · 3, 2 · 9 and 2 · 81. Their product is 17496: what ran "
                    "was y = x⁸, whose slope is 8x⁷."
                ),
            ),
            Choice(
                "an error: a loop has no derivative",
                "The loop is gone when backward begins. What was recorded are the multiplications that ran, and each has a slope.",
            ),
        ),
        "d",
        """\
import minigrad as mg

x = mg.tensor(3.0, requires_grad=True)
y = x
while y < 100:
    y = y * y
y.backward()
print(x.grad.item())""",
    ),
    Question(
        "chain_rule-3",
        "a goes into the result twice. What does this print?",
        (
            Choice(
                "5.0", "Two paths lead from a to y: through a · a, which gives 2a = 4, and directly, which gives 1. They add up."
            ),
            Choice("4.0", "That is the slope of a · a alone, 2a. The a that is added at the end changes y as well."),
            Choice("2.0", "Each use of a has its own slope; the number of uses alone says nothing."),
            Choice("1.0", "That is the last path alone. A value that is used in several places gets the sum of what comes back."),
        ),
        "a",
        """\
import minigrad as mg

a = mg.tensor(2.0, requires_grad=True)
y = a * a + a
y.backward()
print(a.grad.item())""",
    ),
    Question(
        "chain_rule-4",
        "Backward is called on two results of the same leaf, one after the other. What does this print?",
        (
            Choice("2.0", "That is the first pass alone; the second does not leave .grad as it was, it adds its own."),
            Choice("3.0", "That is the second pass alone. backward() adds to .grad; it does not overwrite it."),
            Choice("5.0", "2 from the first pass and 3 from the second: gradients add up until somebody sets them to zero."),
            Choice("6.0", "The passes are added, not multiplied: only slopes along one path multiply, and here are two results."),
        ),
        "c",
        """\
import minigrad as mg

w = mg.tensor(1.0, requires_grad=True)
(2 * w).backward()
(3 * w).backward()
print(w.grad.item())""",
    ),
)
