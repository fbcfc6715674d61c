// The machine: computes a graph forward and backward, from the numbers of its leaves.
"use strict";
function machine(nodes, rules) {
  const leaves = nodes.map(n => (n.leaf ? T.make(n.shape, n.leaf.map(Number)) : null)), last = nodes.length - 1;
  let values = [];

  const operands = n => n.inputs.map(i => (i === null ? null : i.node !== undefined ? values[i.node] : Number(i.number)));

  function forward(n) {
    const given = operands(n);
    if (n.map === undefined) return OPERATIONS[n.kind].forward(given, n.settings, n.shape);
    const y = T.map(rules[n.map], given);
    if (n.reduction === "none") return y;
    const total = y.data.reduce((a, b) => a + b, 0);
    return T.make([], [n.reduction === "mean" ? total / y.data.length : total]);
  }

  // The gradient of input k from that of the output, g.
  function backward(n, g, k) {
    const given = operands(n);
    if (n.map === undefined) return OPERATIONS[n.kind].backward(g, given, values[n.id], n.settings)[k];
    const rule = n.rules[k], whole = T.broadcast(given.filter(p => p && p.shape).map(p => p.shape));
    const scale = n.reduction === "mean" ? 1 / T.size(whole) : 1;
    const named = {g: T.map(v => v * scale, [g]), y: values[n.id]};
    n.arguments.forEach((name, i) => { named[name] = given[i]; });
    return T.sumTo(T.map(rules[rule.code], rule.needs.map(name => named[name]), whole), given[k].shape);
  }

  // Everything anew: values, and the steps with the numbers that belong to them.
  function compute() {
    values = [];
    nodes.forEach(n => { values[n.id] = n.leaf ? leaves[n.id] : forward(n); });
    const gradients = nodes.map(() => null), steps = [{kind: "start"}];
    nodes.filter(n => !n.leaf).forEach(n => steps.push({kind: "forward", node: n.id}));
    gradients[last] = T.filled(nodes[last].shape, 1);
    steps.push({kind: "seed", node: last, into: last, sum: gradients[last]});
    for (const n of nodes.slice().reverse()) {
      if (n.leaf || !gradients[n.id]) continue;
      n.inputs.forEach((input, k) => {
        if (!input || input.node === undefined || !nodes[input.node].wants || !n.texts[k]) return;
        const amount = backward(n, gradients[n.id], k), before = gradients[input.node];
        gradients[input.node] = before ? T.add(before, amount) : amount;
        steps.push({kind: "backward", node: n.id, k, into: input.node, g: gradients[n.id], amount, before, sum: gradients[input.node]});
      });
    }
    return {values, steps, gradients};
  }
  return {leaves, operands, compute};
}
