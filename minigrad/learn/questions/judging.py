"""It is right 98 times in 100: is it good?"""

from .question import Choice, Question

__all__ = ["JUDGING"]

JUDGING = (
    Question(
        "judging-1",
        "2 payments in 100 are fraud, and a detector never says so. What are its accuracy and its balanced accuracy?",
        (
            Choice(
                "0.02 0.0",
                "0.02 is the share of fraud: what the detector gets wrong. It is right for all the others, and they count.",
            ),
            Choice(
                "0.98 0.98",
                "Both would be equal if the two classes were equally frequent. Balanced accuracy gives fraud half of the weight.",
            ),
            Choice(
                "0.98 0.5", "Right 98 times in 100; but of honest payments it knows 1, of frauds 0, and the mean of these is ½."
            ),
            Choice(
                "0.5 0.5",
                "Half of the classes are recognised, but accuracy counts payments, and nearly all of them are in that half.",
            ),
        ),
        "c",
        """\
import numpy as np

from minigrad.evaluate import evaluate_outputs

fraud = np.arange(100) < 2
never = np.zeros(100)
report = evaluate_outputs(never, fraud, task="binary", outputs="probabilities")
print(report.accuracy, report.balanced_accuracy)""",
    ),
    Question(
        "judging-2",
        "The threshold goes up from 0.5 to 0.7. What does this print for the precision before and after?",
        (
            Choice(
                "0.75 0.5",
                "First 4 alarms, of which 3 are right; then 2, of which 1 is. Two right ones fell out, and the false one stayed.",
            ),
            Choice(
                "0.75 1.0",
                "So one hopes: fewer alarms, better ones. But among those that are dropped are two right ones; the false one stays.",
            ),
            Choice("1.0 0.3333", "That is recall: 3 of 3 found, then 1 of 3. Precision asks how many of the alarms are right."),
            Choice("0.8 0.4", "That is accuracy, which counts the rightly refused sample too. Precision looks at alarms only."),
        ),
        "a",
        """\
from minigrad.evaluate import threshold_curve

scores = [0.3, 0.55, 0.6, 0.8, 0.9]
targets = [0, 1, 1, 0, 1]
thresholds = threshold_curve(scores, targets, outputs="probabilities")
print(thresholds.at(0.5).precision, thresholds.at(0.7).precision)""",
    ),
    Question(
        "judging-3",
        "A missed fraud costs 9, a needless check 1. From which probability of fraud on is a check the cheaper answer?",
        (
            Choice("0.5", "At ½ the likelier answer changes. That is the cheapest border only if both mistakes cost the same."),
            Choice("0.9", "The other way round: where a missed fraud is the dear mistake, little suspicion is enough for a check."),
            Choice(
                "0.111",
                "1/9 is the odds, p : (1 − p) = 1 : 9. As a probability these are 1 of 10, not 1 of 9.",
            ),
            Choice("0.1", "A check costs 1 · (1 − p) on average, no check 9 · p. They are equal at p = 1 / (1 + 9)."),
        ),
        "d",
        """\
import numpy as np

p = np.arange(1001) / 1000
check, let_pass = 1 * (1 - p), 9 * p
print(p[check <= let_pass].min())""",
    ),
    Question(
        "judging-4",
        "All scores are multiplied by 10, so that the network is much surer of its three answers. What becomes of accuracy and loss?",
        (
            Choice(
                "accuracy 0.667 to 0.667, loss 0.83 to 0.01",
                "The loss of the two right answers does fall to nearly 0. That of the wrong one grows tenfold, and outweighs them.",
            ),
            Choice(
                "accuracy 0.667 to 0.333, loss 0.83 to 3.34",
                "The loss is right. But the largest score stays the largest, so each answer stays what it was, right or wrong.",
            ),
            Choice(
                "accuracy 0.667 to 1.0, loss 0.83 to 0.01",
                "To be surer is not to be right: the largest score of the third sample still belongs to the wrong class.",
            ),
            Choice(
                "accuracy 0.667 to 0.667, loss 0.83 to 3.34",
                "No answer changes, so accuracy doesn't. One answer is wrong, now with great confidence, and the loss charges for that.",
            ),
        ),
        "d",
        """\
import minigrad as mg
from minigrad.nn import functional as F

z = mg.tensor([[2.0, 1.0, 0.0], [0.0, 0.5, 1.0], [1.0, 2.0, 0.0]])
target = mg.tensor([0, 2, 0])
accuracies = [(s.argmax(dim=1) == target).float().mean().item() for s in (z, 10 * z)]
losses = [F.cross_entropy(s, target).item() for s in (z, 10 * z)]
print("accuracy {:.3} to {:.3}, loss {:.2f} to {:.2f}".format(*accuracies, *losses))""",
    ),
)
