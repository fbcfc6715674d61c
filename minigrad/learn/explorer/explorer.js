// The explorer: steps through forward and backward pass of a graph that the page computes by itself.
"use strict";
for (const root of document.querySelectorAll(".explorer")) explorer(root);

function explorer(root) {
  const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const nodes = data.nodes, part = name => root.querySelector(`[data-part="${name}"]`);
  const {leaves, operands, compute} = machine(nodes, RULES);
  let {values, steps} = compute(), at = 0, timer = 0, looked = nodes.length - 1;

  // ---- what it shows

  const rounded = (v, digits) => (Number.isInteger(v) && Math.abs(v) < 1e6 ? String(v) : Math.abs(v) >= 1e-4 && Math.abs(v) < 1e6 ? Number(v.toPrecision(digits)).toString() : v.toPrecision(digits).replace(/\.?0+e/, "e"));
  const number = v => rounded(v, 4);
  const shapeText = shape => `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  function short(x) {
    if (x.data.length === 1) return number(x.data[0]);
    if (x.data.length <= 3) return `[${x.data.map(number).join(", ")}]`;
    const low = rounded(Math.min(...x.data), 3), high = rounded(Math.max(...x.data), 3);
    return low === high ? `all ${low}` : `${low}…${high}`;
  }
  function full(x) {
    if (!x.shape.length) return number(x.data[0]);
    if (x.data.length > 24) return `${shapeText(x.shape)}, ${x.data.length} numbers`;
    const write = (shape, start) => {
      const inner = T.size(shape.slice(1));
      return `[${Array.from({length: shape[0]}, (_, i) => (shape.length > 1 ? write(shape.slice(1), start + i * inner) : number(x.data[start + i]))).join(", ")}]`;
    };
    return write(x.shape, 0);
  }
  const known = () => {
    const shown = new Set(nodes.filter(n => n.leaf).map(n => n.id)), sums = new Map();
    steps.slice(0, at + 1).forEach(s => { if (s.kind === "forward") shown.add(s.node); else if (s.sum) sums.set(s.into, s.sum); });
    return {shown, sums};
  };

  const heading = n => `${n.title}: ${n.op || "given"}, shape ${shapeText(n.shape)}`;
  function text(element, words) { if (element.textContent !== words) element.textContent = words; }
  function row(table, cells, head) {
    const line = table.insertRow();
    cells.forEach((cell, i) => {
      const box = document.createElement(head || i === 0 ? "th" : "td");
      box.textContent = cell;
      if (head || i > 0) box.className = "n";
      line.append(box);
    });
    return line;
  }

  // The rule with numbers in the place of letters, if all of them are single numbers.
  function put(n, s) {
    const letters = {g: s.g, y: values[n.id]};
    n.arguments?.forEach((name, i) => { letters[name] = operands(n)[i]; });
    const rule = n.texts[s.k], single = v => v !== null && v !== undefined && (typeof v === "number" || v.data?.length === 1);
    const used = Object.keys(letters).filter(name => new RegExp(`\\b${name}\\b`).test(rule));
    if (!used.length || !used.every(name => single(letters[name])) || /\n|dL|[₀-ₜᵀΣ]|^\w+$/.test(rule)) return "";
    const value = v => { const x = typeof v === "number" ? v : v.data[0]; return x < 0 ? `(${number(x)})` : number(x); };
    return rule.replace(/[A-Za-z_]\w*/g, name => (used.includes(name) ? value(letters[name]) : name));
  }

  function explain() {
    const s = steps[at], n = nodes[s.node];
    if (s.kind === "start") return ["Nothing has been computed yet. The inputs are given; press Step.", []];
    if (s.kind === "forward") {
      const lines = n.inputs.flatMap((input, k) => {
        if (input === null) return [];
        const value = operands(n)[k], name = input.node !== undefined ? nodes[input.node].title : n.arguments?.[k] ?? "number";
        return [[name, typeof value === "number" ? number(value) : full(value)]];
      });
      return [`Forward: ${n.title} = ${n.formula}`, [...lines, [n.title, full(values[n.id])]]];
    }
    if (s.kind === "seed") return [`Backward begins at the end: how fast does ${n.title} grow with itself? As fast as it grows: 1.`, [[`dL/d ${n.title}`, full(s.sum)]]];
    const target = nodes[s.into].title, numbers = put(n, s);
    const lines = [[`g = dL/d ${n.title}`, full(s.g)], [`rule of ${n.op}`, n.texts[s.k]]];
    if (numbers) lines.push(["with numbers", `${numbers} = ${number(s.amount.data[0])}`]);
    else lines.push(["this gives", full(s.amount)]);
    lines.push([s.before ? `dL/d ${target}, added up` : `dL/d ${target} so far`, s.before ? `${full(s.before)} + ${full(s.amount)} = ${full(s.sum)}` : full(s.sum)]);
    return [`Backward: from ${n.title} to ${target}`, lines];
  }

  function show() {
    const {shown, sums} = known(), s = steps[at];
    nodes.forEach(n => {
      const group = root.querySelector(`[data-node="${n.id}"]`);
      text(group.querySelector('[data-part="value"]'), shown.has(n.id) ? `${n.shape.length && values[n.id].data.length > 3 ? `${shapeText(n.shape)} ` : ""}${short(values[n.id])}` : "?");
      text(group.querySelector('[data-part="gradient"]'), sums.has(n.id) ? `∂L ${short(sums.get(n.id))}` : "");
      text(group.querySelector("title"), [heading(n), shown.has(n.id) ? full(values[n.id]) : "not computed yet", ...(sums.has(n.id) ? [`dL/d ${full(sums.get(n.id))}`] : [])].join("\n"));
      group.classList.toggle("current", s.node === n.id);
      group.classList.toggle("target", s.kind === "backward" && s.into === n.id);
      group.classList.toggle("unknown", !shown.has(n.id));
    });
    root.querySelectorAll("[data-link]").forEach(link => {
      const [from, to] = link.dataset.link.split("-").map(Number);
      link.classList.toggle("forward", s.kind === "forward" && s.node === to);
      link.classList.toggle("backward", s.kind === "backward" && s.node === to && s.into === from);
    });
    const [title, lines] = explain(), phase = {start: "before the first step", forward: "forward", seed: "backward", backward: "backward"}[s.kind];
    text(part("count"), `Step ${at} of ${steps.length - 1}, ${phase}`);
    text(part("title"), title);
    const table = part("lines");
    table.replaceChildren();
    lines.forEach(line => row(table, line));
    part("back").disabled = part("first").disabled = at === 0;
    part("step").disabled = part("end").disabled = at === steps.length - 1;
    part("play").textContent = timer ? "Pause" : "Play";
    bringIntoView(s);
    details();
  }

  // Scroll the graph, not the page, to the nodes of a step.
  function bringIntoView(s) {
    const stage = root.querySelector(".stage"), frame = stage.getBoundingClientRect();
    for (const id of [s.node, s.into]) {
      if (id === undefined) continue;
      const box = root.querySelector(`[data-node="${id}"]`).getBoundingClientRect();
      stage.scrollTop += Math.min(0, box.top - frame.top - 8) + Math.max(0, box.bottom - frame.bottom + 8);
      stage.scrollLeft += Math.min(0, box.left - frame.left - 8) + Math.max(0, box.right - frame.right + 8);
    }
  }

  // Shape, values and gradient of the node that is looked at.
  function details() {
    const n = nodes[looked], {shown, sums} = known(), value = shown.has(n.id) ? values[n.id] : null, gradient = sums.get(n.id);
    text(part("looked"), heading(n));
    const table = part("values");
    table.replaceChildren();
    if (!value) return void row(table, ["not computed yet"]);
    row(table, ["index", "value", ...(gradient ? ["dL/d"] : [])], true);
    value.data.forEach((v, i) => {
      const place = [];
      for (let k = n.shape.length - 1, rest = i; k >= 0; k--) { place.unshift(rest % n.shape[k]); rest = Math.floor(rest / n.shape[k]); }
      const line = row(table, [place.join(", ") || "–", String(Number(v.toPrecision(7))), ...(gradient ? [String(Number(gradient.data[i].toPrecision(7)))] : [])]);
      line.cells[1].dataset.number = v;
      if (gradient) line.cells[2].dataset.number = gradient.data[i];
    });
  }

  // ---- what the reader does

  function stop() { clearInterval(timer); timer = 0; }
  function go(to) {
    at = Math.min(Math.max(to, 0), steps.length - 1);
    if (at === steps.length - 1) stop();
    if (steps[at].node !== undefined) looked = steps[at].kind === "backward" ? steps[at].into : steps[at].node;
    show();
  }
  function play() {
    if (timer) stop();
    else {
      if (at === steps.length - 1) at = 0;
      timer = setInterval(() => go(at + 1), Number(part("speed").value));
    }
    show();
  }
  part("first").onclick = () => { stop(); go(0); };
  part("back").onclick = () => { stop(); go(at - 1); };
  part("step").onclick = () => { stop(); go(at + 1); };
  part("end").onclick = () => { stop(); go(steps.length - 1); };
  part("play").onclick = play;
  part("speed").onchange = () => { if (timer) { stop(); play(); } };
  const alone = document.querySelectorAll(".explorer").length === 1;
  (alone ? document : root).addEventListener("keydown", event => {
    const own = event.key === " " ? "input, select, button" : "input, select"; // who has a use of their own for the key
    if (event.target.matches(own) || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {ArrowRight: () => go(at + 1), ArrowLeft: () => go(at - 1), Home: () => go(0), End: () => go(steps.length - 1), " ": play}[event.key];
    if (!act) return;
    event.preventDefault();
    if (event.key !== " ") stop();
    act();
  });
  root.querySelectorAll("[data-node]").forEach(group => {
    const look = () => { looked = Number(group.dataset.node); details(); };
    group.addEventListener("pointerenter", look);
    group.addEventListener("focus", look);
  });

  // A leaf's element, and the slider that moves it.
  const which = part("which"), slider = part("slider"), exact = part("exact");
  const chosen = () => { const [id, i] = which.value.split(":").map(Number); return {leaf: leaves[id], i}; };
  function choose() {
    if (!which.value) return;
    const {leaf, i} = chosen(), value = leaf.data[i], reach = Number.isFinite(value) ? Math.max(2, 2 * Math.abs(value)) : 2;
    slider.min = -reach;
    slider.max = reach;
    slider.step = reach / 200;
    slider.value = value;
    exact.value = Number(value.toPrecision(6));
  }
  function anew() { ({values, steps} = compute()); show(); }
  function move(value) {
    if (value === "" || !Number.isFinite(Number(value))) return;
    const {leaf, i} = chosen();
    leaf.data[i] = Number(value);
    anew();
  }
  which.onchange = choose;
  slider.oninput = () => { exact.value = slider.value; move(slider.value); };
  exact.onchange = () => { slider.value = exact.value; move(exact.value); };
  part("reset").onclick = () => { nodes.forEach(n => { if (n.leaf) leaves[n.id].data.splice(0, Infinity, ...n.leaf.map(Number)); }); choose(); anew(); };

  choose();
  show();
}
