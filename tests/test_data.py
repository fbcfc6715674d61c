"""Datasets, batches and toy problems: every sample once an epoch, the same seed the same order, exact geometry."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import minigrad as mg
from minigrad import data
from minigrad.data import DataLoader, Dataset, Subset, TensorDataset, default_collate, random_split
from minigrad.errors import ArgumentError, IndexRangeError, InputTypeError, ShapeError

Pair = namedtuple("Pair", ["x", "y"])


class Squares(Dataset):
    """Samples that are computed: (i, i²)."""

    def __init__(self, size: int):
        self.size = size

    def __getitem__(self, index: int) -> tuple[int, float]:
        assert type(index) is int
        return index, float(index**2)

    def __len__(self) -> int:
        return self.size


def numbered(size: int) -> TensorDataset:
    """Row i is (2i, 2i + 1) with label i."""
    return TensorDataset(mg.arange(2 * size, dtype=np.float32).reshape(size, 2), mg.arange(size))


def seeded(seed: int) -> mg.Generator:
    return mg.Generator(seed)


def epoch(loader: DataLoader) -> list[int]:
    """The labels of one epoch, in order."""
    return [label for _, y in loader for label in y.tolist()]


# ---- datasets


def test_tensor_dataset_gives_rows() -> None:
    dataset = numbered(5)
    x, y = dataset[3]
    assert isinstance(dataset[3], tuple)
    assert [6, 7] == x.tolist()
    assert y.shape == ()
    assert y.item() == 3
    assert [[2, 3], [0, 1]] == dataset[[1, 0]][0].tolist()
    assert len(dataset) == 5
    assert [0, 1, 2, 3, 4] == [y.item() for _, y in dataset]  # type: ignore[attr-defined]


def test_tensor_dataset_refuses() -> None:
    with pytest.raises(ArgumentError, match="at least one Tensor"):
        TensorDataset()
    with pytest.raises(InputTypeError, match=r"tensors\[1\] must be a Tensor, got ndarray"):
        TensorDataset(mg.zeros(3), np.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"tensors\[0\] has shape \(4, 2\), tensors\[2\] has \(3,\)"):
        TensorDataset(mg.zeros(4, 2), mg.zeros(4), mg.zeros(3))
    with pytest.raises(ShapeError, match=r"tensors\[0\] has shape \(\)"):
        TensorDataset(mg.tensor(1.0))


def test_dataset_without_definitions() -> None:
    with pytest.raises(NotImplementedError, match="Dataset must define __getitem__"):
        Dataset()[0]
    with pytest.raises(InputTypeError, match="Dataset must define __len__"):
        len(Dataset())


def test_subset() -> None:
    subset = Subset(Squares(10), [7, -1, 7])
    assert [(7, 49.0), (9, 81.0), (7, 49.0)] == [subset[i] for i in range(3)]
    assert subset.indices == [7, 9, 7]
    assert len(subset) == 3
    nested = Subset(subset, mg.tensor([1]))
    assert nested[0] == (9, 81.0)
    assert len(Subset(Squares(3), [])) == 0
    with pytest.raises(IndexError):
        subset[3]


def test_subset_refuses() -> None:
    with pytest.raises(IndexRangeError, match="positions in a dataset of 4 samples, got 4"):
        Subset(Squares(4), [0, 4])
    with pytest.raises(IndexRangeError, match="got -5"):
        Subset(Squares(4), [-5])
    with pytest.raises(InputTypeError, match="Subset: indices must be ints: 'float'"):
        Subset(Squares(4), [0.5])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [
        ([7, 3], [7, 3]),
        ([10, 0], [10, 0]),
        ([0.5, 0.5], [5, 5]),
        ([0.34, 0.33, 0.33], [4, 3, 3]),
        ([0.25, 0.25, 0.25, 0.25], [3, 3, 2, 2]),
        ([0.7, 0.2, 0.1], [7, 2, 1]),  # their sum is 0.9999999999999999
        ([0.1, 0.3, 0.6 + 2e-16], [1, 3, 6]),
        ([1], [10]),
    ],
)
def test_random_split_sizes(lengths: list[float], sizes: list[int]) -> None:
    parts = random_split(Squares(10), lengths, seeded(0))
    assert sizes == [len(part) for part in parts]
    assert list(range(10)) == sorted(i for part in parts for i in part.indices)


def test_random_split_is_seeded_and_random() -> None:
    first, again, other = (random_split(numbered(100), [0.8, 0.2], seeded(seed))[1].indices for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first != sorted(first)
    mg.manual_seed(5)
    by_default = random_split(numbered(100), [80, 20])[1].indices
    assert by_default == random_split(numbered(100), [80, 20], seeded(5))[1].indices


def test_random_split_refuses() -> None:
    with pytest.raises(ArgumentError, match=r"lengths \[3, 4\] add up to 7, but the dataset has 10 samples"):
        random_split(Squares(10), [3, 4])
    with pytest.raises(ArgumentError, match=r"fractions must add up to 1, but \[0.5, 0.25\] add up to 0.75"):
        random_split(Squares(10), [0.5, 0.25])
    with pytest.raises(ArgumentError, match=r"not be negative, got \[11, -1\]"):
        random_split(Squares(10), [11, -1])
    with pytest.warns(UserWarning, match=r"part 1 of 3 samples split by \[0.9, 0.1\] is empty") as caught:
        random_split(Squares(3), [0.9, 0.1])
    assert caught[0].filename == __file__


# ---- the loader


@pytest.mark.parametrize("make", [numbered, Squares, lambda size: Subset(numbered(size + 3), range(size))])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("size", "batch_size"), [(10, 4), (8, 4), (3, 5), (1, 1), (0, 2)])
def test_every_sample_once_an_epoch(make: Callable[[int], Dataset], shuffle: bool, size: int, batch_size: int) -> None:
    for drop_last in (False, True):
        loader = DataLoader(make(size), batch_size, shuffle, drop_last=drop_last, generator=seeded(0))
        full, rest = divmod(size, batch_size)
        sizes = [batch_size] * full + ([rest] if rest and not drop_last else [])
        for _ in range(2):
            batches = list(loader)
            assert sizes == [len(batch[-1]) for batch in batches]
            assert len(sizes) == len(loader)
        if not drop_last:
            labels = [i for batch in batches for i in batch[0 if make is Squares else 1].tolist()]
            assert list(range(size)) == sorted(labels)


def test_without_shuffle_in_order() -> None:
    assert list(range(10)) == epoch(DataLoader(numbered(10), batch_size=3))


def test_same_seed_same_epochs() -> None:
    def epochs(generator: mg.Generator | None) -> list[list[int]]:
        loader = DataLoader(numbered(50), batch_size=8, shuffle=True, generator=generator)
        return [epoch(loader) for _ in range(3)]

    first = epochs(seeded(3))
    assert first == epochs(seeded(3))
    assert first != epochs(seeded(4))
    assert len({tuple(order) for order in first}) == 3
    assert all(order != sorted(order) for order in first)
    mg.manual_seed(3)
    assert first == epochs(None)
    # The fast path and the sample-by-sample path agree.
    slow = DataLoader(numbered(50), 8, True, collate_fn=lambda batch: default_collate(batch), generator=seeded(3))
    assert first == [epoch(slow) for _ in range(3)]


def test_order_is_drawn_when_an_epoch_begins() -> None:
    generator = seeded(0)
    loader = DataLoader(numbered(20), batch_size=20, shuffle=True, generator=generator)
    early, late = iter(loader), iter(loader)
    orders = [next(late)[1].tolist(), next(early)[1].tolist()]
    generator.manual_seed(0)
    assert [epoch(loader), epoch(loader)] == orders[::-1]


def test_shuffle_is_uniform() -> None:
    """Each sample comes first equally often: χ² with 4 degrees of freedom is below 18.5 with probability 0.999."""
    loader = DataLoader(numbered(5), batch_size=5, shuffle=True, generator=seeded(0))
    firsts = np.bincount([epoch(loader)[0] for _ in range(1000)], minlength=5)
    assert ((firsts - 200) ** 2 / 200).sum() < 18.5


def test_batches_of_a_tensor_dataset() -> None:
    dataset = numbered(10)
    x, y = next(iter(DataLoader(dataset, batch_size=4, shuffle=True, generator=seeded(0))))
    assert x.dtype == np.float32
    assert y.dtype == np.int64
    assert x.shape == (4, 2)
    assert np.array_equal(x.numpy(), np.stack([2 * y.numpy(), 2 * y.numpy() + 1], axis=1))
    x.zero_()
    assert dataset.tensors[0].numpy().sum() == 190  # a batch is a copy


def test_batches_are_lists_as_in_pytorch() -> None:
    for dataset in (numbered(4), Squares(4)):
        assert isinstance(next(iter(DataLoader(dataset, 2))), list)


@pytest.mark.parametrize("collate_fn", [None, lambda batch: default_collate(batch)])
def test_batches_are_contiguous(collate_fn: Callable[..., Any] | None) -> None:
    values = np.arange(120.0).reshape(2, 3, 4, 5)
    for array in (values.T, values[:, :, ::2], np.asfortranarray(values), values.transpose(1, 0, 3, 2)):
        (batch,) = next(iter(DataLoader(TensorDataset(mg.from_numpy(array)), 2, collate_fn=collate_fn)))
        assert batch.is_contiguous()
        assert np.array_equal(array[:2], batch.numpy())


def test_one_indexing_per_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sample is looked up by itself: a TensorDataset's __getitem__ is never called."""
    dataset = numbered(9)
    loaders = DataLoader(dataset, 4), DataLoader(Subset(Subset(dataset, range(1, 9)), [3, 0]), 4)
    monkeypatch.setattr(mg.Tensor, "__getitem__", None)
    assert list(range(9)) == epoch(loaders[0])
    assert [4, 1] == epoch(loaders[1])


def test_a_changed_getitem_is_respected() -> None:
    class Negated(TensorDataset):
        def __getitem__(self, index: Any) -> Any:
            assert type(index) is int
            return -self.tensors[0][index]

    class Shifted(Subset):
        def __getitem__(self, index: Any) -> Any:
            return self.dataset[self.indices[index]][1] + 100

    assert [0, -1, -2] == next(iter(DataLoader(Negated(mg.arange(3)), 3))).tolist()
    assert [102, 101] == next(iter(DataLoader(Shifted(numbered(3), [2, 1]), 2))).tolist()
    assert [-2, -1] == next(iter(DataLoader(Subset(Negated(mg.arange(3)), [2, 1]), 2))).tolist()


def test_gradients_flow_through_a_batch() -> None:
    x = mg.arange(5, dtype=np.float64).requires_grad_()
    loader = DataLoader(TensorDataset(x), batch_size=2, sampler=[3, 3, 1])
    (sum((batch * (i + 1)).sum() for i, (batch,) in enumerate(loader))).backward()
    assert x.grad is not None
    assert [0, 2, 0, 2, 0] == x.grad.tolist()


def test_sampler() -> None:
    class Odd:
        def __iter__(self) -> Any:
            return iter(range(1, 10, 2))

        def __len__(self) -> int:
            return 5

    loader = DataLoader(numbered(10), batch_size=2, sampler=Odd())
    assert [1, 3, 5, 7, 9] == epoch(loader) == epoch(loader)
    assert len(loader) == 3
    assert len(DataLoader(numbered(10), 2, sampler=Odd(), drop_last=True)) == 2
    assert [3, 9] == epoch(DataLoader(numbered(10), sampler=mg.tensor([3, -1])))
    with pytest.raises(IndexRangeError, match="sampler's indices must be positions in a dataset of 10 samples, got 10"):
        epoch(DataLoader(numbered(10), sampler=[2, 10]))
    with pytest.raises(InputTypeError, match="sampler's indices must be ints"):
        epoch(DataLoader(numbered(10), sampler=["a"]))  # type: ignore[list-item]


def test_collate_fn_gets_the_samples() -> None:
    batches = list(DataLoader(Squares(5), batch_size=2, collate_fn=lambda batch: batch))
    assert [[(0, 0.0), (1, 1.0)], [(2, 4.0), (3, 9.0)], [(4, 16.0)]] == batches


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 0}, ArgumentError, "batch_size must be a positive int, got 0"),
        ({"batch_size": -3}, ArgumentError, "got -3"),
        ({"batch_size": 2.0}, ArgumentError, r"got 2\.0"),
        ({"batch_size": True}, ArgumentError, "got True"),
        ({"batch_size": "8"}, ArgumentError, "got '8'"),
        ({"shuffle": 1}, ArgumentError, "shuffle must be True or False, got 1"),
        ({"drop_last": None}, ArgumentError, "drop_last must be True or False, got None"),
        ({"shuffle": True, "sampler": [0]}, ArgumentError, "shuffle=True and a sampler exclude each other"),
        ({"sampler": 3}, InputTypeError, "sampler must be iterable and have a length, got int"),
        ({"sampler": iter([0])}, InputTypeError, "got list_iterator"),
        ({"collate_fn": 3}, InputTypeError, "collate_fn must be callable, got int"),
        ({"generator": 3}, InputTypeError, "generator must be a minigrad Generator, got int"),
    ],
)
def test_loader_refuses(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"DataLoader: .*{message}"):
        DataLoader(Squares(4), **arguments)


def test_loader_refuses_what_is_no_dataset() -> None:
    with pytest.raises(InputTypeError, match=r"dataset must have a length and dataset\[i\], got generator"):
        DataLoader(i for i in range(3))


# ---- collate


@pytest.mark.parametrize(
    ("batch", "values", "dtype"),
    [
        ([1, 2], [1, 2], np.int64),
        ([True, False], [True, False], np.bool_),
        ([0.5, 2], [0.5, 2.0], np.float64),
        ([np.float32(1), np.float32(3)], [1.0, 3.0], np.float32),
        ([np.uint8(1), np.uint8(3)], [1, 3], np.uint8),
        ([mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0])], [[1.0, 2.0], [3.0, 4.0]], np.float32),
        ([np.zeros((1, 2)), np.ones((1, 2))], [[[0.0, 0.0]], [[1.0, 1.0]]], np.float64),
        ([np.array(3, np.int32)], [3], np.int32),
    ],
)
def test_collate_of_numbers_and_arrays(batch: list[Any], values: list[Any], dtype: Any) -> None:
    collated = default_collate(batch)
    assert isinstance(collated, mg.Tensor)
    assert values == collated.tolist()
    assert dtype == collated.dtype


def test_collate_of_structures() -> None:
    batch = [{"pair": Pair(i, (i, [float(i)])), "name": f"n{i}"} for i in range(3)]
    collated = default_collate(batch)
    assert ["n0", "n1", "n2"] == collated["name"]
    assert isinstance(collated["pair"], Pair)
    assert [0, 1, 2] == collated["pair"].x.tolist()
    assert isinstance(collated["pair"].y, list)
    assert [0.0, 1.0, 2.0] == collated["pair"].y[1][0].tolist()


def test_collate_refuses() -> None:
    with pytest.raises(InputTypeError, match=r"samples must be Tensors, arrays, .* got NoneType"):
        default_collate([None, None])
    with pytest.raises(ShapeError, match=r"equal lengths, got lengths \[1, 2\]"):
        default_collate([(1, 2), (1,)])
    with pytest.raises(ShapeError, match=r"tensors\[0\] has \(2,\), tensors\[1\] has \(3,\)"):
        default_collate([np.zeros(2), np.zeros(3)])


# ---- toy problems

TOYS = (data.two_moons, data.circles, data.spirals, data.blobs, data.xor)
toys = pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.__name__)


def on_circle(turns: Any) -> tuple[Any, Any]:
    return mp.cos(2 * mp.pi * turns), mp.sin(2 * mp.pi * turns)


def exact_points(name: str, c: int, m: int, classes: int) -> list[tuple[Any, Any]]:
    """The points of class c, m in number, by the docstring's formula and in high precision."""
    if name == "two_moons":
        half = [on_circle(mpf(k) / (2 * (m - 1))) for k in range(m)]
        return half if c == 0 else [(1 - x, mpf(0.5) - y) for x, y in half]
    if name == "circles":
        return [(x / (1 + c), y / (1 + c)) for x, y in (on_circle(mpf(k) / m) for k in range(m))]
    if name == "spirals":
        arm = [(mpf(k) / m, on_circle(mpf(k) / m + mpf(c) / classes)) for k in range(1, m + 1)]
        return [(r * x, r * y) for r, (x, y) in arm]
    if name == "blobs":
        return [on_circle(mpf(c) / classes)] * m
    corners = [[(-1, -1), (1, 1)], [(-1, 1), (1, -1)]]
    return [corners[c][k % 2] for k in range(m)]


def sorted_rows(points: Any) -> Any:
    points = np.asarray(points, dtype=np.float64)
    keys = np.round(points, 5) + 0.0  # no −0.0, and no last digits, in the order
    return points[np.lexsort(keys.T)]


@toys
@pytest.mark.parametrize("n_samples", [57, 200])
def test_geometry_to_the_last_digit(toy: Any, n_samples: int) -> None:
    X, y = toy(n_samples=n_samples, noise=0.0, seed=3)
    classes = int(y.numpy().max()) + 1
    for c in range(classes):
        found = sorted_rows(X.numpy()[y.numpy() == c])
        exact = sorted_rows(exact_points(toy.__name__, c, len(found), classes))
        half_ulp = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64) / 2
        assert (np.abs(found - exact) <= half_ulp + 1e-15).all()


def test_geometry_in_words() -> None:
    X, y = (t.numpy() for t in data.two_moons(100, 0.0))
    upper, lower = X[y == 0], X[y == 1]
    assert np.abs(np.hypot(*upper.T.astype(np.float64)) - 1).max() < 1e-7
    assert upper[:, 1].min() > -1e-7
    assert np.abs(np.hypot(*(lower - [1, 0.5]).T) - 1).max() < 2e-7
    assert lower[:, 1].max() < 0.5 + 1e-7
    X, y = (t.numpy() for t in data.circles(100, 0.0))
    assert np.abs(np.hypot(*X.T.astype(np.float64)) - np.array([1, 0.5])[y]).max() < 1e-7
    X, y = (t.numpy() for t in data.xor(100, 0.0))
    assert np.array_equal(np.prod(X, axis=1) < 0, y == 1)
    assert len(np.unique(X, axis=0)) == 4
    X, y = (t.numpy() for t in data.xor(4, 0.0))
    assert {(-1, -1, 0), (1, 1, 0), (-1, 1, 1), (1, -1, 1)} == {(*map(int, x), int(c)) for x, c in zip(X, y, strict=True)}


@toys
def test_shapes_balance_and_order(toy: Any) -> None:
    X, y = toy(n_samples=101)
    assert X.shape == (101, 2)
    assert y.shape == (101,)
    assert X.dtype == np.float32
    assert y.dtype == np.int64
    counts = np.bincount(y.numpy())
    assert counts.max() - counts.min() == 1
    assert (np.diff(counts) <= 0).all()
    assert (np.diff(y.numpy()) != 0).sum() > 30  # shuffled
    assert not X.requires_grad


@pytest.mark.parametrize("toy", [data.spirals, data.blobs])
@pytest.mark.parametrize("classes", [1, 2, 5])
def test_classes(toy: Any, classes: int) -> None:
    X, y = toy(50, 0.0, classes=classes)
    assert [50 // classes] * classes == np.bincount(y.numpy()).tolist()
    for c in range(classes):
        found = sorted_rows(X.numpy()[y.numpy() == c])
        assert np.allclose(sorted_rows(exact_points(toy.__name__, c, 50 // classes, classes)), found, rtol=0, atol=1e-7)


@toys
def test_seed_decides_and_nothing_else(toy: Any) -> None:
    mg.manual_seed(0)
    state = mg.default_generator.get_state()
    X, y = toy(seed=1)
    assert state == mg.default_generator.get_state()
    mg.rand(10)
    again, labels = toy(seed=1)
    assert np.array_equal(X.numpy(), again.numpy())
    assert np.array_equal(y.numpy(), labels.numpy())
    assert not np.array_equal(X.numpy(), toy(seed=2)[0].numpy())
    assert not np.array_equal(y.numpy(), toy(seed=2)[1].numpy())


@toys
def test_noise_is_normal_with_that_std(toy: Any) -> None:
    """The same seed gives the same order, so the difference to the noise-free data is the noise: 2 · 10⁴ numbers, bounds at 5 σ."""
    clean, _ = toy(10_000, 0.0)
    noisy, _ = toy(10_000, 0.3)
    error = (noisy.numpy().astype(np.float64) - clean.numpy()).ravel() / 0.3
    n = error.size
    assert abs(error.mean()) < 5 / np.sqrt(n)
    assert abs(error.std() - 1) < 5 / np.sqrt(2 * n)
    assert abs((error**4).mean() - 3) < 5 * np.sqrt(96 / n)
    assert abs((error[::2] * error[1::2]).mean()) < 5 / np.sqrt(n / 2)  # x and y independently


@toys
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noise": -0.1}, r"noise must be a finite number of at least 0, got -0\.1"),
        ({"noise": float("nan")}, "got nan"),
        ({"noise": float("inf")}, "got inf"),
        ({"n_samples": 0}, "n_samples must be an int of at least [23], got 0"),
        ({"n_samples": 1}, "n_samples must be an int of at least [23], got 1"),
        ({"n_samples": 10.0}, r"got 10\.0"),
        ({"seed": -1}, "seed must be an int of at least 0, got -1"),
        ({"seed": None}, "got None"),
    ],
)
def test_toys_refuse(toy: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=f"{toy.__name__}: .*{message}"):
        toy(**arguments)


@pytest.mark.parametrize("toy", [data.spirals, data.blobs])
def test_toys_refuse_classes(toy: Any) -> None:
    with pytest.raises(ArgumentError, match=f"{toy.__name__}: classes must be an int of at least 1, got 0"):
        toy(classes=0)
    with pytest.raises(ArgumentError, match=f"{toy.__name__}: n_samples must be an int of at least 7, got 6"):
        toy(6, classes=7)


def test_workers_are_refused_and_the_rest_of_pytorchs_words_taken():
    data = TensorDataset(mg.arange(4))
    assert 2 == len(list(DataLoader(data, batch_size=2, num_workers=0, pin_memory=True)))
    with pytest.raises(ArgumentError, match="DataLoader: batches are made in this process: num_workers must be 0, got 2"):
        DataLoader(data, num_workers=2)
