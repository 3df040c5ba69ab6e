// An exercise: one weight is moved by a step of SGD, and the loss that this gives stands beside what the gradient promised.

import { askAbout } from "./api.js";
import { Board, indexOf, tilesOfWeights } from "./board.js";
import { fill, make, pictureBefore } from "./bricks.js";
import { drawChart } from "./chart.js";
import { largest } from "./colours.js";
import { called, flatOf, readElement, writeElement } from "./number.js";
import { parametersOf, sampleInput, scene, tell, trueLabel } from "./scene.js";
import { namesOf, tilesOfTable } from "./sequence.js";
import { change, state } from "./state.js";
import { digits, written } from "./task.js";
import { t } from "./text.js";

const CURVE = 41; // places of the curve
const EXACT = 0.01; // of the step, that a new weight may be off
let rate = "0.1";
let asked = 0;

/** Every parameter: {place, array, gradient, index of its place}; one that two places share stands at the first. */
async function parameters() {
  const { walk } = scene;
  const known = await parametersOf(scene.card.name);
  const all = walk.places.flatMap((place, at) => place.gradients.map(([array, gradient]) => ({ place, array, gradient, at })));
  return all.filter(({ place, array }) => `${place.name}.${array}` in known);
}

/** The weight that the address names, else the one with the largest gradient. */
function chosenWeight(all) {
  const element = readElement(state.weight);
  const named = element && all.find(({ place, array }) => place.name === element.place && array === element.array);
  const flat = named ? flatOf(element.index, named.gradient.shape) : -1;
  if (named && element.index.length === named.gradient.shape.length && flat < named.gradient.data.length) return { ...named, flat };
  const most = all.reduce((one, other) => (largest(other.gradient.data) > largest(one.gradient.data) ? other : one));
  return { ...most, flat: strongest(most.gradient.data) };
}

function strongest(data) {
  return data.reduce((best, value, at) => (Math.abs(value) > Math.abs(data[best]) ? at : best), 0);
}

/** What the server computes of the weight at some values; none: as it is. */
function lossAt({ place, array, gradient, flat }, values = [], slopes = true) {
  const query = { model: scene.card.name, label: trueLabel(), parameter: `${place.name}.${array}`, index: String(indexOf(flat, gradient.shape)) };
  return askAbout(sampleInput(), "/api/weight", values.length ? { ...query, values: values.join(","), slopes: String(slopes) } : query);
}

export async function showDescent(box) {
  const mine = ++asked;
  const { walk } = scene;
  try {
    const all = await parameters();
    if (mine !== asked || scene.walk !== walk) return;
    if (!all.length) {
      fill(box, make("p", { className: "hint" }, t("stepNoWeights")));
      return;
    }
    const chosen = chosenWeight(all);
    const { spots } = await lossAt(chosen);
    if (mine !== asked || scene.walk !== walk) return;
    show(box, all, chosen, spots);
  } catch (error) {
    if (mine === asked && scene.walk === walk) tell("problem", error);
  }
}

function show(box, all, chosen, start) {
  const { place, array, gradient, flat, at } = chosen;
  const steps = [...start]; // {value, loss, gradient, promised}
  const choose = (name, index) => {
    change({ weight: writeElement(...name, index) });
    showDescent(box);
  };
  const select = make("select", { id: "step-weights" }, ...all.map((one) => make("option", { value: String(all.indexOf(one)) }, `${one.place.name}.${one.array}`)));
  select.value = String(all.findIndex((one) => one.place === place && one.array === array));
  select.addEventListener("change", () => {
    const one = all[Number(select.value)];
    choose([one.place.name, one.array], indexOf(strongest(one.gradient.data), one.gradient.shape));
  });
  const board = new Board({ size: 230, width: 560, label: called({ array, index: [] }), onPoint: () => {},
    onPick: (picked) => picked !== null && choose([place.name, array], indexOf(picked, gradient.shape)) });
  const before = pictureBefore(scene.walk.places, at, scene.card.input_shape);
  board.show(gradient, { rooted: true, tiles: tilesOfTable(place, array, scene.card.labels, namesOf(scene.prediction)) ?? tilesOfWeights(gradient.shape, before) });
  board.point(flat);
  const learning = make("input", { id: "step-rate", type: "number", min: "0.0001", max: "1000", step: "any", value: rate });
  const field = make("input", { id: "step-value", autocomplete: "off", spellcheck: false });
  const told = make("div", { id: "told", role: "status" });
  const table = make("div", { className: "wide", tabIndex: 0 });
  const chart = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of Object.entries({ id: "step-chart", role: "img", "aria-label": t("stepChart") })) chart.setAttribute(name, value);
  const redraw = () => {
    fill(table, stepsTable(steps, called({ array, index: indexOf(flat, gradient.shape) })));
    drawCurve(chart, chosen, steps).catch((error) => tell("problem", error));
  };
  const target = () => steps.at(-1).value - Number(learning.value) * steps.at(-1).gradient;
  const forMe = () => { field.value = String(Number(target().toPrecision(6))); };
  const take = async () => {
    const value = written(field.value);
    field.setAttribute("aria-invalid", String(value === null));
    if (value === null) {
      fill(told, make("p", { className: "wrong" }, t("predictNotNumber")));
      return;
    }
    try {
      const { spots: [spot] } = await lossAt(chosen, [value]);
      if (!told.isConnected) return;
      const last = steps.at(-1);
      if (spot.loss === null || spot.gradient === null) {
        fill(told, make("p", { className: "wrong" }, t("stepTooFar")));
        return;
      }
      const promised = last.loss + last.gradient * (value - last.value);
      fill(told, make("p", {}, kindOfStep(value, last, Number(learning.value))), make("p", { className: "said" }, movedWords(last, spot, promised)));
      steps.push({ ...spot, promised });
      field.value = "";
      redraw();
    } catch (error) {
      tell("problem", error);
    }
  };
  learning.addEventListener("input", () => { rate = learning.value; });
  const form = make("form", { className: "row" },
    make("label", { className: "field" }, `${t("rate")} `, learning), make("label", { className: "field" }, `${t("stepNew")} `, field),
    make("button", { className: "main", id: "take-step" }, t("stepTake")),
    make("button", { type: "button", id: "step-for-me", onclick: forMe }, t("stepForMe")),
    make("button", { type: "button", id: "step-again", onclick: () => showDescent(box) }, t("stepAgain")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    take();
  });
  fill(box, make("h3", {}, t("stepTitle")), make("p", { className: "hint" }, t("stepHint")),
    make("p", { className: "row" }, make("label", { className: "field" }, `${t("stepWeight")} `, select)),
    make("div", { className: "columns" },
      make("figure", { className: "made" }, make("figcaption", {}, t("stepPick", array)), board.canvas),
      make("div", { className: "walked" }, table, form, told)),
    make("figure", { className: "charts", id: "step-figure" }, make("figcaption", {}, t("stepCurve")), chart));
  redraw();
}

/** Whether a step is that of SGD. */
function kindOfStep(value, { value: from, gradient }, learning) {
  const step = -learning * gradient;
  const aim = digits(from + step, 6);
  if (Math.abs(value - from - step) <= EXACT * Math.abs(step) + 1e-9) return t("stepExact", digits(from, 6), learning, digits(gradient, 6), aim);
  return Math.abs(value - from + step) <= EXACT * Math.abs(step) ? t("stepUphill", aim) : t("stepOther", aim);
}

function movedWords(last, spot, promised) {
  const off = spot.loss - promised;
  const bend = Math.abs(off) < 1e-6 * Math.max(1, Math.abs(spot.loss)) ? "stepIsStraight" : off > 0 ? "stepBendsUp" : "stepBendsDown";
  return t("stepMoved", digits(last.loss, 6), digits(spot.loss, 6), digits(promised, 6), t(bend), digits(Math.abs(off), 3));
}

function stepsTable(steps, gradientName) {
  const head = [t("stepHead"), "w", gradientName, t("stepLoss"), t("stepPromised")].map((text) => make("th", { scope: "col" }, text));
  const rows = steps.map(({ value, gradient, loss, promised }, at) => make("tr", {}, make("th", { scope: "row" }, String(at)),
    ...[value, gradient, loss, promised].map((one) => make("td", {}, one === undefined ? "" : digits(one, 6)))));
  return make("table", { id: "steps-taken", className: "terms" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
}

/** The loss around the values that were reached, the tangent of the last step, and the steps. */
async function drawCurve(chart, chosen, steps) {
  const values = steps.map(({ value }) => value);
  const from = steps.at(-2) ?? steps[0];
  const room = Math.max(0.2, Math.abs(from.value), 3 * Math.abs(Number(rate) * from.gradient));
  const [low, high] = [Math.min(...values) - room, Math.max(...values) + room];
  const places = Array.from({ length: CURVE }, (_, at) => Number((low + ((high - low) * at) / (CURVE - 1)).toPrecision(8)));
  const { spots } = await lossAt(chosen, places, false);
  if (!chart.isConnected) return;
  const curve = [...spots, ...steps].filter(({ loss }) => loss !== null).sort((one, other) => one.value - other.value).map(({ value, loss }) => [value, loss]);
  const [least, most] = [Math.min(...curve.map(([, loss]) => loss)), Math.max(...curve.map(([, loss]) => loss))];
  const edge = 0.1 * (most - least) || 0.1 * most || 1;
  const tangent = places.map((place) => [place, from.loss + from.gradient * (place - from.value)]).filter(([, loss]) => loss >= least - edge && loss <= most + edge);
  const curves = [
    { name: t("stepCurve"), className: "a", points: curve },
    { name: t("stepTangent"), className: "tangent", points: tangent },
    { name: t("stepTaken"), className: "c walk", points: steps.map(({ value, loss }) => [value, loss]), dots: true },
  ];
  const format = (value) => digits(value, 3).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
  drawChart(chart, curves, { first: low, low: least - edge, high: most + edge, format, across: format });
}
