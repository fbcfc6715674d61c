"""How do scores become probabilities?"""

from .question import Choice, Question

__all__ = ["SOFTMAX"]

SOFTMAX = (
    Question(
        "softmax-1",
        "Softmax written as its formula says, of three large scores. What does this print?",
        (
            Choice(
                "[0.09, 0.2447, 0.6652]",
                "That is the right softmax, which the same formula gives for [0, 1, 2]. But here e¹⁰⁰⁰ has to be computed on the way.",
            ),
            Choice(
                "[inf, inf, inf]",
                "e¹⁰⁰⁰ is more than a float can hold, so the powers and their sum are inf indeed; then one is divided by the other.",
            ),
            Choice(
                "[nan, nan, nan]",
                "Each power is inf, the sum is inf, and inf / inf could be anything: it is nan, and so is all that comes after it.",
            ),
            Choice(
                "[0.0, 0.0, 1.0]",
                "A difference of 1 between two scores is a factor of e, wherever they lie. The largest gets 0.67, not all of it.",
            ),
        ),
        "c",
        """\
import minigrad as mg

z = mg.tensor([1000.0, 1001.0, 1002.0])
powers = z.exp()
print((powers / powers.sum()).tolist())""",
    ),
    Question(
        "softmax-2",
        "Of two scores the second has probability 2/3. Both scores are doubled. What does this print for the second?",
        (
            Choice(
                "0.6667",
                "That would be right if the ratio of the scores counted. It is their difference that counts, and it doubles.",
            ),
            Choice("0.8", "The difference doubles, so the ratio of the probabilities, 2 : 1, is squared: 4 : 1, which is 0.8."),
            Choice("1.3333", "Probabilities don't double with the scores: whatever the scores, they stay below 1 and add up to 1."),
            Choice(
                "0.5",
                "Scores that are doubled are further apart, so the probabilities are, too. Halving them goes towards 0.5.",
            ),
        ),
        "b",
        """\
import math

import minigrad as mg

z = mg.tensor([0.0, math.log(2)])
print(round((2 * z).softmax(dim=0)[1].item(), 4))""",
    ),
    Question(
        "softmax-3",
        "The loss is the sum of a softmax. What is the gradient at the scores?",
        (
            Choice(
                "[1.0, 1.0, 1.0]",
                "That is the gradient at the softmax's output. Its Jacobian still has to be multiplied with it.",
            ),
            Choice(
                "[0.659, 0.2424, 0.0986]",
                "That is the softmax itself. Each score raises its own probability, but it lowers the others by just as much.",
            ),
            Choice(
                "[0.2247, 0.1837, 0.0889]",
                "That is y (1 − y), the Jacobian's diagonal: what a score does to its own probability. It acts on the others as well.",
            ),
            Choice(
                "[0.0, 0.0, 0.0]",
                "The probabilities add up to 1 whatever the scores are. The sum never moves, so its gradient is 0: a test by sum sees nothing.",
            ),
        ),
        "d",
        """\
import minigrad as mg

z = mg.tensor([2.0, 1.0, 0.1], requires_grad=True)
z.softmax(dim=0).sum().backward()
print([round(abs(slope), 4) for slope in z.grad.tolist()])""",
    ),
    Question(
        "softmax-4",
        "Class 0 is right, and the network is as sure of it as can be. But softmax is taken twice. What does this print?",
        (
            Choice(
                "0.5514",
                "Taken for scores, [1, 0, 0] are only 1 apart: the loss is log(1 + 2/e). No network can get below that.",
            ),
            Choice(
                "0.0",
                "So it would be with the scores themselves. Here the loss takes the probabilities [1, 0, 0] for scores.",
            ),
            Choice("1.0986", "That is log 3, a guess among three classes. A lead of 1 is better than none."),
            Choice(
                "100.0",
                "That would be the loss if the right class were behind by 100. It leads by 100, and the first softmax makes 1 of it.",
            ),
        ),
        "a",
        """\
import minigrad as mg
from minigrad.nn import functional as F

z = mg.tensor([[100.0, 0.0, 0.0]])
p = F.softmax(z, dim=1)
print(round(F.cross_entropy(p, mg.tensor([0])).item(), 4))""",
    ),
)
