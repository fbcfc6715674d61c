// Tensors for the page: {shape, data} with data in row-major order, and the operations that are no maps over elements.
"use strict";
const T = (() => {
  const size = shape => shape.reduce((a, b) => a * b, 1);
  const make = (shape, data) => ({shape, data});
  const filled = (shape, value) => make(shape, new Array(size(shape)).fill(value));

  // For each element of `shape`, the place in a tensor of shape `from` that broadcasts to it.
  function places(from, shape) {
    const strides = new Array(shape.length).fill(0);
    let stride = 1;
    for (let k = 1; k <= from.length; k++) {
      const n = from[from.length - k];
      if (n !== 1) strides[shape.length - k] = stride;
      stride *= n;
    }
    const found = new Array(size(shape)), at = new Array(shape.length).fill(0);
    for (let i = 0, place = 0; i < found.length; i++) {
      found[i] = place;
      for (let k = shape.length - 1; k >= 0; k--) {
        place += strides[k];
        if (++at[k] < shape[k]) break;
        place -= strides[k] * shape[k];
        at[k] = 0;
      }
    }
    return found;
  }
  function broadcast(shapes) {
    const length = Math.max(0, ...shapes.map(s => s.length)), out = new Array(length).fill(1);
    for (const s of shapes) s.forEach((n, k) => { if (n !== 1) out[length - s.length + k] = n; });
    return out;
  }
  // f over the elements of tensors that broadcast; numbers and null go in as they are.
  function map(f, parts, shape) {
    shape ??= broadcast(parts.filter(p => p && p.shape).map(p => p.shape));
    const where = parts.map(p => (p && p.shape ? places(p.shape, shape) : null)), n = size(shape);
    const data = new Array(n), row = new Array(parts.length);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < parts.length; k++) row[k] = where[k] ? Number(parts[k].data[where[k][i]]) : parts[k];
      data[i] = Number(f(...row));
    }
    return make(shape, data);
  }
  // The sum of a tensor over the axes along which `shape` was broadcast.
  function sumTo(x, shape) {
    const out = filled(shape, 0), where = places(shape, x.shape);
    x.data.forEach((value, i) => { out.data[where[i]] += value; });
    return out;
  }
  const add = (a, b) => map((p, q) => p + q, [a, b]);
  // A tensor seen along one axis: [outer, n, inner], and a walk over its rows.
  function along(x, dim, row) {
    const n = x.shape[dim], inner = size(x.shape.slice(dim + 1)), outer = size(x.shape.slice(0, dim));
    for (let o = 0; o < outer; o++) for (let j = 0; j < inner; j++) row(o * n * inner + j, inner, n, o * inner + j);
  }
  // Reductions: for each element of x, the place of the result that it goes to.
  function reduced(shape, dims, keep) {
    const kept = shape.map((n, k) => (dims.includes(k) ? 1 : n));
    return {full: kept, shape: keep ? kept : shape.filter((_, k) => !dims.includes(k))};
  }
  function rows(x, dim, f) {
    const out = filled(x.shape, 0);
    along(x, dim, (start, step, n) => {
      const row = Array.from({length: n}, (_, k) => x.data[start + k * step]);
      f(row).forEach((value, k) => { out.data[start + k * step] = value; });
    });
    return out;
  }
  const softmaxRow = row => {
    const top = Math.max(...row), e = row.map(v => Math.exp(v - top)), sum = e.reduce((a, b) => a + b, 0);
    return e.map(v => v / sum);
  };
  const logSumExp = row => {
    const top = Math.max(...row);
    return top + Math.log(row.reduce((a, v) => a + Math.exp(v - top), 0));
  };
  function transposed(x, order) {
    const shape = order.map(k => x.shape[k]), strides = x.shape.map((_, k) => size(x.shape.slice(k + 1)));
    const steps = order.map(k => strides[k]), data = new Array(x.data.length), at = new Array(shape.length).fill(0);
    for (let i = 0, place = 0; i < data.length; i++) {
      data[i] = x.data[place];
      for (let k = shape.length - 1; k >= 0; k--) {
        place += steps[k];
        if (++at[k] < shape[k]) break;
        place -= steps[k] * shape[k];
        at[k] = 0;
      }
    }
    return make(shape, data);
  }
  // Matrices with rows for columns; axes in front of the last two stay.
  const turned = x => transposed(x, x.shape.map((_, k) => (k < x.shape.length - 2 ? k : 2 * x.shape.length - 3 - k)));
  // Products of (…, n, k) and (…, k, m), whose axes in front broadcast.
  function product(a, b) {
    const [n, k] = a.shape.slice(-2), m = b.shape[b.shape.length - 1], before = [a, b].map(x => x.shape.slice(0, -2)), ahead = broadcast(before);
    const [left, right] = before.map(shape => places(shape, ahead)), data = new Array(left.length * n * m).fill(0);
    for (let c = 0; c < left.length; c++) {
      for (let i = 0; i < n; i++) for (let p = 0; p < k; p++) for (let j = 0; j < m; j++) {
        data[(c * n + i) * m + j] += a.data[(left[c] * n + i) * k + p] * b.data[(right[c] * k + p) * m + j];
      }
    }
    return make([...ahead, n, m], data);
  }
  const matrix = (x, n, m) => make([n, m], x.data);
  const reshape = (x, shape) => make(shape, x.data);
  return {size, make, filled, places, broadcast, map, sumTo, add, along, reduced, rows, softmaxRow, logSumExp, transposed, turned, product, matrix, reshape};
})();
