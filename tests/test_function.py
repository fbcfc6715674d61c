"""Operations of one's own in PyTorch's way: autograd.Function."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd import Function
from minigrad.autograd.function import FunctionCtx
from minigrad.errors import ArgumentError, GraphError, InputTypeError


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


def test_each_pass_runs_backward_once_whatever_part_of_it_is_asked_for():
    a, b = points(3.0), points(5.0)
    y = Scaled.apply(a, b, 1)
    Scaled.passes = 0
    for n in (1, 2, 3):
        y.backward(retain_graph=True)
        assert ([5.0 * n], [3.0 * n], n) == (a.grad.tolist(), b.grad.tolist(), Scaled.passes)
    for create_graph in (False, True):
        Scaled.passes = 0
        (ga,) = mg.grad(y, a, retain_graph=True, create_graph=create_graph)
        (gb,) = mg.grad(y, b, retain_graph=True, create_graph=create_graph)
        assert ([5.0], [3.0], 2) == (ga.tolist(), gb.tolist(), Scaled.passes)


def test_a_change_in_place_between_two_passes_is_noticed():
    x = points(1.0) * 1
    y = Legendre.apply(x)
    y.backward(retain_graph=True)
    with mg.no_grad():
        x.mul_(2)
    with pytest.raises(GraphError, match="saved_tensors: tensor 0 was changed in place after it was saved"):
        y.backward(retain_graph=True)


def test_a_pass_that_does_not_retain_the_graph_frees_what_was_saved():
    x = points(1.0) * 1
    array = weakref.ref(x.array)
    y = Legendre.apply(x)
    del x
    assert array() is not None
    y.backward()
    assert array() is None
    with pytest.raises(GraphError, match=r"freed by an earlier backward pass \(at Legendre\)"):
        y.backward()


class Doubled(Function):
    """Saves nothing."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


def test_arguments_that_were_not_saved_are_not_kept():
    x = points(1.0) * 1
    array = weakref.ref(x.array)
    y = Doubled.apply(x)
    del x
    assert array() is None
    y.backward()


def test_saved_memory_sees_what_a_function_keeps():
    x = points(*range(100)) * 1
    (kept,) = (row for row in mg.autograd.saved_memory(Legendre.apply(x)).rows if row.operation == "Legendre")
    assert (1, 1600) == (kept.steps, kept.bytes)  # its input and its output
    (kept,) = (row for row in mg.autograd.saved_memory(Doubled.apply(x)).rows if row.operation == "Doubled")
    assert (1, 800) == (kept.steps, kept.bytes)
    assert 0 == sum(row.bytes for row in mg.autograd.saved_memory(Legendre.apply(points(1.0)) * 1).rows if row.operation == "mul")


def test_what_backward_returns_is_checked():
    def of(*returned, args=1):
        class Mine(Function):
            @staticmethod
            def forward(ctx, *args):
                return args[0] * 2

            @staticmethod
            def backward(ctx, grad):
                return returned if len(returned) > 1 else returned[0]

        x = points(1.0, 2.0, 3.0)
        Mine.apply(x, *[3] * (args - 1)).sum().backward()
        return x.grad.tolist()

    ones = mg.ones(3)
    assert [1.0, 1.0, 1.0] == of(ones, None, None) == of(ones, None, args=2)
    assert [4.0, 4.0, 4.0] == of(mg.ones(4, 3))
    assert [0.0, 0.0, 0.0] == of(None)
    for returned, args, message in (
        ((1.0,), 1, "the gradient of argument 0 must be a Tensor or None, got float"),
        ((np.ones(3),), 1, "the gradient of argument 0 must be a Tensor or None, got ndarray"),
        (([ones],), 1, "the gradient of argument 0 must be a Tensor or None, got list"),
        ((mg.ones(2),), 1, r"the gradient of argument 0 has shape \(2,\), the argument itself \(3,\)"),
        ((mg.ones(1),), 1, r"the gradient of argument 0 has shape \(1,\), the argument itself \(3,\)"),
        ((ones, ones), 2, "the gradient of argument 1, which is no Tensor, must be None"),
        ((ones, None, ones), 1, "returned 3 gradients for the 1 arguments of forward"),
        ((ones,), 2, "returned 1 gradients for the 2 arguments of forward"),
    ):
        with pytest.raises(GraphError, match=rf"^Mine\.backward: {message}"):
            of(*returned, args=args)


def test_a_step_has_the_name_of_its_class():
    y = Legendre.apply(points(1.0))
    assert ("Legendre", "tensor([1.], dtype=float64, grad_fn=<Legendre>)") == (y.grad_fn.name, repr(y))


def test_an_output_may_be_marked_as_constant():
    class Sign(Doubled):
        @staticmethod
        def forward(ctx, x):
            y = x.sign()
            ctx.mark_non_differentiable(y)
            ctx.set_materialize_grads(False)
            return y

    y = Sign.apply(points(-2.0))
    assert ([-1.0], False, None) == (y.tolist(), y.requires_grad, y.grad_fn)
    with pytest.raises(ArgumentError, match="set_materialize_grads: value must be True or False, got 1"):
        FunctionCtx().set_materialize_grads(1)


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


@pytest.mark.parametrize("passes", [0, 1, 2])
def test_a_graph_with_a_function_dies_with_its_last_reference(passes):
    x, factor = points(1.0), points(2.0)
    gc.collect()
    gc.disable()
    try:
        for call in (lambda: Exp.apply(x), lambda: Scaled.apply(x, factor, 3)):
            y = call()
            last = weakref.ref(y.grad_fn)
            for _ in range(passes):
                mg.grad(y, x, create_graph=True)
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


def test_gradients_of_broadcast_arguments_are_summed():
    class Product(Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx, grad):
            a, b = ctx.saved_tensors
            return grad * b, grad * a

    inputs = points(1.0, 2.0), points([3.0, 4.0], [5.0, 6.0])
    assert mg.gradcheck(Product.apply, inputs)
    assert mg.gradgradcheck(Product.apply, inputs)
