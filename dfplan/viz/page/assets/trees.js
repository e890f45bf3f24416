// A tree of plans: which plan leaves which, opened one by one; what is chosen is drawn over the others.
function tree(parent, data) {
  const below = data.nodes.map(() => []), first = [];
  data.nodes.forEach((node, index) => (node.parent < 0 ? first : below[node.parent]).push(index));
  const way = new Set();
  for (let index = data.best; index >= 0; index = data.nodes[index].parent) way.add(index);
  html("p", {class: "told"}, parent,
    `${data.plans} plans were tried${data.plans > data.nodes.length ? `, the ${data.nodes.length} of most value are shown` : ""}; ` +
    "open what leaves a plan, and choose a plan to see it");
  const sides = html("div", {class: "sides"}, parent);
  const list = html("div", {class: "tree"}, sides), right = html("div", {}, sides);
  const draw = data.nodes[0].points ? pathsOf(right, data) : () => {};
  const told = html("p", {class: "told", role: "status"}, right);
  const lines = new Map();
  let chosen = null;
  const choose = (index) => {
    if (chosen !== null && lines.has(chosen)) lines.get(chosen).classList.remove("chosen");
    chosen = index;
    if (lines.has(index)) lines.get(index).classList.add("chosen");
    const node = data.nodes[index];
    told.textContent = `${sayPlan(node)}; plans tried at and below it: ${node.visits}`;
    draw(index);
  };
  const values = data.nodes.map((node) => node.value), low = Math.min(...values), span = Math.max(...values) - low || 1;
  const byValue = (some) => [...some].sort((one, other) => values[other] - values[one]);
  const put = (index, holder) => {
    const node = data.nodes[index], item = html("li", {}, holder), line = html("div", {class: "line"}, item);
    const leaves = below[index];
    if (leaves.length) {
      const open = html("button", {type: "button", class: "open", "aria-expanded": "false"}, line, "▸");
      open.setAttribute("aria-label", `plans that leave plan ${node.number}: ${leaves.length}`);
      let inner = null;
      const toggle = () => {
        const opens = open.getAttribute("aria-expanded") === "false";
        open.setAttribute("aria-expanded", String(opens));
        open.textContent = opens ? "▾" : "▸";
        if (opens && !inner) {
          inner = html("ul", {}, item);
          byValue(leaves).forEach((each) => put(each, inner));
        }
        inner.hidden = !opens;
      };
      open.addEventListener("click", toggle);
      if (way.has(index)) toggle();
    }
    const pick = html("button", {type: "button", class: "pick"}, line);
    html("span", {class: "bar", style: `width: ${(0.2 + 2.4 * (node.value - low) / span).toFixed(2)}rem`}, pick);
    pick.append(`${sayPlan(node)}, visits ${node.visits}${index === data.best ? " ★ the best" : ""}`);
    pick.addEventListener("click", () => choose(index));
    lines.set(index, pick);
  };
  const top = html("ul", {}, list);
  byValue(first).forEach((index) => put(index, top));
  choose(data.best);
}

function sayPlan(node) {
  const leaves = node.parent < 0 ? "" : ` leaves at step ${node.from},`;
  return `plan ${node.number}:${leaves} ${node.arrives ? "arrives" : "ends"} at step ${node.to}, value ${node.value}`;
}

function pathsOf(parent, data) {
  const {layer, span} = scene(parent, {start: data.start, goal: data.goal, label: "the plans of the tree"});
  const values = data.nodes.map((node) => node.value), low = Math.min(...values), most = Math.max(...values) - low || 1;
  const order = data.nodes.map((_, index) => index).sort((one, other) => values[one] - values[other]);
  for (const index of order)
    svg("path", {d: pathOf(data.nodes[index].points), fill: "none", stroke: color((values[index] - low) / most),
      "stroke-width": span / 320, "stroke-opacity": 0.6}, layer);
  const best = svg("path", {fill: "none", stroke: "var(--c1)", "stroke-width": span / 90, "stroke-linecap": "round",
    class: "chosen-way"}, layer);
  return (index) => best.setAttribute("d", wayTo(data, index));
}

// The whole plan: of those above it, what comes before it leaves.
function wayTo(data, index) {
  const way = [];
  for (let each = index; each >= 0; each = data.nodes[each].parent) way.unshift(each);
  const far = (point, other) => Math.hypot(point[0] - other[0], point[1] - other[1]);
  let path = [];
  way.forEach((each, place) => {
    let points = data.nodes[each].points;
    if (place + 1 < way.length) {
      const leaves = data.nodes[way[place + 1]].points[0];
      let nearest = 0;
      points.forEach((point, row) => { if (far(point, leaves) < far(points[nearest], leaves)) nearest = row; });
      points = points.slice(0, nearest);
    }
    path = path.concat(points);
  });
  return pathOf(path);
}

for (const parent of document.querySelectorAll(".player")) {
  const agent = numbers.agents[Number(parent.dataset.agent)];
  if (parent.dataset.kind === "episode") episode(parent, agent.episodes[Number(parent.dataset.index)]);
  else if (parent.dataset.kind === "plan") plan(parent, agent.plan);
  else tree(parent, agent.tree);
}
