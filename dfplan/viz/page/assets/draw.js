"use strict";
// What all players draw with: elements without markup, scenes, and numbers over time. Texts only ever become text.
const SVG = "http://www.w3.org/2000/svg";
const numbers = JSON.parse(document.getElementById("numbers").textContent);

function svg(name, attributes = {}, parent = null) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (parent) parent.append(element);
  return element;
}

function html(name, attributes = {}, parent = null, text = null) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== null) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

// Viridis, which colour-blind readers can tell apart, at five places.
const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
function color(share) {
  const at = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  const mixed = VIRIDIS[low].map((each, index) => each + (at - low) * (VIRIDIS[low + 1][index] - each));
  return `rgb(${mixed.map(Math.round).join(",")})`;
}

const known = (point) => point && point[0] !== null && point[1] !== null;

function pathOf(points) {
  let path = "", pen = "M";
  for (const point of points) {
    if (known(point)) { path += `${pen}${point[0]} ${point[1]}`; pen = "L"; } else pen = "M";
  }
  return path;
}

// The things that places are drawn over; everything is in the units of the environment.
function scene(parent, {start = null, goal = null, label}) {
  const {limits, blocks, radius} = numbers.scene;
  const [left, top, right, bottom] = limits, span = Math.max(right - left, bottom - top);
  const stage = svg("svg", {class: "stage", role: "img", "aria-label": label,
    viewBox: `${left} ${top} ${right - left} ${bottom - top}`}, parent);
  svg("rect", {class: "floor", x: left, y: top, width: right - left, height: bottom - top}, stage);
  for (const [x, y, width, height] of blocks) svg("rect", {class: "block", x, y, width, height}, stage);
  const thin = span / 400;
  for (const [kind, name] of [["keep_out", "out"], ["keep_in", "in"]])
    for (const each of numbers.scene[kind] || []) region(stage, each, name, thin);
  for (const [cx, cy] of numbers.scene.waypoints || [])
    svg("circle", {class: "waypoint", cx, cy, r: span / 70, "stroke-width": thin}, stage);
  if (known(goal))
    svg("circle", {class: "goal", cx: goal[0], cy: goal[1], r: radius || span / 60, "stroke-width": 2 * thin}, stage);
  const layer = svg("g", {}, stage);
  if (known(start))
    svg("circle", {class: "start", cx: start[0], cy: start[1], r: span / 90, "stroke-width": 1.5 * thin}, stage);
  return {stage, layer, span};
}

function region(stage, each, name, thin) {
  const look = {class: name, "stroke-width": 2 * thin};
  if (each.center) svg("circle", {...look, cx: each.center[0], cy: each.center[1], r: each.radius}, stage);
  else {
    const [x, width] = [Math.min(each.low[0], each.high[0]), Math.abs(each.high[0] - each.low[0])];
    const [y, height] = [Math.min(each.low[1], each.high[1]), Math.abs(each.high[1] - each.low[1])];
    svg("rect", {...look, x, y, width, height}, stage);
  }
}

// Numbers over time, in a frame that stays as it is: limits are those of `within`.
const WIDTH = 480, HEIGHT = 280, EDGE = {left: 46, right: 10, top: 10, bottom: 30};
function frame(parent, {steps, within, label}) {
  const found = within.flat().filter((each) => each !== null);
  let low = Math.min(...found), high = Math.max(...found);
  if (!found.length) [low, high] = [0, 1];
  const margin = 0.06 * (high - low) || 1;
  [low, high] = [low - margin, high + margin];
  const last = steps[steps.length - 1] || 1;
  const x = (step) => EDGE.left + (WIDTH - EDGE.left - EDGE.right) * step / last;
  const y = (value) => EDGE.top + (HEIGHT - EDGE.top - EDGE.bottom) * (high - value) / (high - low);
  const stage = svg("svg", {class: "stage", role: "img", "aria-label": label, viewBox: `0 0 ${WIDTH} ${HEIGHT}`}, parent);
  svg("rect", {class: "axis", x: EDGE.left, y: EDGE.top, width: WIDTH - EDGE.left - EDGE.right,
    height: HEIGHT - EDGE.top - EDGE.bottom}, stage);
  const say = (text, px, py, anchor) => {
    svg("text", {class: "label", x: px, y: py, "text-anchor": anchor}, stage).textContent = text;
  };
  for (const value of [low + margin, high - margin]) say(short(value), EDGE.left - 5, y(value) + 4, "end");
  say("0", x(0), HEIGHT - 12, "middle");
  say(`step ${last}`, x(last), HEIGHT - 12, "end");
  const inside = `inside-${frame.count = (frame.count || 0) + 1}`;
  const clip = svg("clipPath", {id: inside}, svg("defs", {}, stage));
  svg("rect", {x: EDGE.left, y: EDGE.top, width: WIDTH - EDGE.left - EDGE.right,
    height: HEIGHT - EDGE.top - EDGE.bottom}, clip);
  return {stage, layer: svg("g", {"clip-path": `url(#${inside})`}, stage), x, y};
}

function short(value) { return String(Number(value.toPrecision(3))); }

function legend(parent, count) {
  const told = html("p", {class: "told"}, parent);
  told.append("numbers of the state: ");
  for (let index = 0; index < count; index += 1)
    html("span", {style: `color: var(--c${index}); margin-right: .7em`}, told, `■ ${index}`);
}
