"""Fixtures of several files."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browsing import CHROMIUM, FLAGS

import minigrad as mg


@pytest.fixture
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.fixture
def spy() -> Iterator[tuple[Callable[..., mg.Tensor], list[str]]]:
    """The product of three tensors, and a list of the rules that ran."""
    ran: list[str] = []

    def spied_product(a: mg.Tensor, b: mg.Tensor, c: mg.Tensor) -> mg.Tensor:
        return a * b * c

    product = mg.op(spied_product)

    @product.backward("a")
    def _(g: Any, b: Any, c: Any) -> Any:
        ran.append("a")
        return g * b * c

    @product.backward("b")
    def _(g: Any, a: Any, c: Any) -> Any:
        ran.append("b")
        return g * a * c

    @product.backward("c")
    def _(g: Any, a: Any, b: Any) -> Any:
        ran.append("c")
        return g * a * b

    yield product, ran
    mg.Op.instances.remove(product)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()
