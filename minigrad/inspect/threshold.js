"use strict";

// A panel recomputes, for the threshold of its slider, what a classifier would answer to the scores that stand in it.

function countAt(scores, labels, threshold) {
  const count = { tp: 0, fp: 0, fn: 0, tn: 0 };
  scores.forEach((score, i) => {
    const yes = score >= threshold;
    count[labels[i] ? (yes ? "tp" : "fn") : yes ? "fp" : "tn"] += 1;
  });
  return count;
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
function bestThreshold(scores, labels) {
  const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a]);
  const positives = labels.reduce((sum, label) => sum + label, 0);
  let tp = 0;
  let best = 0.5;
  let highest = -1;
  order.forEach((i, taken) => {
    tp += labels[i];
    const next = order[taken + 1];
    if (next !== undefined && scores[next] === scores[i]) return;
    const f1 = (2 * tp) / (taken + 1 + positives);
    if (f1 > highest) [best, highest] = [scores[i], f1];
  });
  return best;
}

const STEPS = 200;
const shown = (value) => (Number.isNaN(value) ? "undefined" : value.toFixed(4));

function panel(box) {
  const data = JSON.parse(box.querySelector("script").textContent);
  const part = (name) => box.querySelector(`[data-part="${name}"]`);
  const slider = part("slider");
  const exact = part("exact");
  const choice = part("class");
  let scores = [];
  let labels = [];

  function choose() {
    const k = choice ? Number(choice.value) : 0;
    scores = data.scores[k];
    labels = Array.from(data.labels[k], Number);
    for (const name of ["precision", "recall", "f1"]) {
      const points = [];
      for (let n = 0; n <= STEPS; n += 1) {
        const value = ratesOf(countAt(scores, labels, n / STEPS))[name];
        if (!Number.isNaN(value)) points.push(`${(n / STEPS) * 300},${100 - value * 100}`);
      }
      part(`curve-${name}`).setAttribute("points", points.join(" "));
    }
    update(Number(exact.value));
  }

  function update(threshold) {
    const count = countAt(scores, labels, threshold);
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
  exact.addEventListener("input", () => { slider.value = exact.value; update(Number(exact.value)); });
  part("half").addEventListener("click", () => set(0.5));
  part("best").addEventListener("click", () => set(bestThreshold(scores, labels)));
  if (choice) choice.addEventListener("change", choose);
  choose();
}

document.querySelectorAll(".threshold").forEach(panel);
