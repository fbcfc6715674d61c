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
  // The largest (smallest) along axes; equal ones share the gradient, or with `first` it goes to the first of them.
  const extreme = (sign, first) => ({
    forward: ([x], s) => {
      const {full, shape} = reduced(x.shape, dimsOf(x, s), s.keepdim), out = filled(full, -Infinity), where = places(full, x.shape);
      x.data.forEach((v, i) => { out.data[where[i]] = Math.max(out.data[where[i]], sign * v); });
      return make(shape, out.data.map(v => sign * v));
    },
    backward: (g, [x], y, s) => {
      const {full} = reduced(x.shape, dimsOf(x, s), true), best = map((v, top) => Number(v === top), [x, reshape(y, full)]);
      const counted = first ? rows(best, s.dim, row => row.map((v, k) => Number(v && row.indexOf(1) === k))) : best;
      return [map((b, q, n) => b * q / n, [counted, reshape(g, full), sumTo(counted, full)], x.shape)];
    },
  });
  // A vector is a row on the left and a column on the right.
  const matrices = (a, b) => [a.shape.length === 1 ? matrix(a, 1, a.shape[0]) : a, b.shape.length === 1 ? matrix(b, b.shape[0], 1) : b];
  const matmul = {
    forward: ([a, b], s, to) => reshape(product(...matrices(a, b)), to),
    backward: (g, [a, b]) => {
      const [A, B] = matrices(a, b), ahead = T.broadcast([A, B].map(x => x.shape.slice(0, -2)));
      const G = reshape(g, [...ahead, A.shape[A.shape.length - 2], B.shape[B.shape.length - 1]]);
      return [reshape(sumTo(product(G, turned(B)), A.shape), a.shape), reshape(sumTo(product(turned(A), G), B.shape), b.shape)];
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
  // Normalizations: `full` is the shape of the moments, 1 along the axes that they are taken over.
  const averaged = (x, full) => map(v => v * size(full) / x.data.length, [sumTo(x, full)]);
  function moments(x, full) {
    const mean = averaged(x, full), apart = map((v, m) => v - m, [x, mean]);
    return [mean, averaged(times(apart, apart), full)];
  }
  function standardized(x, [mean, variance], eps) {
    const scale = map(v => 1 / Math.sqrt(v + eps), [variance]);
    return {scale, z: map((v, m, d) => (v - m) * d, [x, mean, scale])};
  }
  const through = (h, z, scale, full) => map((q, m, v, a, d) => (q - m - v * a) * d, [h, averaged(h, full), z, averaged(times(h, z), full), scale]);
  const scaled = (z, w, b) => map((v, f, c) => v * f + c, [z, w ?? 1, b ?? 0]);
  const eachRow = (x, s) => x.shape.map((n, k) => (k < x.shape.length - s.over.length ? n : 1));
  const layerNorm = {
    forward: ([x, w, b], s) => scaled(standardized(x, moments(x, eachRow(x, s)), s.eps).z, w, b),
    backward: (g, [x, w, b], y, s) => {
      const full = eachRow(x, s), {z, scale} = standardized(x, moments(x, full), s.eps);
      return [through(w ? times(g, w) : g, z, scale, full), w ? sumTo(times(g, z), w.shape) : null, b ? sumTo(g, b.shape) : null];
    },
  };
  const eachChannel = x => x.shape.map((n, k) => (k === 1 ? n : 1));
  const channelMoments = {
    forward: ([x], s, to) => make(to, moments(x, eachChannel(x)).flatMap(part => part.data)),
    backward: () => [null],
  };
  const batchNorm = {
    parts: ([x, m, w, b], s) => {
      const full = eachChannel(x), C = x.shape[1], of = v => (v ? reshape(v, full) : v);
      return {...standardized(x, [0, C].map(k => make(full, m.data.slice(k, k + C))), s.eps), full, weight: of(w), bias: of(b)};
    },
    forward: (given, s) => {
      const {z, weight, bias} = batchNorm.parts(given, s);
      return scaled(z, weight, bias);
    },
    backward: (g, given, y, s) => {
      const {z, scale, full, weight, bias} = batchNorm.parts(given, s), h = weight ? times(g, weight) : g, C = [given[0].shape[1]];
      const dx = s.of_batch ? through(h, z, scale, full) : times(h, scale);
      return [dx, null, weight ? reshape(sumTo(times(g, z), full), C) : null, bias ? reshape(sumTo(g, full), C) : null];
    },
  };
  return {
    sum, mean, matmul, linear, softmax, log_softmax: logSoftmax, logsumexp, nll_loss: nll, cross_entropy: crossEntropy, pick,
    amax: extreme(1), amin: extreme(-1), max: extreme(1, true), min: extreme(-1, true),
    layer_norm: layerNorm, channel_moments: channelMoments, normalize_channels: batchNorm,
  };
})();
