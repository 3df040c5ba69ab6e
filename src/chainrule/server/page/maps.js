// What a training of "Play" looks like: the map of the plane, each hidden unit's own map, and the curves.

import { ask } from "./api.js";
import { make } from "./bricks.js";
import { drawChart } from "./chart.js";
import { short } from "./colours.js";
import { $ } from "./dom.js";
import { classPicture, unitPicture } from "./plane.js";
import { tell } from "./scene.js";
import { t } from "./text.js";

const EVERY = 80; // milliseconds between two maps, so that other work gets its turn

let shown = null; // the maps on the page
let chosen = null; // [layer, unit] whose map stands in the large one
let asking = false;
let again = false; // once more when the answer is there
let buttons = [];

function bytes(packed, Kind) {
  return new Kind(Uint8Array.from(atob(packed.data), (c) => c.charCodeAt(0)).buffer);
}

/** Ask for the maps of a training as it is now, and draw them; without one the points alone. */
export async function showMaps(run, plane, data) {
  const hasMap = !data || data.shape.length === 0 || (data.shape.length === 1 && data.shape[0] === 2);
  $("plane-figure").hidden = $("units-figure").hidden = !hasMap;
  $("no-map").hidden = hasMap;
  if (!hasMap) {
    $("no-map").textContent = t("noMap", data.shape.reduce((a, b) => a * b, 1));
    return;
  }
  if (!run) {
    shown = chosen = null;
    [plane.low, plane.high] = [[-1.1, -1.1], [1.1, 1.1]];
    draw(plane, data);
    return;
  }
  again = asking;
  if (asking) return;
  asking = true;
  try {
    shown = await ask(`/api/map/${run.id}?size=50`);
    if (!run.closed) {
      [plane.low, plane.high] = [shown.low, shown.high];
      draw(plane, data);
    }
    await new Promise((done) => setTimeout(done, EVERY));
  } catch (error) {
    if (error.status !== 422) tell("problem", run.closed ? null : error); // 422: weights that are no numbers any more, or no map
    await new Promise((done) => setTimeout(done, EVERY));
  }
  asking = false;
  if (again && !run.closed) showMaps(run, plane, data);
}

function draw(plane, data) {
  const size = shown?.classes.shape[1];
  const unit = chosen && shown?.units[chosen[0]];
  plane.background = null;
  if (unit && chosen[1] < unit.values.shape[0]) {
    plane.background = unitPicture(bytes(unit.values, Int8Array).subarray(chosen[1] * size * size), size);
    $("plane-caption").textContent = t("unitShown", chosen[0] + 1, chosen[1] + 1);
  } else if (shown) {
    const [count] = shown.classes.shape;
    plane.background = classPicture(bytes(shown.classes, Uint8Array), count, size);
    $("plane-caption").textContent = count === 1 ? t("numberShown", short(shown.least), short(shown.most)) : data?.columns?.length === 2 ? t("placesShown", ...data.columns) : t("classesShown");
  } else {
    $("plane-caption").textContent = t("classesShown");
  }
  plane.paint();
  drawUnits(plane, data, size);
}

/** A small map for each unit, a column a layer; pointing at one shows it in the large map. */
function drawUnits(plane, data, size) {
  const layers = shown?.units ?? [];
  const counts = layers.map((layer) => layer.values.shape[0]);
  if (counts.join() !== buttons.map((list) => list.length).join()) {
    buttons = counts.map((count, layer) => Array.from({ length: count }, (_, unit) => unitButton(layer, unit, plane, data)));
    $("units-maps").replaceChildren(...buttons.map((list, layer) =>
      make("div", { className: "layer" }, make("span", { className: "hint" }, layers[layer].place), ...list)));
  }
  layers.forEach((layer, at) => {
    const values = bytes(layer.values, Int8Array);
    buttons[at].forEach((button, unit) => {
      button.firstElementChild.getContext("2d").drawImage(unitPicture(values.subarray(unit * size * size), size), 0, 0, 44, 44);
      button.setAttribute("aria-pressed", String(chosen?.[0] === at && chosen[1] === unit));
      button.setAttribute("aria-label", t("unitLabel", at + 1, unit + 1));
    });
  });
}

function unitButton(layer, unit, plane, data) {
  const canvas = make("canvas", { width: 44, height: 44 });
  const look = (place) => { chosen = place; draw(plane, data); };
  const button = make("button", { type: "button", className: "unit-map" }, canvas);
  button.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") look([layer, unit]); });
  button.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") look(null); });
  button.addEventListener("focus", () => { if (button.matches(":focus-visible")) look([layer, unit]); });
  button.addEventListener("blur", () => look(null));
  button.addEventListener("click", (event) => {
    if (event.pointerType === "mouse") return; // it is shown already
    look(chosen?.[0] === layer && chosen[1] === unit && event.pointerType ? null : [layer, unit]);
  });
  return button;
}

export function showPlayCharts(run, data) {
  const predicts = Boolean(run?.points.some((point) => point.accuracy === null)) || Boolean(data?.rows && !data.classes.length);
  $("play-loss").textContent = t(predicts ? "lossOfNumbers" : "playLoss");
  $("play-accuracy").hidden = predicts;
  if (!run) {
    for (const id of ["play-loss-chart", "play-accuracy-chart"]) $(id).replaceChildren();
    return;
  }
  const curves = (first, second) => [
    { name: t("training"), className: "a", points: run.points.map((point) => [point.step, first(point)]) },
    { name: t("test"), className: "b", dots: run.measured.length < 60, points: run.measured.map((point) => [point.step, second(point)]) },
  ];
  const percent = (share) => (share === null ? NaN : 100 * share);
  drawChart($("play-loss-chart"), curves((point) => point.loss, (point) => point.test_loss), { format: (value) => value.toPrecision(2) });
  drawChart($("play-accuracy-chart"), curves((point) => percent(point.accuracy), (point) => percent(point.test_accuracy)),
    { high: 100, namesBelow: true, format: (value) => `${Math.round(value)} %` });
}
