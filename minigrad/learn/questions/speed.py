"""How is it fast?"""

from .question import Choice, Question

__all__ = ["SPEED"]

SPEED = (
    Question(
        "speed-1",
        "NumPy works out x / √(1 + x²). How many large arrays does it read or write on the way? What does this print?",
        (
            Choice(
                "2",
                "One is read and one is written if a single loop does all of it for an element before it goes on to the next. NumPy "
                "makes a loop of each operation, and each walks over whole arrays.",
            ),
            Choice(
                "5",
                "That is how many arrays there are: x, three results in between, and y. But each of those in between is written by one loop "
                "and read again by the next.",
            ),
            Choice(
                "8",
                "Four loops that read one array and write one: nearly. The last of them, the division, reads two: x and the root.",
            ),
            Choice(
                "9",
                "x · x, 1 + … and the root read one array and write one. The division reads two and writes one: 2 + 2 + 2 + 3.",
            ),
        ),
        "d",
        '''\
import numpy as np


class Counted(np.ndarray):
    """An array that counts how many arrays NumPy's loops read and write."""

    walked = 0

    def __array_ufunc__(self, loop, method, *inputs):
        Counted.walked += len({id(x) for x in inputs if isinstance(x, Counted)}) + 1
        return loop(*[np.asarray(x) for x in inputs]).view(Counted)


x = np.ones(1000).view(Counted)
y = x / np.sqrt(1 + x * x)
print(Counted.walked)''',
    ),
    Question(
        "speed-2",
        "A compiled function is called five times, always with the same shape. How often does its Python code run?",
        (
            Choice(
                "5",
                "That is a function that is not compiled. A replay does not go through the function at all: what Python does in it beside "
                "the Tensors, such as counting or printing, does not happen.",
            ),
            Choice(
                "2",
                "The first call runs as it is; the second runs, too, and what it does with arrays is written down. The other three are "
                "replays of what was written down.",
            ),
            Choice(
                "1",
                "So it would be if the first call were recorded. But many functions are called with some shape once only, and recording "
                "costs more than a call: so the first call of a shape is left as it is.",
            ),
            Choice(
                "0",
                "The text of the function is not translated. It is run, and what it does is watched: without a run there is nothing to "
                "replay.",
            ),
        ),
        "b",
        """\
from collections import deque

import minigrad as mg

seen = deque()


@mg.compile
def double(x):
    seen.append(x.shape)
    return x * 2


for _ in range(5):
    double(mg.ones(3))
print(len(seen))""",
    ),
    Question(
        "speed-3",
        "Three numbers are added, in two orders. What does this print?",
        (
            Choice(
                "1.0 1.0",
                "On paper. A float32 has 24 binary digits, and 100 000 001 needs 27: the 1 is rounded away if it meets the large number "
                "first.",
            ),
            Choice(
                "0.0 0.0",
                "In the second sum the two large numbers meet first and leave exactly 0. Then the 1 is added to that, and nothing is lost.",
            ),
            Choice(
                "0.0 1.0",
                "100 000 000 + 1 rounds to 100 000 000 again. In the other order nothing is lost: the order of a sum is part of its result.",
            ),
            Choice("1.0 0.0", "It is the first sum that adds the 1 to a large number, where it is rounded away."),
        ),
        "c",
        """\
import numpy as np

a, b, c = np.array([1e8, 1, -1e8], np.float32)
print((a + b) + c, (a + c) + b)""",
    ),
    Question(
        "speed-4",
        "A processor does 100 billion operations a second, and its memory hands over 20 billion bytes a second. How many milliseconds "
        "does y = x + 1 take at least, for 4 million float32?",
        (
            Choice(
                "0.04",
                "That is the arithmetic alone: 4 million additions. It would be so if the numbers came at once, but they have to be fetched.",
            ),
            Choice(
                "0.8",
                "That is for the 4 bytes of x. y has to go back into memory, another 4 bytes for each element.",
            ),
            Choice(
                "1.6",
                "8 bytes an element, 32 million in all, are 1.6 ms of memory. The additions take 0.04 ms, and are done while the next numbers "
                "are on their way: the larger of the two counts.",
            ),
            Choice(
                "1.64",
                "Memory and arithmetic work at the same time, so the times are not added: the larger one is the bound.",
            ),
        ),
        "c",
        """\
elements = 4_000_000
arithmetic = elements / 100e9
memory = 8 * elements / 20e9
print(round(1000 * max(arithmetic, memory), 3))""",
    ),
)
