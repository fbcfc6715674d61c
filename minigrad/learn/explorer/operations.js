// Operations that are no maps over elements: forward(inputs, settings), and backward(g, inputs, y, settings) with a gradient for each input.
"use strict";
const OPERATIONS = (() => {
  const {size, make, filled, map, sumTo, reduced, rows, softmaxRow, logSumExp, turned, product, matrix, reshape, places} = T;
  const times = (a, b) => map((p, q) => p * q, [a, b]);
  const dimsOf = (x, s) => (s.dim == null ? x.shape.map((_, k) => k) : [].concat(s.dim));

  function sumBack(g, x, s, scale) {
    const {full} = reduced(x.shape, dimsOf(x, s), true);
    return map(v => v * scale, [reshape(g, full)], x.shape);
  }
  const count = (x, s) => size(dimsOf(x, s).map(k => x.shape[k]));
  const sum = {
    forward: ([x], s) => {
      const {full, shape} = reduced(x.shape, dimsOf(x, s), s.keepdim);
      return reshape(sumTo(x, full), shape);
    },
    backward: (g, [x], y, s) => [sumBack(g, x, s, 1)],
  };
  const mean = {
    forward: ([x], s) => map(v => v / count(x, s), [sum.forward([x], s)]),
    backward: (g, [x], y, s) => [sumBack(g, x, s, 1 / count(x, s))],
  };
  // The largest (smallest) along axes; equal ones share the gradient.
  const extreme = sign => ({
    forward: ([x], s) => {
      const {full, shape} = reduced(x.shape, dimsOf(x, s), s.keepdim), out = filled(full, -Infinity), where = places(full, x.shape);
      x.data.forEach((v, i) => { out.data[where[i]] = Math.max(out.data[where[i]], sign * v); });
      return make(shape, out.data.map(v => sign * v));
    },
    backward: (g, [x], y, s) => {
      const {full} = reduced(x.shape, dimsOf(x, s), true), best = map((v, top) => Number(v === top), [x, reshape(y, full)]);
      return [map((b, q, n) => b * q / n, [best, reshape(g, full), sumTo(best, full)], x.shape)];
    },
  });
  const matmul = {
    forward: ([a, b]) => product(a, b),
    backward: (g, [a, b]) => {
      const n = a.shape.length === 1 ? 1 : a.shape[0], m = b.shape.length === 1 ? 1 : b.shape[1], k = a.shape[a.shape.length - 1];
      const G = matrix(g, n, m), A = matrix(a, n, k), B = matrix(b, k, m);
      return [reshape(product(G, turned(B)), a.shape), reshape(product(turned(A), G), b.shape)];
    },
  };
  const flatRows = x => matrix(x, size(x.shape.slice(0, -1)), x.shape[x.shape.length - 1]);
  const linear = {
    forward: ([x, w, b]) => {
      const y = reshape(product(flatRows(x), turned(w)), [...x.shape.slice(0, -1), w.shape[0]]);
      return b ? T.add(y, b) : y;
    },
    backward: (g, [x, w, b]) => {
      const G = flatRows(g);
      return [reshape(product(G, w), x.shape), product(turned(G), flatRows(x)), b ? sumTo(G, b.shape) : null];
    },
  };
  const softmax = {
    forward: ([x], s) => rows(map(v => v / (s.temperature ?? 1), [x]), s.dim, softmaxRow),
    backward: (g, [x], y, s) => {
      const shared = rows(times(g, y), s.dim, row => row.fill(row.reduce((a, b) => a + b, 0)));
      return [map((q, p, c) => (p * q - p * c) / (s.temperature ?? 1), [g, y, shared])];
    },
  };
  const logSoftmax = {
    forward: ([x], s) => rows(map(v => v / (s.temperature ?? 1), [x]), s.dim, row => row.map(v => v - logSumExp(row))),
    backward: (g, [x], y, s) => {
      const shared = rows(g, s.dim, row => row.fill(row.reduce((a, b) => a + b, 0)));
      return [map((q, l, c) => (q - Math.exp(l) * c) / (s.temperature ?? 1), [g, y, shared])];
    },
  };
  const logsumexp = {
    forward: ([x], s) => {
      const {full, shape} = reduced(x.shape, dimsOf(x, s), s.keepdim), largest = extreme(1).forward([x], {...s, keepdim: true});
      const top = map(v => (Number.isFinite(v) ? v : 0), [largest]), total = sumTo(map((v, t) => Math.exp(v - t), [x, top]), full);
      return reshape(map((t, v) => t + Math.log(v), [top, total]), shape);
    },
    backward: (g, [x], y, s) => {
      const {full} = reduced(x.shape, dimsOf(x, s), true);
      return [map((v, q, l) => q * Math.exp(v - l), [x, reshape(g, full), reshape(y, full)], x.shape)];
    },
  };
  // Cross-entropy and its like take (n, K) or (K,) and class indices.
  function classes(x, target) {
    const K = x.shape[x.shape.length - 1];
    return {K, n: size(x.shape.slice(0, -1)), at: target.data.map((c, i) => i * K + Number(c))};
  }
  const overRows = (values, s) => (s.reduction === "none" ? null : values.reduce((a, b) => a + b, 0) / (s.reduction === "mean" ? values.length : 1));
  function picked(values, shape, s) {
    const total = overRows(values, s);
    return total === null ? make(shape, values) : make([], [total]);
  }
  const share = (g, i, n, s) => (s.reduction === "none" ? g.data[i] : g.data[0] / (s.reduction === "mean" ? n : 1));
  const nll = {
    forward: ([x, t], s) => picked(classes(x, t).at.map(i => -x.data[i]), t.shape, s),
    backward: (g, [x, t], y, s) => {
      const {n, at} = classes(x, t), out = filled(x.shape, 0);
      at.forEach((place, i) => { out.data[place] = -share(g, i, n, s); });
      return [out, null];
    },
  };
  const lastAxis = x => ({dim: x.shape.length - 1});
  const crossEntropy = {
    forward: ([x, t], s) => nll.forward([logSoftmax.forward([x], lastAxis(x)), t], s),
    backward: (g, [x, t], y, s) => {
      const {n, K, at} = classes(x, t), p = softmax.forward([x], lastAxis(x));
      at.forEach(place => { p.data[place] -= 1; });
      return [make(x.shape, p.data.map((v, i) => v * share(g, Math.floor(i / K), n, s))), null];
    },
  };
  // Elements moved to other places: of each, from which input it came, and from where in that.
  const pick = {
    forward: (given, s, to) => make(to, s.places[1].map((place, i) => given[s.places[0][i]].data[place])),
    backward: (g, given, y, s) => {
      const out = given.map(x => filled(x.shape, 0));
      s.places[1].forEach((place, i) => { out[s.places[0][i]].data[place] += g.data[i]; });
      return out;
    },
  };
  const layerNorm = {
    parts: (x, s) => {
      const dims = x.shape.length - s.over.length, n = size(x.shape.slice(dims)), flat = matrix(x, size(x.shape) / n, n);
      const wide = rows(flat, 1, row => {
        const m = row.reduce((a, b) => a + b, 0) / n, v = row.reduce((a, b) => a + (b - m) ** 2, 0) / n;
        return row.map(e => (e - m) / Math.sqrt(v + s.eps));
      });
      const scale = rows(flat, 1, row => {
        const m = row.reduce((a, b) => a + b, 0) / n, v = row.reduce((a, b) => a + (b - m) ** 2, 0) / n;
        return row.fill(Math.sqrt(v + s.eps));
      });
      return {wide: reshape(wide, x.shape), scale: reshape(scale, x.shape), n};
    },
    forward: ([x, w, b], s) => {
      let y = layerNorm.parts(x, s).wide;
      if (w) y = times(y, w);
      return b ? T.add(y, b) : y;
    },
    backward: (g, [x, w, b], y, s) => {
      const {wide, scale, n} = layerNorm.parts(x, s), inner = w ? times(g, w) : g;
      const pair = make([inner.data.length / n, n], inner.data), flat = make(pair.shape, wide.data);
      const average = rows(pair, 1, row => row.slice().fill(row.reduce((a, c) => a + c, 0) / n));
      const along = rows(times(pair, flat), 1, row => row.slice().fill(row.reduce((a, c) => a + c, 0) / n));
      const dx = map((q, m, a, v, d) => (q - m - v * a) / d, [pair, average, along, flat, make(pair.shape, scale.data)]);
      return [reshape(dx, x.shape), w ? sumTo(times(g, wide), w.shape) : null, b ? sumTo(g, b.shape) : null];
    },
  };
  return {
    sum, mean, matmul, linear, softmax, log_softmax: logSoftmax, logsumexp, amax: extreme(1), amin: extreme(-1), nll_loss: nll, cross_entropy: crossEntropy, layer_norm: layerNorm, pick,
  };
})();
