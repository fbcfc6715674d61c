"""Operations of one's own in PyTorch's way: autograd.Function."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd import Function
from minigrad.errors import GraphError, InputTypeError


class Legendre(Function):
    """½ (5x³ − 3x), from its input."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return 0.5 * (5 * x**3 - 3 * x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 1.5 * (5 * x**2 - 1)


class Exp(Function):
    """From its output."""

    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0]


class Scaled(Function):
    """a · b · factor, with setup_context, a number among the arguments, and a count of the backward passes."""

    passes = 0

    @staticmethod
    def forward(a, b, factor):
        return a * b * factor

    @staticmethod
    def setup_context(ctx, inputs, output):
        a, b, ctx.factor = inputs
        ctx.save_for_backward(a, b, None)

    @staticmethod
    def backward(ctx, grad):
        Scaled.passes += 1
        a, b, nothing = ctx.saved_tensors
        assert nothing is None
        return (grad * b * ctx.factor if ctx.needs_input_grad[0] else None), grad * a * ctx.factor, None


def points(*values):
    return mg.tensor(list(values), dtype=mg.float64, requires_grad=True)


@pytest.mark.parametrize("function", [Legendre, Exp])
def test_first_and_second_derivatives(function):
    x = points(0.3, -0.7, 1.1)
    assert mg.gradcheck(function.apply, (x,))
    assert mg.gradgradcheck(function.apply, (x,))
    y = function.apply(x)
    assert y.requires_grad
    np.testing.assert_allclose(y.detach().numpy(), function.apply(x.detach()).numpy())
    assert not function.apply(x.detach()).requires_grad


def test_arguments_of_several_kinds():
    a, b = points(1.0, 2.0), points(3.0, 5.0)
    Scaled.passes = 0
    Scaled.apply(a, b, 10).sum().backward()
    assert ([30.0, 50.0], [10.0, 20.0], 1) == (a.grad.tolist(), b.grad.tolist(), Scaled.passes)
    assert mg.gradgradcheck(lambda a, b: Scaled.apply(a, b, 0.5), (a, b))
    (g,) = mg.grad(Scaled.apply(a.detach(), b, 2).sum(), b)
    assert [2.0, 4.0] == g.tolist()
    y = Scaled.apply(a, b, 1)
    for _ in range(2):
        y.sum().backward(retain_graph=True)


def test_an_argument_without_gradient_gets_zeros():
    class First(Function):
        @staticmethod
        def forward(ctx, a, b):
            return a + 0 * b

        @staticmethod
        def backward(ctx, grad):
            return grad, None

    a, b = points(1.0), points(2.0)
    First.apply(a, b).backward()
    assert ([1.0], [0.0]) == (a.grad.tolist(), b.grad.tolist())


def test_an_input_handed_on_is_copied_and_integers_carry_no_gradient():
    class Same(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, grad):
            return -grad

    class Largest(Same):
        @staticmethod
        def forward(ctx, x):
            return x.argmax()

    x = points(1.0, 2.0)
    y = Same.apply(x)
    assert not np.shares_memory(x.array, y.array)
    y.sum().backward()
    assert [-1.0, -1.0] == x.grad.tolist()
    assert not Largest.apply(x).requires_grad


def test_a_graph_with_a_function_dies_with_its_last_reference():
    x = points(1.0)
    y = Exp.apply(x)
    last = weakref.ref(y.grad_fn)
    gc.disable()
    try:
        del y
        assert last() is None
    finally:
        gc.enable()


def test_misuse_is_refused():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            return (x, x) if x.ndim == 0 else x * 1

        @staticmethod
        def backward(ctx, grad):
            return grad, grad

    with pytest.raises(InputTypeError, match=r"Wrong\.forward: must return one Tensor, got tuple"):
        Wrong.apply(mg.tensor(1.0))
    with pytest.raises(GraphError, match=r"Wrong\.backward: returned 2 gradients for the 1 arguments"):
        Wrong.apply(points(1.0)).backward()
    with pytest.raises(NotImplementedError, match="must define forward"):
        Function.apply(mg.ones(1))
    with pytest.raises(NotImplementedError, match="must define backward"):
        Function.backward(None)
    x = points(1.0) * 1
    y = Legendre.apply(x)
    with mg.no_grad():
        x.mul_(2)
    with pytest.raises(GraphError, match="saved_tensors: tensor 0 was changed in place after it was saved"):
        y.backward()

    class Saving(Wrong):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(3)

    with pytest.raises(InputTypeError, match=r"save_for_backward: tensors\[0\] must be a Tensor or None, got int"):
        Saving.apply(mg.ones(1))
