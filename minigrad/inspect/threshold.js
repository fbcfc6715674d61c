"use strict";

// A panel recomputes, for the threshold of its slider, what a classifier would answer to the scores that stand in it.

// Scores in ascending order, and how many of the first k are positive.
function sorted(scores, labels) {
  const order = Uint32Array.from(scores, (_, i) => i).sort((a, b) => scores[a] - scores[b]);
  const positives = new Uint32Array(order.length + 1);
  order.forEach((i, k) => { positives[k + 1] = positives[k] + labels[i]; });
  return { values: Float64Array.from(order, (i) => scores[i]), positives };
}

function countAt({ values, positives }, threshold) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < threshold) low = middle + 1;
    else high = middle;
  }
  const fn = positives[low];
  const tp = positives[values.length] - fn;
  return { tp, fp: values.length - low - tp, fn, tn: low - fn };
}

const ratio = (a, b) => (b === 0 ? NaN : a / b);

function ratesOf({ tp, fp, fn, tn }) {
  return {
    precision: ratio(tp, tp + fp),
    recall: ratio(tp, tp + fn),
    f1: ratio(2 * tp, 2 * tp + fp + fn),
    accuracy: ratio(tp + tn, tp + fp + fn + tn),
  };
}

// The threshold of the best F1 (of equals the highest), among the scores that occur.
function bestThreshold(order) {
  let best = 0.5;
  let highest = -1;
  for (const value of new Set(order.values)) {
    const { f1 } = ratesOf(countAt(order, value));
    if (f1 >= highest) [best, highest] = [value, f1];
  }
  return best;
}

const STEPS = 200;
const shown = (value) => (Number.isNaN(value) ? "undefined" : value.toFixed(4));

function panel(box) {
  const data = JSON.parse(box.querySelector("script").textContent);
  const part = (name) => box.querySelector(`[data-part="${name}"]`);
  const slider = part("slider");
  const exact = part("exact");
  const choice = part("choice");
  let order = null;

  function choose() {
    const k = choice ? Number(choice.value) : 0;
    order = sorted(data.scores[k], Array.from(data.labels[k], Number));
    const rates = Array.from({ length: STEPS + 1 }, (_, n) => ratesOf(countAt(order, n / STEPS)));
    for (const name of ["precision", "recall", "f1"]) {
      const points = rates.flatMap((rate, n) => (Number.isNaN(rate[name]) ? [] : [`${(n / STEPS) * 300},${100 - rate[name] * 100}`]));
      part(`curve-${name}`).setAttribute("points", points.join(" "));
    }
    set(data.thresholds[k]);
  }

  function update(threshold) {
    const count = countAt(order, threshold);
    for (const [name, value] of Object.entries(count)) part(name).textContent = value.toLocaleString("en");
    for (const [name, value] of Object.entries(ratesOf(count))) part(name).textContent = shown(value);
    slider.setAttribute("aria-valuetext", `threshold ${threshold}`);
    for (const end of ["x1", "x2"]) part("line").setAttribute(end, Math.min(Math.max(threshold, 0), 1) * 300);
  }

  function set(threshold) {
    slider.value = exact.value = threshold;
    update(threshold);
  }

  slider.addEventListener("input", () => { exact.value = slider.value; update(Number(slider.value)); });
  exact.addEventListener("input", () => { slider.value = Number(exact.value); update(Number(exact.value)); });
  part("evaluated")?.addEventListener("click", choose);
  part("half").addEventListener("click", () => set(0.5));
  part("best").addEventListener("click", () => set(bestThreshold(order)));
  choice?.addEventListener("change", choose);
  choose();
}

document.querySelectorAll(".threshold").forEach(panel);
