"""What should a mistake cost?"""

from .question import Choice, Question

__all__ = ["LOSSES"]

LOSSES = (
    Question(
        "losses-1",
        "Four predictions, and only the first is off, by 6. What does mse_loss send back to it?",
        (
            Choice(
                "12.0", "That is 2 · 6, the slope of that square alone. The loss is the mean of four squares, so a quarter arrives."
            ),
            Choice("6.0", "That would be the slope of ½ d². Here the 2 of the square stays, and the mean divides by 4."),
            Choice("3.0", "2 · 6 / 4: the slope of the square, divided by the number of elements, as the loss is their mean."),
            Choice("9.0", "That is the loss, 36 / 4. What comes back is its slope."),
        ),
        "c",
        """\
import minigrad as mg
from minigrad.nn import functional as F

pred = mg.tensor([6.0, 0.0, 0.0, 0.0], requires_grad=True)
F.mse_loss(pred, mg.zeros(4)).backward()
print(pred.grad[0].item())""",
    ),
    Question(
        "losses-2",
        "Which one number has the smallest mean absolute error to 1, 2, 3, 4 and 90? The cell tries all from 0 to 100.",
        (
            Choice(
                "3", "The median: as many lie above as below, so the pulls of +1 and −1 cancel. How far away 90 is does not count."
            ),
            Choice(
                "20", "That is the mean, which has the smallest mean squared error. With absolute errors 90 pulls no harder than 4."
            ),
            Choice(
                "46",
                "That is halfway between the smallest and the largest. It has the smallest largest error, not the smallest mean.",
            ),
            Choice(
                "2", "One sample lies below, three lie above: a step upward comes nearer to more of them than it leaves behind."
            ),
        ),
        "a",
        """\
import minigrad as mg

y = mg.tensor([1.0, 2.0, 3.0, 4.0, 90.0])
costs = [(y - c).abs().mean().item() for c in range(101)]
print(costs.index(min(costs)))""",
    ),
    Question(
        "losses-3",
        "The answer should be 1, the logit is −10: sure and wrong. The loss is the squared error of the probability. What is its slope?",
        (
            Choice("-20.0", "That would be the squared error of the logit itself, 2 · (−10). Here a sigmoid lies between."),
            Choice("-2.0", "That is the slope at the probability, 2 (p − 1) with p near 0. It still has to pass the sigmoid."),
            Choice("-1.0", "That is about what cross-entropy sends back, p − t: there the slope of the sigmoid is cancelled."),
            Choice(
                "-0.0001", "2 (p − 1) is −2, but the sigmoid is flat at −10: p (1 − p) is 0.00005. The worst answers learn least."
            ),
        ),
        "d",
        """\
import minigrad as mg

x = mg.tensor(-10.0, requires_grad=True)
loss = (x.sigmoid() - 1) ** 2
loss.backward()
print(round(x.grad.item(), 4))""",
    ),
    Question(
        "losses-4",
        "The answer should be 0, the logit is 40. In float32, what is the loss of the probability? (It ends logarithms at −100.)",
        (
            Choice(
                "40.0", "So it is on paper, and with logits. But here the probability comes first, and in float32 it is exactly 1."
            ),
            Choice(
                "100.0", "The probability is exactly 1, log(1 − 1) is −∞, and minigrad ends logarithms at −100, as PyTorch does."
            ),
            Choice(
                "inf",
                "The logarithm of 0 is −∞ indeed. But one such loss would spoil all, so the logarithm is cut off before it gets there.",
            ),
            Choice("0.0", "That would be the loss if 1 were the right answer. The network is as wrong as can be."),
        ),
        "b",
        """\
import minigrad as mg
from minigrad.nn import functional as F

x, target = mg.tensor([40.0], dtype=mg.float32), mg.tensor([0.0], dtype=mg.float32)
print(F.binary_cross_entropy(x.sigmoid(), target).item())""",
    ),
    Question(
        "losses-5",
        "p is what a network gives the right class, for five samples; above 0.5 the answer is right. What does this print of two networks?",
        (
            Choice(
                "accuracy 1.0 0.8, loss 0.6 0.33",
                "The first is always right, but barely. The second is very sure four times; that outweighs the one mistake.",
            ),
            Choice(
                "accuracy 1.0 0.8, loss 0.33 0.6",
                "The better accuracy need not have the better loss: −log 0.55 is 0.6 each time, −log 0.99 only 0.01.",
            ),
            Choice(
                "accuracy 0.55 0.83, loss 0.6 0.33",
                "0.55 and 0.83 are mean probabilities. Accuracy only counts on which side of 0.5 each of them lies.",
            ),
            Choice(
                "accuracy 1.0 0.8, loss 0.0 0.2",
                "The loss is no share of mistakes: right answers cost as well, as long as they are not quite sure.",
            ),
        ),
        "a",
        """\
import minigrad as mg

barely = mg.tensor([0.55, 0.55, 0.55, 0.55, 0.55])
mostly = mg.tensor([0.99, 0.99, 0.99, 0.99, 0.2])
accuracies = [round((p > 0.5).double().mean().item(), 2) for p in (barely, mostly)]
prices = [round(-p.log().mean().item(), 2) for p in (barely, mostly)]
print("accuracy", *accuracies, end=", ")
print("loss", *prices)""",
    ),
)
