// A small line chart in SVG: curves over steps, with axes that fit.

import { t } from "./text.js";

const NS = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, BOTTOM] = [420, 190, 46, 24];

function svg(tag, attributes, text = "") {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

/** Round numbers between two, three to six of them. */
function ticks(low, high) {
  const span = high - low || 1;
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough);
  const list = [];
  for (let value = Math.ceil(low / step) * step; value <= high + 1e-9 * span; value += step) list.push(value);
  return list;
}

/** The top of the scale; a few values far above the others (`clipped` is the largest) do not flatten the rest. */
export function scale(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const most = Math.max(1e-6, sorted.at(-1) ?? 0);
  const usual = Math.max(3 * (sorted[Math.floor(0.9 * (sorted.length - 1))] ?? most), 1.5 * (values[0] ?? 0)); // what it began with is seen
  return sorted.length > 9 && usual > 0 && most > usual ? { top: usual, clipped: most } : { top: 1.05 * most, clipped: null };
}

/**
 * `curves`: [{name, className, points: [[step, value], ...], dots}]; `at`: a step to mark; `format` of the values; `first`:
 * where the axis begins; `across` names its places.
 * @param {any} element
 * @param {any[]} curves
 * @param {{low?: number, high?: number | null, at?: number | null, format?: (value: number) => string, namesBelow?: boolean,
 *   namesLeft?: boolean, first?: number, across?: ((position: number) => string) | null}} look
 */
export function drawChart(element, curves, { low = 0, high = null, at = null, format = String, namesBelow = false, namesLeft = false, first = 0, across = null } = {}) {
  element.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  const all = curves.flatMap((curve) => curve.points);
  const last = Math.max(across ? -Infinity : 1, ...all.map(([step]) => step));
  const { top, clipped } = high === null ? scale(all.map(([, value]) => value)) : { top: high, clipped: null };
  const x = (step) => LEFT + ((WIDTH - LEFT - 8) * (step - first)) / (last - first);
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - 8) * (Math.min(value, top) - low)) / (top - low || 1);
  const parts = [];
  for (const value of ticks(low, top)) {
    parts.push(svg("line", { x1: LEFT, x2: WIDTH - 8, y1: y(value), y2: y(value), class: "grid" }));
    parts.push(svg("text", { x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" }, format(value)));
  }
  for (const step of ticks(first, last)) {
    if (across || step === Math.floor(step)) parts.push(svg("text", { x: x(step), y: HEIGHT - 7, "text-anchor": "middle" }, across ? across(step) : step.toLocaleString()));
  }
  curves.forEach((curve, index) => {
    const path = curve.points.filter(([, value]) => Number.isFinite(value)).map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    parts.push(svg("polyline", { points: path, class: `curve ${curve.className}` }));
    if (curve.dots) {
      for (const [step, value] of curve.points) if (Number.isFinite(value)) parts.push(svg("circle", { cx: x(step), cy: y(value), r: 2, class: curve.className }));
    }
    parts.push(svg("text", { x: namesLeft ? LEFT + 10 : WIDTH - 10, y: (namesBelow ? HEIGHT - BOTTOM - 22 : 20) + 15 * index, "text-anchor": namesLeft ? "start" : "end", class: `name ${curve.className}` }, curve.name));
  });
  if (at !== null && at <= last) parts.push(svg("line", { x1: x(at), x2: x(at), y1: 6, y2: HEIGHT - BOTTOM, class: "at" }));
  if (clipped !== null) parts.push(svg("text", { x: LEFT + 6, y: 18, class: "clipped" }, t("clipped", format(clipped))));
  element.replaceChildren(...parts);
}
