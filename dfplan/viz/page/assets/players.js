// Episodes step by step, and plans row by row: a slider, a button that plays, and the arrow keys of the slider.
function controls(parent, {count, first, say, show, label}) {
  const line = html("div", {class: "controls"}, parent);
  const button = html("button", {type: "button", "aria-label": `play: ${label}`}, line, "▶");
  const slider = html("input", {type: "range", min: 0, max: count - 1, value: first, "aria-label": label}, line);
  const told = html("output", {}, line);
  let timer = null;
  const turn = (index) => {
    slider.value = index;
    told.textContent = say(index);
    slider.setAttribute("aria-valuetext", say(index));
    show(index);
  };
  const stop = () => { clearInterval(timer); timer = null; button.textContent = "▶"; };
  slider.addEventListener("input", () => turn(Number(slider.value)));
  button.addEventListener("click", () => {
    if (timer) { stop(); return; }
    const wait = Math.max(40, Math.min(250, 6000 / count)), every = Math.max(1, Math.round(count * wait / 6000));
    if (Number(slider.value) >= count - 1) turn(0);
    button.textContent = "❚❚";
    timer = setInterval(() => {
      const next = Math.min(Number(slider.value) + every, count - 1);
      turn(next);
      if (next >= count - 1) stop();
    }, wait);
  });
  turn(first);
}

function episode(parent, data) {
  const last = data.steps.length - 1, label = "step of the episode";
  const say = (index) => `step ${data.steps[index]}`;
  if (data.points) {
    const {layer, span} = scene(parent, {start: data.points[0], goal: data.goal, label: "the way that was driven"});
    svg("path", {class: "way", d: pathOf(data.points), "stroke-width": span / 260}, layer);
    const driven = svg("g", {fill: "none", "stroke-width": span / 110, "stroke-linecap": "round"}, layer);
    const parts = data.points.slice(1).map((point, index) =>
      svg("path", {d: pathOf([data.points[index], point]), stroke: color(index / last)}, driven));
    const here = svg("circle", {class: "here", r: span / 55, "stroke-width": span / 300}, layer);
    controls(parent, {count: last + 1, first: last, label, say, show: (index) => {
      parts.forEach((part, number) => part.setAttribute("visibility", number < index ? "visible" : "hidden"));
      if (known(data.points[index])) {
        here.setAttribute("cx", data.points[index][0]);
        here.setAttribute("cy", data.points[index][1]);
      }
    }});
    return;
  }
  const {layer, x, y} = frame(parent, {steps: data.steps, within: data.lines, label: "what was observed"});
  const place = (index) => (value, row) => value === null ? null : [x(data.steps[row]), y(value)];
  data.lines.forEach((line, index) =>
    svg("path", {d: pathOf(line.map(place(index))), fill: "none", stroke: `var(--c${index})`, "stroke-width": 1.5}, layer));
  const cursor = svg("line", {y1: EDGE.top, y2: HEIGHT - EDGE.bottom, stroke: "currentColor", "stroke-width": 1.2}, layer);
  legend(parent, data.lines.length);
  controls(parent, {count: last + 1, first: last, label, say, show: (index) => {
    cursor.setAttribute("x1", x(data.steps[index]));
    cursor.setAttribute("x2", x(data.steps[index]));
  }});
}

// A plan after every row of its scheduling matrix; beside it the matrix, and the levels of the row.
function plan(parent, data) {
  const sides = html("div", {class: "sides"}, parent);
  const left = html("div", {}, sides), right = html("div", {}, sides);
  const show = data.points ? planInScene(left, data) : planOverTime(left, data);
  const matrix = levelsOf(right, data);
  const told = html("p", {class: "told", role: "status"}, parent);
  const tokens = data.levels[0].length;
  const arrives = data.arrival <= data.num_steps ? `the plan arrives at step ${data.arrival}` : `${data.num_steps} steps`;
  controls(parent, {count: data.rows.length, first: data.rows.length - 1, label: "row of the scheduling matrix",
    say: (index) => `row ${data.rows[index]} / ${data.rows[data.rows.length - 1]}`,
    show: (index) => {
      show(index);
      const levels = matrix(index), clean = levels.filter((level) => level === 0).length;
      told.textContent = clean === tokens ? `all ${tokens} tokens are clean; ${arrives}`
        : `${clean} of ${tokens} tokens are clean, ${levels.filter((level) => level === data.most).length} still noise`;
    }});
}

function planInScene(parent, data) {
  const {layer, span} = scene(parent, {start: data.start, goal: data.goal, label: "places of the plan after this row"});
  const way = svg("path", {class: "way", "stroke-width": span / 300}, layer), count = data.points[0].length;
  const dots = data.points[0].map((_, index) =>
    svg("circle", {r: span / 110, fill: color(index / Math.max(count - 1, 1)), "data-point": index}, layer));
  return (index) => {
    const points = data.points[index];
    way.setAttribute("d", pathOf([data.start, ...points]));
    points.forEach((point, number) => {
      dots[number].setAttribute("visibility", known(point) ? "visible" : "hidden");
      if (known(point)) { dots[number].setAttribute("cx", point[0]); dots[number].setAttribute("cy", point[1]); }
    });
  };
}

function planOverTime(parent, data) {
  const final = data.lines[data.lines.length - 1], steps = [0, ...data.steps];
  const {layer, x, y} = frame(parent, {steps, within: [...final, data.start], label: "numbers of the plan after this row"});
  const paths = final.map((_, index) =>
    svg("path", {fill: "none", stroke: `var(--c${index})`, "stroke-width": 1.8}, layer));
  legend(parent, final.length);
  return (index) => data.lines[index].forEach((line, number) => {
    const values = [data.start[number], ...line];
    paths[number].setAttribute("d", pathOf(values.map((value, row) => value === null ? null : [x(steps[row]), y(value)])));
  });
}

function levelsOf(parent, data) {
  const count = data.levels.length, tokens = data.levels[0].length;
  const told = html("p", {class: "told"}, parent, "scheduling matrix: rows downwards, the future to the right, dark is clean");
  const box = html("div", {class: "matrix"}, parent);
  const canvas = html("canvas", {width: tokens, height: count, role: "img", "aria-label": told.textContent}, box);
  const ink = canvas.getContext("2d");
  data.levels.forEach((row, y) => row.forEach((level, x) => {
    ink.fillStyle = color(data.most ? level / data.most : 0);
    ink.fillRect(x, y, 1, 1);
  }));
  const mark = html("div", {class: "row"}, box);
  html("p", {class: "told"}, parent, "levels of the tokens in this row");
  const bars = html("div", {class: "levels"}, parent);
  const each = data.levels[0].map(() => html("span", {}, bars));
  return (index) => {
    const row = Math.min(data.rows[index], count - 1), levels = data.levels[row];
    mark.style.top = `${100 * row / count}%`;
    mark.style.height = `max(${100 / count}%, 4px)`;
    levels.forEach((level, token) => { each[token].style.height = `${data.most ? 100 * level / data.most : 0}%`; });
    return levels;
  };
}
