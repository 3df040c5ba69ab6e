// What is shown of sequences: tokens, states and gates over the steps, maps of attention, gradients back through time.

import { Board, tilesOf, tilesOfMap, tilesOfSteps } from "./board.js";
import { facts, make } from "./bricks.js";
import { drawChart } from "./chart.js";
import { colour, short } from "./colours.js";
import { has, t } from "./text.js";

const MARKS = { "\n": "↵", "\t": "⇥", " ": "␣" };
const CURVES = ["a", "b", "c", "d", "e", "f"];
const NEAREST = 5;
const MOST_TOKENS = 12;

/** A token as it can be seen. */
export function visible(token) {
  return token.replace(/[\n\t ]/g, (character) => MARKS[character]);
}

/** The tokens that were read, to be seen; null where the network reads no text. */
export function namesOf(prediction) {
  return prediction?.tokens?.map(visible) ?? null;
}

/** How an array of this network's activations is laid out: steps from left to right where it is a sequence. */
export function tilesOfPlace(array, walk, names) {
  if (!walk.sequence || array.shape.length !== 2) return tilesOf(array.shape);
  return tilesOfSteps(array.shape, names?.length === array.shape[0] ? names : null);
}

/** A table of tokens or its gradient (V, D): a column for each token; null where the layer is no such table. */
export function tilesOfTable(place, array, labels, names) {
  return names && place.kind === "Embedding" ? tilesOfSteps(array.shape, labels.map(visible)) : null;
}

/** The tokens in a row; `sizes` (one a token) are shown as lines below them. */
export function tokenStrip(names, sizes = null) {
  const most = sizes ? Math.max(...sizes) : 0;
  return make("p", { className: "tokens" }, ...names.map((name, step) => {
    const token = make("span", {}, name);
    if (sizes) {
      token.style.borderBottomColor = `rgb(${colour(sizes[step], most, true).join(" ")})`;
      token.title = short(sizes[step]);
    }
    return token;
  }));
}

/** The length of each step's part of a sequence (T, D). */
export function lengths({ shape: [steps, units], data }) {
  return Array.from({ length: steps }, (_, step) => Math.hypot(...data.subarray(step * units, (step + 1) * units)));
}

/** What a layer computed between x and y: a picture for each of its states and gates, and for each head of attention. */
export function betweenFigures(place, names) {
  if (!place.between.length) return [];
  const told = make("p", { className: "hint", role: "status" }, t("pointMap"));
  const figures = place.between.flatMap(([name, array]) =>
    array.shape.length === 3 ? headFigures(array, names, told) : [stateFigure(name, array, names, told)]);
  return [make("div", { className: "columns between" }, ...figures), told];
}

function stateFigure(name, array, names, told) {
  const kind = `b_${name.split("_")[0]}`;
  const [, units] = array.shape;
  const board = new Board({
    size: 150,
    width: 420,
    label: name,
    onPoint: (flat) => {
      if (flat === null) return;
      const step = Math.floor(flat / units);
      told.textContent = t("stateAt", name, flat % units, step, names?.[step] ?? step, short(array.data[flat]));
    },
  });
  board.show(array, { tiles: tilesOfSteps(array.shape, names) });
  return make("figure", {}, make("figcaption", {}, has(kind) ? `${name}: ${t(kind)}` : name), board.canvas);
}

function headFigures({ shape: [heads, steps, keys], data }, names, told) {
  return Array.from({ length: heads }, (_, head) => {
    const shares = { shape: [steps, keys], data: data.subarray(head * steps * keys, (head + 1) * steps * keys) };
    const board = new Board({
      size: 260,
      label: t("head", head + 1),
      onPoint: (flat) => {
        if (flat === null) return;
        const [to, from] = [Math.floor(flat / keys), flat % keys];
        const percent = (100 * shares.data[flat]).toFixed(1);
        told.textContent = t("takes", head + 1, names?.[to] ?? to, to, percent, names?.[from] ?? from, from);
      },
    });
    board.show(shares, { tiles: tilesOfMap(shares.shape, names), most: 1 });
    return make("figure", {}, make("figcaption", {}, t("headCaption", head + 1)), board.canvas);
  });
}

/** How long the gradient is at each step, of y, of x, and of the states: where it vanishes is seen. */
export function lengthsFigure(place) {
  const arrays = [["dy", place.dy], ["dx", place.dx], ...place.stateGradients.map(([name, array]) => [`d${name}`, array])];
  const curves = arrays.filter(([, array]) => array?.shape.length === 2).map(([name, array], index) => ({
    name: `|${name}|`,
    className: CURVES[index % CURVES.length],
    dots: true,
    points: lengths(array).map((length, step) => [step, Math.log10(length)]).filter(([, value]) => Number.isFinite(value)),
  })).filter((curve) => curve.points.length);
  if (!curves.length) return null;
  const values = curves.flatMap((curve) => curve.points.map(([, value]) => value));
  const low = Math.floor(Math.min(...values));
  const high = Math.max(Math.ceil(Math.max(...values)), low + 1);
  const chart = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", t("lengthsLabel"));
  const format = (power) => (Number.isInteger(power) ? `1e${power}`.replace("-", "−") : "");
  drawChart(chart, curves, { low, high, format, namesLeft: true });
  const fallen = curves.filter((curve) => curve.points.length > 1).map(({ name, points }) =>
    t("fallen", name, points.at(-1)[0], points[0][0], short(10 ** (points[0][1] - points.at(-1)[1]))));
  return make("figure", { id: "lengths", className: "charts" }, make("figcaption", {}, t("lengthsCaption")), chart,
    ...fallen.map((text) => make("p", { className: "hint" }, text)));
}

/** An embedding as what it is: which rows of its table were taken, and which other rows are near them. */
export function nearestRows({ shape: [rows, size], data }, indices, labels) {
  const row = (index) => data.subarray(index * size, (index + 1) * size);
  const product = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const norms = Array.from({ length: rows }, (_, index) => Math.sqrt(product(row(index), row(index))) || 1);
  const chosen = [...new Set(indices)].slice(0, MOST_TOKENS);
  return facts(chosen.map((index) => {
    const near = labels.map((label, other) => [label, product(row(index), row(other)) / norms[index] / norms[other]])
      .filter((_, other) => other !== index).sort((a, b) => b[1] - a[1]).slice(0, NEAREST);
    return [visible(labels[index]), ...near.map(([label, likeness]) => `${visible(label)} ${likeness.toFixed(2)}`)];
  }));
}
