// The notation of rules (exp, where, normal_cdf, …), for the page.
"use strict";
const N = (() => {
  // erfc by its series near 0, and by its continued fraction (Abramowitz and Stegun 7.1.5 and 7.1.14) farther out.
  function erf(x) {
    if (Math.abs(x) > 2.5) return x > 0 ? 1 - erfc(x) : erfc(-x) - 1;
    let term = x, sum = x;
    for (let n = 1; n < 100; n++) { term *= -x * x / n; sum += term / (2 * n + 1); }
    return 2 / Math.sqrt(Math.PI) * sum;
  }
  function erfc(x) {
    if (x < 2.5) return 1 - erf(x);
    let f = x;
    for (let n = 120; n >= 1; n--) f = x + n / 2 / f;
    return Math.exp(-x * x) / (Math.sqrt(Math.PI) * f);
  }
  const normalCdf = x => 0.5 * erfc(-x / Math.SQRT2);
  const normalPdf = x => Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
  const rint = x => { const r = Math.round(x); return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r; };
  const gelu = x => Math.exp(-2 * Math.sqrt(2 / Math.PI) * (Math.abs(x) + 0.044715 * Math.abs(x) ** 3));
  const geluTanhSlope = x => {
    const a = Math.abs(x), e = gelu(x), y = e * (1 + e - 2 * Math.sqrt(2 / Math.PI) * (a + 0.134145 * a ** 3)) / (1 + e) ** 2;
    return x > 0 ? 1 - y : y;
  };
  const sigmoid = x => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
  return {
    absolute: Math.abs, acos: Math.acos, asin: Math.asin, atan: Math.atan, atan2: Math.atan2, ceil: Math.ceil, cos: Math.cos, cosh: Math.cosh,
    erf, erfc, exp: Math.exp, exp2: x => 2 ** x, expm1: Math.expm1, floor: Math.floor, fmod: (a, b) => a % b,
    gelu_slope: x => normalCdf(x) + x * normalPdf(x), gelu_tanh_slope: geluTanhSlope,
    log: Math.log, log1p: Math.log1p, log2: Math.log2, log10: Math.log10, maximum: Math.max, minimum: Math.min,
    normal_cdf: normalCdf, normal_pdf: normalPdf, rint, scaled_exp: (x, f) => f * Math.exp(x), scaled_gelu_exp: (x, f) => f * gelu(x),
    scaled_normal_cdf: (x, f) => f * normalCdf(x), sigmoid, sin: Math.sin, sinh: Math.sinh,
    softplus: x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), sqrt: Math.sqrt, tan: Math.tan, tanh: Math.tanh, trunc: Math.trunc,
    where: (c, a, b) => (c ? a : b),
  };
})();
