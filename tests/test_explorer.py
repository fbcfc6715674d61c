"""The explorer: what its page computes is what minigrad computes, operation by operation, and step by step in a browser."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browsing import Opened, needs_browser
from cases import CASES
from op_cases import OpCase

import minigrad as mg
from minigrad import learn, nn
from minigrad.core import Elementwise, Op
from minigrad.display.pages import resource
from minigrad.errors import ArgumentError, GraphError, InputTypeError
from minigrad.inspect.naming import Names
from minigrad.learn.explorer.exploring import node_data
from minigrad.learn.explorer.javascript import javascript
from minigrad.learn.explorer.public_names import PUBLIC, of_library, public
from minigrad.learn.explorer.recording import KINDS, Recording
from minigrad.learn.explorer.running import Run, recorded

MACHINE = ("tensors.js", "notation.js", "operations.js", "machine.js")
RUN = """([nodes, rules]) => {
  const found = machine(nodes, eval(`[${rules.join(",")}]`)).compute();
  const numbers = x => x && x.data.map(v => String(Number(v)));
  return [found.values.map(numbers), found.gradients.map(numbers)];
}"""


# ---- the page computes as minigrad does


def weighted(out: Any) -> Any:
    """One number of an output, in which each element counts differently; None of what is no Tensor of floats."""
    if not isinstance(out, mg.Tensor) or out.dtype.kind != "f":
        return None
    weights = mg.tensor(np.linspace(0.5, 1.5, out.numel()).reshape(out.shape))
    return (out * weights).sum()


def samples(case: OpCase) -> Iterator[tuple[mg.Tensor, Run, list[mg.Tensor]]]:
    """Of each sample with a gradient: one number that its output gives, what ran, and the leaves."""
    for sample in case.samples:
        given = [
            mg.tensor(x, requires_grad=x.dtype.kind == "f" and i not in case.fixed) if isinstance(x, np.ndarray) else x
            for i, x in enumerate(sample.arguments())
        ]
        end, ran = recorded(lambda given=given, sample=sample: weighted(case.function(*given, **sample.settings)))
        if end is not None and end.requires_grad:
            yield end, ran, [x for x in given if isinstance(x, mg.Tensor) and x.requires_grad]


@pytest.fixture(scope="module")
def machine(browser: Any) -> Any:
    page = browser.new_page()
    page.add_script_tag(content="\n".join(resource("minigrad.learn.explorer", name) for name in MACHINE))
    return page


def computed(machine: Any, recording: Recording) -> tuple[list[Any], list[Any]]:
    nodes = json.loads(json.dumps([node_data(n, node) for n, node in enumerate(recording.nodes)]))
    values, gradients = machine.evaluate(RUN, [nodes, recording.rules])
    return [np.array(value, float) for value in values], [None if g is None else np.array(g, float) for g in gradients]


def compared(machine: Any, case: OpCase) -> int:
    """How many samples the page computes, each held against minigrad; the others explore refuses."""
    count = 0
    for end, ran, leaves in samples(case):
        try:
            recording = Recording(end, ran, Names("explore", None, None, {}))
        except ArgumentError:
            continue
        end.backward()
        values, gradients = computed(machine, recording)
        np.testing.assert_allclose(values[-1], end.array.ravel(), rtol=1e-6, atol=1e-9)
        for leaf in leaves:
            where = recording.index.get(id(leaf))
            got = None if where is None else gradients[where]
            want = np.zeros(leaf.numel()) if leaf.grad is None else leaf.grad.array.ravel()
            np.testing.assert_allclose(np.zeros(leaf.numel()) if got is None else got, want, rtol=1e-6, atol=1e-9)
        count += 1
    return count


MOVES = {
    "reshape",
    "transpose",
    "permute",
    "getitem",
    "cat",
    "stack",
    "flip",
    "roll",
    "expand",
    "squeeze",
    "unsqueeze",
    "repeat",
    "movedim",
}
COMPOSED = {"batch_norm", "bmm", "gather", "take_along_dim"}
PROMISED = [case for case in CASES if isinstance(case.function, Elementwise) or case.name in {*KINDS, *MOVES, *COMPOSED}]


@needs_browser
@pytest.mark.parametrize("case", [case for case in PROMISED if any(True for _ in samples(case))], ids=str)
def test_values_and_gradients_are_those_of_minigrad(machine, case):
    assert compared(machine, case) > 0


@needs_browser
def test_all_other_operations_are_right_or_refused(machine):
    others = [case for case in CASES if case not in PROMISED]
    assert 60 < sum(compared(machine, case) > 0 for case in others) < len(others)


ROWS = [[1000.0, 1001.0, 999.0], [-1000.0, -999.0, -1001.0]]


@needs_browser
@pytest.mark.parametrize(
    "function",
    [
        lambda x: mg.logsumexp(x, 1),
        lambda x: mg.logsumexp(x, 0, keepdim=True),
        lambda x: mg.logsumexp(x, (0, 1)),
        lambda x: mg.softmax(x, 1),
        lambda x: mg.log_softmax(x, 1),
        lambda x: mg.where(x > 999.5, x, x * x),
        lambda x: mg.where(x <= -999, 0.0, x),
        lambda x: mg.logsumexp(mg.where(x > 1000, -np.inf, x), 1),
        lambda x: nn.functional.embedding(mg.tensor([[1, 0], [1, 1]]), x),
    ],
)
def test_rows_far_apart_comparisons_and_rows_of_a_table(machine, function):
    x = mg.tensor(ROWS, dtype=mg.float64, requires_grad=True)
    end, ran = recorded(lambda: weighted(function(x)))
    recording = Recording(end, ran, Names("explore", None, None, {}))
    end.backward()
    values, gradients = computed(machine, recording)
    np.testing.assert_allclose(values[-1], [end.item()], rtol=1e-12)
    np.testing.assert_allclose(gradients[recording.index[id(x)]], x.grad.array.ravel(), rtol=1e-9, atol=1e-12)


# ---- what follows the slider


def exploring(run: Any) -> Recording:
    end, ran = recorded(run)
    return Recording(end, ran, Names("explore", None, None, {}))


BATCH = [[1.0, -2.0, 0.5], [0.25, 3.0, 3.0]]


@needs_browser
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.max(1).values,
        lambda x: x.min(0, keepdim=True).values,
        lambda x: mg.max(x, -1, keepdim=True).values * x,
        lambda x: mg.where(x > 1, x, x * x),
        lambda x: mg.softmax(x - x.max().detach(), 1),
        lambda x: x * x.detach(),
        lambda x: (x * 2).detach() * x,
        lambda x: mg.batch_norm(x, None, None, mg.tensor([1.0, 2.0, 3.0]), training=True),
        lambda x: mg.batch_norm(x * x, mg.tensor([0.0, 1.0, 2.0]), mg.tensor([1.0, 0.5, 2.0])),
        lambda x: nn.functional.layer_norm(x, (3,)),
        lambda x: mg.gather(x, 1, mg.tensor([[0, 0], [2, 1]])),
        lambda x: x.unsqueeze(1) @ mg.stack([x.T, x.T * x.T]),
        lambda x: mg.matmul(x[0], mg.stack([x.T, x.T * x.T])),
    ],
)
def test_when_an_input_moves_the_page_agrees_still(machine, function):
    """The page gets the graph of one x, and the numbers of another; equal ones among them."""
    x = mg.tensor(BATCH[::-1], dtype=mg.float64, requires_grad=True)
    recording = exploring(lambda: weighted(function(x)))
    moved = mg.tensor(BATCH, dtype=mg.float64, requires_grad=True)
    end = weighted(function(moved))
    end.backward()
    recording.nodes[recording.index[id(x)]].values = moved.detach().numpy()
    values, gradients = computed(machine, recording)
    np.testing.assert_allclose(values[-1], [end.item()], rtol=1e-6)
    np.testing.assert_allclose(gradients[recording.index[id(x)]], moved.grad.array.ravel(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda x: x[x > 1].sum(), "cannot compute getitem where a condition holds, which other numbers would move"),
        (lambda x: (x[0] * 2)[x[0] > 1].sum(), "cannot compute getitem where a condition holds"),
        (lambda x: mg.masked_select(x, x.exp() > 1).sum(), "masked_select at .* looks at the values of a Tensor of shape"),
        (lambda x: x[x[:, 0].argmax()].sum(), "cannot compute getitem at places that were computed"),
        (lambda x: (x[0][x[0].argsort()] * x[0]).sum(), "cannot compute getitem at places that were computed"),
        (lambda x: x[0][mg.tensor([0, 1]) + (x[0, 0] > 0).to(int)].sum(), "cannot compute getitem at places that were computed"),
        (lambda x: x[0, x[0].argmax().unsqueeze(0)].sum(), "cannot compute getitem at places that were computed"),
        (lambda x: (x.sort(1).values * x).sum(), "cannot compute gather at places that were computed"),
        (lambda x: mg.topk(x, 2, 1).values.sum(), "cannot compute gather at places that were computed"),
        (lambda x: mg.median(x, 1).values.sum(), "cannot compute gather at places that were computed"),
        (lambda x: mg.kthvalue(x, 2).values.sum(), "cannot compute gather at places that were computed"),
        (lambda x: mg.cummax(x, 1).values.sum(), "cannot compute gather at places that were computed"),
        (lambda x: mg.take_along_dim(x, x.argsort(1), 1).sum(), "cannot compute gather at places that were computed"),
        (lambda x: mg.index_select(x, 1, x[0].topk(2).indices).sum(), "at places that were computed"),
    ],
)
def test_places_that_other_numbers_would_move_are_refused(function, told):
    x = mg.tensor(BATCH, requires_grad=True)
    with pytest.raises(ArgumentError, match=told):
        exploring(lambda: function(x))


@pytest.mark.parametrize(
    ("function", "how"),
    [
        (lambda x: (x * 2).sum() if x[0, 0] > 0 else (x * 5).sum(), "bool"),
        (lambda x: (x * x.max().item()).sum(), "item"),
        (lambda x: (x * float(x.detach().sum())).sum(), "item"),
        (lambda x: x[x[:, 0].argmax().item()].sum(), "item"),
        (lambda x: (x * max(x.detach()[0].tolist())).sum(), "tolist"),
        (lambda x: (x * mg.tensor(x.detach().numpy() * 2)).sum(), "numpy"),
        (lambda x: (x * mg.tensor(np.asarray(x.detach()))).sum(), "numpy"),
        (lambda x: (x * mg.tensor([x[0, 0].detach(), 1.0, 2.0])).sum(), "tensor"),
        (lambda x: (x * float(mg.autograd.grad((x * x).sum(), x)[0].sum())).sum(), "item"),
    ],
)
def test_looks_of_python_at_what_other_numbers_would_move_are_refused(function, how):
    x = mg.tensor(BATCH, requires_grad=True)
    told = rf"explore: {how} at .*test_explorer.py:\d+ looks at the values of a Tensor .*, which the slider moves.* mg.where\(condition, a, b\)"
    with pytest.raises(ArgumentError, match=told):
        exploring(lambda: function(x))


def test_python_may_look_at_what_no_slider_moves():
    x, scale, other, places = mg.tensor(BATCH, requires_grad=True), mg.tensor([2.0, 3.0]), mg.tensor(BATCH[::-1]), mg.tensor([1, 0])

    def function():
        factor = scale.max().item() if scale[0] > 0 else 1.0
        return (x * factor).sum() + x[places[0].item()].sum() + x[0, other[0].argmax()] * len(x)

    leaves = [node.values.tolist() for node in exploring(function).nodes if node.moves]
    assert [BATCH] == leaves, "scale and other are not on the page"
    with pytest.raises(ArgumentError, match=r"bool at .* looks at the values"):
        exploring(lambda: function() + scale.sum())


def test_equal_places_are_no_reason_to_refuse(tmp_path):
    """Predictions beside a target that happens to agree: the target moves with nothing."""
    x, target = mg.tensor(BATCH, requires_grad=True), mg.tensor(BATCH).argmax(1)
    told = []

    def function():
        told.append(x.argmax(1))
        return -mg.log_softmax(x, 1)[[1, 0], target].mean()

    place = learn.explore(function, path=tmp_path / "a.html")
    assert target.tolist() == told[0].tolist()
    assert "Not computed again when other numbers move: the places of getitem 1." == noted(place)
    target[0] = 2
    assert "" == noted(learn.explore(function, path=place))


def noted(path: Any) -> str:
    """What the page says of things that do not follow the slider; empty if nothing."""
    page = path.read_text()
    begin = page.find("Not computed again")
    return page[begin : page.index("</p>", begin)] if begin >= 0 else ""


def test_what_does_not_follow_the_slider_is_said(tmp_path):
    place = tmp_path / "a.html"
    x, fixed, mask = mg.tensor(BATCH, requires_grad=True), mg.tensor(BATCH), mg.tensor(BATCH) > 1
    places = mg.tensor([[0, 0], [2, 1]])
    assert "" == noted(learn.explore(lambda: (x * fixed).sum(), path=place)), "what is given moves by itself"
    begin = "Not computed again when other numbers move"
    assert "" == noted(learn.explore(lambda: x[mask].sum() + x.gather(1, places).sum(), path=place)), "constants move with nothing"
    assert f"{begin}: the places of getitem 1." == noted(
        learn.explore(lambda: (x[mask].sum() + mg.where(x > 1, x, 0)).sum(), path=place)
    )
    assert f"{begin}: tensor 1." == noted(learn.explore(lambda: (x * mg.ones(3)).sum(), path=place))
    assert f"{begin}: getitem 1." == noted(learn.explore(lambda: (x * fixed[0]).sum(), path=place))
    chosen = mg.where(x > 1, x, 0.0).sum()
    remedy = "If that should be, hand in a function in place of its result, explore(lambda: …)"
    assert f"{begin}: tensor 1. {remedy}." == noted(learn.explore(chosen, path=place))
    assert f"{begin}: the places of getitem 1. {remedy}." == noted(learn.explore(x[mask].sum(), path=place))
    assert f"{begin}: mask. {remedy}." == noted(learn.explore(mg.where(mask, x, 0.0).sum(), path=place))


# ---- results that were computed before


@needs_browser
def test_constants_that_no_step_kept_are_found_among_the_variables(browser, tmp_path):
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    x, other, t = mg.tensor([[0.5, -1.0], [2.0, 0.3]]), mg.tensor([[9.0], [9.0]]), mg.tensor([[1.0], [-0.25]])
    loss = (model(x) - t).pow(2).mean()
    page = Explorer(browser, learn.explore(loss, path=tmp_path / "a.html").as_uri())
    page.press("end")
    loss.backward()
    assert [1.0, -0.25] == page.numbers("t")[0]
    assert "other" not in page.page.locator("svg").first.text_content()
    assert other.sum() == 18
    for name, parameter in model.named_parameters():
        assert parameter.grad.numpy().ravel().tolist() == pytest.approx(page.numbers(f"model.{name}")[1], rel=1e-5)


def test_a_constant_is_found_only_by_the_value_that_was_kept():
    x, c = mg.tensor([1.0, 2.0], requires_grad=True), mg.tensor([0.5, 0.25])
    for run in (lambda: (x + c).sigmoid().sum(), lambda: ((x - c) * 2).sum(), lambda: (x - (c + 1)).exp().sum()):
        with pytest.raises(ArgumentError, match=r"its value was not kept .* and no variable here has it"):
            learn.explore(run())


def test_of_equal_constants_none_is_named(tmp_path):
    x, c, d = mg.tensor(1.0, requires_grad=True), mg.tensor(0.5), mg.tensor(0.5)
    page = learn.explore((x - d) ** 2 * c, path=tmp_path / "a.html").read_text()
    assert 'aria-label="c"' in page, "a product keeps it"
    assert 'aria-label="d"' not in page
    assert 'aria-label="tensor 1"' in page


def test_a_constant_that_a_variable_had_is_not_taken_once_it_has_changed():
    x, c = mg.tensor([1.0, 2.0], requires_grad=True), mg.tensor([0.5, 0.25])
    y = ((x - c) ** 2).sum()
    c += 1
    with pytest.raises(ArgumentError, match="no variable here has it"):
        learn.explore(y)


def test_places_of_a_result_that_was_computed_before_are_refused():
    x = mg.tensor(BATCH, requires_grad=True)
    with pytest.raises(ArgumentError, match=r"whether max\(dim\), min\(dim\) or gather made this result, its graph does not tell"):
        learn.explore(x.max(1).values.sum())
    with pytest.raises(ArgumentError, match="batch_norm of a batch; hand in a function"):
        learn.explore(nn.BatchNorm1d(3)(x).exp().sum())


# ---- the page, in a browser


@pytest.fixture(scope="module")
def neuron(tmp_path_factory: pytest.TempPathFactory) -> str:
    """L = (tanh(w x + b) − t)² + w², of which w is used twice."""
    w, b = mg.tensor(0.3, dtype=mg.float64, requires_grad=True), mg.tensor(-0.2, dtype=mg.float64, requires_grad=True)
    y = (w * 2.0 + b).tanh()
    L = (y - 1.0) ** 2 + w * w
    return learn.explore(L, path=tmp_path_factory.mktemp("explorer") / "neuron.html", title="A <neuron>").as_uri()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, nn.Module, mg.Tensor, mg.Tensor]:
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))
    x, t = mg.tensor([[0.5, -1.0], [2.0, 0.3]]), mg.tensor([1, 0])
    place = learn.explore(model, x, target=t, loss=nn.CrossEntropyLoss(), path=tmp_path_factory.mktemp("explorer") / "network.html")
    return place.as_uri(), model, x, t


class Explorer(Opened):
    def part(self, name: str) -> Any:
        return self.page.locator(f'.explorer [data-part="{name}"]').first

    def press(self, name: str, times: int = 1) -> None:
        for _ in range(times):
            self.part(name).click()

    def node(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def shown(self, name: str) -> tuple[str, str]:
        """Value and gradient in a node's box."""
        return tuple(self.node(name).locator(f'[data-part="{part}"]').text_content() for part in ("value", "gradient"))

    def numbers(self, name: str) -> tuple[list[float], list[float]]:
        """All values and gradients of a node, from the table that it gets when it is looked at."""
        self.node(name).focus()
        rows = self.part("values").locator("tr").all()[1:]
        cells = [[float(cell.get_attribute("data-number")) for cell in row.locator("[data-number]").all()] for row in rows]
        return [row[0] for row in cells], [row[1] for row in cells if len(row) > 1]

    def told(self) -> str:
        return self.page.locator(".told").inner_text()


@needs_browser
def test_forward_values_appear_one_by_one(browser, neuron):
    page = Explorer(browser, neuron)
    assert "Step 0 of 18, before the first step" == page.part("count").inner_text()
    assert ("0.3", "") == page.shown("w")
    assert ("?", "") == page.shown("mul 1") == page.shown("L")
    page.press("step")
    assert ("0.6", "") == page.shown("mul 1")
    assert "Forward: mul 1 = w · 2" in page.told()
    page.press("step", 2)
    assert "Forward: y = tanh(add 1)" in page.told()
    assert "0.3799" == page.shown("y")[0]
    assert ("?", "") == page.shown("L")
    page.press("back")
    assert "?" == page.shown("y")[0]


@needs_browser
def test_gradients_flow_back_and_add_up(browser, neuron):
    page = Explorer(browser, neuron)
    page.press("end")
    assert "Step 18 of 18, backward" == page.part("count").inner_text()
    y = np.tanh(0.4)
    to_b = 2 * (y - 1) * (1 - y * y)
    values, gradients = page.numbers("w")
    assert ([0.3], pytest.approx([2 * to_b + 0.6], rel=1e-12)) == (values, gradients)
    assert [pytest.approx(to_b, rel=1e-12)] == page.numbers("b")[1]
    assert page.node("w").bounding_box()["y"] >= page.page.locator(".stage").bounding_box()["y"], "it was scrolled to"
    told = page.told()
    assert "Backward: from mul 1 to w" in told
    assert "(-1.061) * 2 = -2.122" in told, "the rule with its numbers"
    assert "0.6 + -2.122 = -1.522" in told, "and the sum so far"
    page.press("back")
    assert "∂L 0.6" == page.shown("w")[1]
    assert [] == page.errors


@needs_browser
def test_keys(browser, neuron):
    page = Explorer(browser, neuron)
    page.page.locator(".explorer").focus()
    for _ in range(3):
        page.page.keyboard.press("ArrowRight")
    page.page.keyboard.press("ArrowLeft")
    assert "Step 2 of 18, forward" == page.part("count").inner_text()
    page.page.keyboard.press("End")
    assert "Step 18 of 18, backward" == page.part("count").inner_text()
    page.page.keyboard.press("Home")
    page.part("speed").select_option("350")
    page.page.locator(".explorer").focus()
    page.page.keyboard.press(" ")
    assert "Pause" == page.part("play").inner_text()
    page.page.wait_for_function("document.querySelector('[data-part=count]').textContent.startsWith('Step 2 ')")
    page.page.keyboard.press(" ")
    assert "Play" == page.part("play").inner_text()


@needs_browser
def test_arrow_keys_on_a_fresh_page_and_after_a_click(browser, neuron):
    page = Explorer(browser, neuron)
    page.page.keyboard.press("ArrowRight")
    assert "Step 1 of 18, forward" == page.part("count").inner_text()
    page.press("step")
    page.page.keyboard.press("ArrowRight")
    assert "Step 3 of 18, forward" == page.part("count").inner_text()
    page.page.keyboard.press(" ")
    assert "Step 4 of 18, forward" == page.part("count").inner_text(), "Space presses the button that has the focus"
    assert "Play" == page.part("play").inner_text()


@needs_browser
@pytest.mark.parametrize("width", [360, 1200])
def test_the_node_under_the_pointer_is_told_beside_the_graph(browser, tmp_path, width):
    w = mg.arange(100.0, requires_grad=True)
    page = Explorer(browser, learn.explore(lambda: (w * w).sum(), path=tmp_path / "a.html").as_uri(), width)
    page.press("end")
    stage, looked = (page.page.locator(name).bounding_box() for name in (".stage", ".looked"))
    page.node("sum 1").hover()
    assert "sum 1: sum, shape ()" == page.part("looked").inner_text()
    assert looked == page.page.locator(".looked").bounding_box(), "nothing jumps"
    page.node("w").hover()
    if width > 900:
        assert looked["x"] >= stage["x"] + stage["width"]
        assert stage["y"] == looked["y"]
    else:
        assert 0 < looked["y"] - stage["y"] - stage["height"] < 20
    assert ([*range(100)], [*range(0, 200, 2)]) == page.numbers("w")
    assert "w: given, shape (100,)\n(100,), 100 numbers\ndL/d (100,), 100 numbers" == page.node("w").locator("title").text_content()
    assert width >= page.page.evaluate("document.documentElement.scrollWidth")


@needs_browser
def test_boxes_show_the_smallest_and_the_largest(browser, tmp_path):
    z = mg.tensor([[1.0, 2.0], [0.5, -0.25]], requires_grad=True)
    page = Explorer(browser, learn.explore(lambda: mg.softmax(z, 1)[:, 0].sum() + z.sum(), path=tmp_path / "a.html").as_uri())
    assert ("(2, 2) -0.25…2", "") == page.shown("z")
    page.press("step")
    assert "(2, 2) 0.269…0.731" == page.shown("softmax 1")[0]
    page.press("end")
    assert "∂L 0.782…1.22" == page.shown("z")[1]
    page.press("back")
    assert "∂L all 1" == page.shown("z")[1]


@needs_browser
def test_infinite_numbers_are_shown_and_what_is_no_float_cannot_be_moved(browser, tmp_path):
    mask, x = mg.tensor([[0.0, -np.inf], [0.0, 0.0]]), mg.tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)
    chosen = mg.tensor([0, 1])
    place = learn.explore(lambda: nn.functional.cross_entropy(x + mask, chosen), path=tmp_path / "a.html")
    page = Explorer(browser, place.as_uri())
    page.press("end")
    assert [0.0, 0.0] == page.numbers("x")[1][:2]
    assert [0.0, -np.inf, 0.0, 0.0] == page.numbers("mask")[0]
    assert ["x"] * 4 + ["mask"] * 4 == [option.split("[")[0] for option in page.part("which").locator("option").all_inner_texts()]
    page.part("which").select_option(label="mask[0, 1]")
    page.part("exact").fill("0")
    page.part("exact").press("Enter")
    assert 0.0 < page.numbers("x")[1][1]
    page.press("reset")
    assert [0.0, -np.inf, 0.0, 0.0] == page.numbers("mask")[0]
    assert [] == page.errors


@needs_browser
def test_the_slider_changes_an_input_and_all_is_computed_anew(browser, network):
    address, model, x, t = network
    page = Explorer(browser, address)
    page.press("end")
    page.part("which").select_option(label="x[1, 0]")
    assert "2" == page.part("exact").input_value()
    page.part("slider").focus()
    for _ in range(9):
        page.page.keyboard.press("ArrowLeft")
    moved = float(page.part("slider").input_value())
    assert 1.0 < moved < 2.0
    agrees(page, model, mg.tensor([[0.5, -1.0], [moved, 0.3]]), t)
    page.part("which").select_option(label="2.weight[0, 1]")
    page.part("exact").fill("-1.25")
    page.part("exact").press("Enter")
    with mg.no_grad():
        model[2].weight[0, 1] = -1.25
    agrees(page, model, mg.tensor([[0.5, -1.0], [moved, 0.3]]), t)
    page.press("reset")
    assert x.numpy().ravel().tolist() == pytest.approx(page.numbers("x")[0], rel=1e-7)
    assert [] == page.errors


def agrees(page: Explorer, model: nn.Module, x: mg.Tensor, t: mg.Tensor) -> None:
    """The page's numbers are those of minigrad in float64."""
    double = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    double.load_state_dict({name: value.double() for name, value in model.state_dict().items()})
    loss = nn.CrossEntropyLoss()(double(x.double()), t)
    loss.backward()
    assert [loss.item()] == pytest.approx(page.numbers("cross_entropy 1")[0], rel=1e-6)
    for name, parameter in double.named_parameters():
        values, gradients = page.numbers(name)
        assert parameter.detach().numpy().ravel().tolist() == pytest.approx(values, rel=1e-6)
        assert parameter.grad.numpy().ravel().tolist() == pytest.approx(gradients, rel=1e-6, abs=1e-9)


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_stands_alone_and_fits_a_phone(browser, neuron, network, scheme, width):
    for address in (neuron, network[0]):
        page = Explorer(browser, address, width, scheme)
        page.press("step", 2)
        assert width >= page.page.evaluate("document.documentElement.scrollWidth")
        assert [address] == [request for request in page.requests if not request.startswith("data:")]
        assert [] == page.errors
    assert "Forward and backward, step by step" == page.page.locator("h1").inner_text()


def test_inputs_and_targets_without_a_name_are_called_as_the_function_calls_them(tmp_path):
    called = mg.ones(1, 2)

    def run(first, second):
        return ((first + second) * called).sum(1)

    page = learn.explore(
        run, mg.ones(1, 2, requires_grad=True), called, target=mg.ones(1), loss=nn.MSELoss(), path=tmp_path / "a.html"
    ).read_text()
    assert all(f'aria-label="{name}"' in page for name in ("first", "called", "target"))
    assert 'aria-label="second"' not in page


def test_it_is_said_when_not_all_elements_can_be_chosen(tmp_path):
    few, many = (
        learn.explore(lambda n=n: mg.ones(n, requires_grad=True).sum(), path=tmp_path / "a.html").read_text() for n in (400, 1200)
    )
    assert "elements can be chosen" not in few
    assert "(the first 400 of 1,200 elements can be chosen)" in many


# ---- what explore refuses


def test_a_result_that_is_no_number_or_has_no_graph(tmp_path):
    x = mg.ones(2, requires_grad=True)
    with pytest.raises(InputTypeError, match=r"one number, got shape \(2,\); give a loss"):
        learn.explore(lambda: x * 2, path=tmp_path / "a.html")
    with pytest.raises(GraphError, match="requires grad"):
        learn.explore(lambda: mg.ones(()) * 2, path=tmp_path / "a.html")
    with pytest.raises(GraphError, match="no graph"):
        learn.explore(mg.ones((), requires_grad=True), path=tmp_path / "a.html")
    with pytest.raises(InputTypeError, match="got int"):
        learn.explore(3, path=tmp_path / "a.html")
    assert [] == list(tmp_path.iterdir())


def test_what_was_not_kept_is_named():
    x = mg.ones((), requires_grad=True)
    with pytest.raises(ArgumentError, match=r"sub took b, .* explore\(model, X, target=Y, .* explore\(lambda"):
        learn.explore((x - mg.ones(())) ** 2)


def test_a_target_without_a_loss_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="target is compared by a loss"):
        learn.explore(lambda x: x, mg.ones((), requires_grad=True), target=mg.ones(()), path=tmp_path / "a.html")


@pytest.mark.parametrize("settings", [{"padding_idx": 0}, {"scale_grad_by_freq": True}])
def test_embeddings_with_another_gradient_are_refused(tmp_path, settings):
    table = mg.ones(2, 3, requires_grad=True)
    with pytest.raises(ArgumentError, match="cannot compute embedding"):
        learn.explore(lambda: nn.functional.embedding(mg.tensor([0, 1]), table, **settings).sum(), path=tmp_path / "a.html")


def test_what_is_refused_is_called_by_its_public_name(tmp_path):
    x = mg.ones(2, 3, requires_grad=True)
    with pytest.raises(ArgumentError, match=r"cannot compute embedding; it can amax, amin, batch_norm, "):
        learn.explore(lambda: nn.functional.embedding(mg.tensor([0]), x, padding_idx=0).sum(), path=tmp_path / "a.html")
    page = learn.explore(lambda: x.max(1).values.sum(), path=tmp_path / "a.html").read_text()
    assert 'aria-label="max 1"' in page
    assert ">max(x)</text>" in page
    page = learn.explore(lambda: (x**2).sum(), path=tmp_path / "a.html").read_text()
    assert 'aria-label="pow 1"' in page
    assert ">x ^ 2</text>" in page


def test_all_operations_are_called_by_public_names():
    own = [one for one in gc.get_objects() if isinstance(one, Op) and of_library(one)]
    names = {*dir(mg), *dir(mg.autograd), *dir(nn.functional), *dir(mg.Tensor)}
    assert [] == sorted(public(one) for one in own if not {public(one), f"__{public(one)}__"} & names)
    assert {*PUBLIC} <= {one.name for one in own}
    assert not {*PUBLIC} & names


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        (lambda x: (x.T @ x).sum(), "permute(x)"),
        (lambda x: nn.functional.gelu(x).sum(), "gelu(x)"),
        (lambda x: nn.functional.gelu(x, approximate="tanh").sum(), "gelu(x)"),
        (lambda x: x.reshape(-1).sum(), "reshape(x)"),
    ],
)
def test_boxes_show_public_names(tmp_path, function, shown):
    x = mg.tensor(BATCH, requires_grad=True)
    page = learn.explore(lambda: function(x), path=tmp_path / "a.html").read_text()
    assert f">{shown}</text>" in page


def test_refusals_name_public_names():
    x = mg.tensor(BATCH, requires_grad=True)
    for function, told in ((lambda: x.median(), "cannot compute median;"), (lambda: x.double().sum(), "cannot compute to;")):
        with pytest.raises(ArgumentError, match=told):
            learn.explore(function)


def test_an_operation_of_ones_own_is_not_taken_for_one_of_minigrad():
    @mg.op
    def softmax(x):
        return 2 * x

    @softmax.backward("x")
    def _(g):
        return 2 * g

    class cumsum(mg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, grad):
            return 2 * grad

    for function in (softmax, cumsum.apply):
        with pytest.raises(ArgumentError, match="which is not one of minigrad's own"):
            learn.explore(lambda function=function: function(mg.ones(2, 3, requires_grad=True)).sum())


def test_writing_in_place_is_refused():
    def run():
        y = mg.ones(3, requires_grad=True) * 2
        y += 1
        return y.sum()

    with pytest.raises(ArgumentError, match="in place"):
        learn.explore(run)


def test_large_computations_are_refused():
    with pytest.raises(ArgumentError, match=r"too many to look at one by one \(at most 150 and 4,096\)"):
        learn.explore(lambda: mg.ones(100, 100, requires_grad=True).sum())


def test_rules_that_ask_in_python_cannot_be_written_down():
    assert "(v_x) => { const t0 = v_x > 0.0; const t1 = N.where(t0, v_x, 0.0); return t1; }" == javascript(
        lambda x: mg.notation.where(x > 0, x, 0), ["x"], {}
    )
    with pytest.raises(TypeError, match="what a value is"):
        javascript(lambda x: 1 if x > 0 else 0, ["x"], {})
