// The place "Train": a network learns before your eyes; a timeline goes back through its snapshots.

import { askAbout } from "./api.js";
import { Board, tilesOfWeights } from "./board.js";
import { make } from "./bricks.js";
import { drawChart } from "./chart.js";
import { short } from "./colours.js";
import { $ } from "./dom.js";
import { bars, sentence } from "./draw.js";
import { deadWords, faultOf, numeral, Run } from "./follow.js";
import { on, parametersOf, scene, tell } from "./scene.js";
import { change, state } from "./state.js";
import { t } from "./text.js";

const NETWORKS = ["two-layer", "mlp", "simple-conv", "lenet", "cnn-small", "cnn", "resnet-mini"];
const OPTIMIZERS = ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "muon"];
const SPEEDS = ["", "1", "10", "100"];
const GRADIENTS = ["backpropagation", "numerical", "both"];

let runs = []; // the training, and in a race the numerical one
let shown = null; // the step that the timeline shows; null: the newest

export function startTraining() {
  for (const name of ["network", "optimizer", "rate", "batch", "speed", "gradient"]) {
    $(name).addEventListener("change", () => {
      change({ [name]: $(name).value });
      reset();
    });
  }
  $("settings").addEventListener("submit", (event) => event.preventDefault());
  $("run").addEventListener("click", () => command(playing() ? "pause" : "play"));
  $("once").addEventListener("click", () => command("step"));
  $("reset").addEventListener("click", reset);
  $("timeline").addEventListener("input", () => {
    const steps = runs[0]?.progress.snapshots ?? [];
    const place = Number($("timeline").value);
    shown = place >= steps.length - 1 ? null : steps[place];
    showSnapshot();
  });
  on("input", () => showSnapshot());
  on("training", (id) => restoreTraining(id));
  addEventListener("pagehide", () => runs.forEach((run) => run.leave()));
}

/** Go on with the training that the address names, or show one that was opened from a file. */
export async function restoreTraining(id = state.training) {
  if (!id) return;
  const run = await Run.find(id, hear);
  if (!run || run.settings.data !== "mnist") {
    change({ training: "" });
    $("training-state").textContent = t("gone");
    return;
  }
  runs = [Object.assign(run, { gradient: run.settings.gradient })];
  const { settings } = run;
  const { network, optimizer, learning_rate: rate, batch_size: batch, gradient } = settings;
  change({ training: id, network, optimizer, rate, batch, gradient, speed: settings.speed ?? "" });
  showSettings();
  hear(run, true);
}

function playing() {
  return Boolean(runs[0]?.playing);
}

export function showSettings() {
  const fill = (id, values, name) => {
    $(id).replaceChildren(...values.map((value) => make("option", { value }, name(value))));
    $(id).value = state[id];
    if (!$(id).value) $(id).value = values[0];
  };
  fill("network", NETWORKS, (value) => value);
  fill("optimizer", OPTIMIZERS, (value) => value);
  fill("speed", SPEEDS, (value) => (value ? t("speed_n", value) : t("speed_full")));
  fill("gradient", GRADIENTS, (value) => t(value));
  $("rate").value = numeral(state.rate);
  $("batch").value = numeral(state.batch);
  showState();
}

async function begin() {
  const settings = {
    network: $("network").value,
    optimizer: $("optimizer").value,
    learning_rate: Number($("rate").value),
    batch_size: Number($("batch").value),
    speed: $("speed").value ? Number($("speed").value) : null,
  };
  const kinds = $("gradient").value === "both" ? ["backpropagation", "numerical"] : [$("gradient").value];
  runs = [];
  for (const gradient of kinds) {
    const run = await Run.begin({ ...settings, gradient }, hear);
    runs.push(Object.assign(run, { gradient }));
  }
  change({ training: runs[0].id });
}

/** What is wrong with the fields, in words; null where nothing is. */
function fault() {
  return [faultOf($("rate"), t("rateFault")), faultOf($("batch"), t("batchFault"))].find(Boolean) ?? null;
}

async function command(action) {
  const wrong = fault();
  if (wrong) {
    $("training-state").textContent = wrong;
    return;
  }
  try {
    if (!runs.length || runs[0].ended) await begin();
    for (const run of runs) await run.command(action);
    tell("problem", null);
  } catch (error) {
    tell("problem", error);
  }
  showState();
}

/** End the training; a new one begins at the next step. */
export function reset() {
  for (const run of runs) run.stop();
  runs = [];
  change({ training: "" });
  shown = null;
  for (const id of ["race", "weights", "layers", "reread", "loss-chart", "accuracy-chart"]) $(id).replaceChildren();
  $("timeline").disabled = true;
  $("at").textContent = "";
  $("save").hidden = true;
  showState();
  const wrong = fault();
  if (wrong) $("training-state").textContent = wrong;
}

function hear(run, isNew) {
  if (!runs.includes(run)) return;
  showState();
  if (run !== runs[0]) return;
  if (isNew) tell("trained", run.id);
  if (isNew && shown === null) showSnapshot(); // the charts with it
  else showCharts();
}

export function showState() {
  const [run] = runs;
  $("run").textContent = t(playing() ? "pause" : "play");
  if (!run) {
    $("training-state").textContent = t("state_none");
    return;
  }
  const { progress } = run;
  const rate = progress.seconds ? Math.round(progress.step / progress.seconds).toLocaleString() : "0";
  const told = progress.state === "failed" ? [progress.error] : [progress.step.toLocaleString(), rate];
  const name = progress.opened ? "state_opened" : progress.diverged ? "state_diverged" : `state_${progress.state}`;
  const loss = run.measured.at(-1)?.test_loss?.toPrecision(3);
  $("training-state").textContent = t(name, ...told) + (progress.trouble ? t("trouble", loss) : "") + deadWords(run);
  $("save").hidden = false;
  $("save").href = `/api/file/${run.id}`;
  showRace();
}

function showRace() {
  const backward = runs.find((run) => run.gradient === "backpropagation");
  const numbers = runs.find((run) => run.gradient === "numerical");
  if (!numbers) return;
  const rows = [];
  const step = backward?.progress.step ? backward.progress.seconds / backward.progress.step : null;
  if (backward) {
    const best = backward.measured.at(-1)?.test_accuracy ?? 0;
    rows.push(make("p", {}, make("b", {}, t("raceBack", backward.progress.step.toLocaleString(),
      step ? (1000 * step).toPrecision(3) : "–", (100 * best).toFixed(1)))));
  }
  const { probed, parameters } = numbers.progress;
  rows.push(make("p", {}, t("raceNumbers", numbers.progress.step, probed.toLocaleString(), parameters.toLocaleString())));
  rows.push(make("progress", { max: parameters, value: probed, ariaLabel: t("numerical") }));
  if (probed && probed !== numbers.last) {
    const now = performance.now();
    numbers.first ??= [now, probed];
    if (probed > numbers.first[1]) numbers.whole = ((now - numbers.first[0]) / 1000 / (probed - numbers.first[1])) * parameters;
    else numbers.first = [now, probed];
    numbers.last = probed;
  }
  if (numbers.whole && step) rows.push(make("p", {}, t("raceTime", numbers.whole < 10 ? numbers.whole.toPrecision(2) : Math.round(numbers.whole).toLocaleString(), Math.round(numbers.whole / step).toLocaleString())));
  $("race").replaceChildren(...rows);
}

function showCharts() {
  const [run] = runs;
  const points = run.points;
  const snapshots = run.measured;
  const at = shown ?? run.progress.step;
  const curves = (pick) => [
    { name: t("training"), className: "a", points: points.map((point) => [point.step, pick(point)[0]]) },
    { name: t("test"), className: "b", dots: true, points: snapshots.map((point) => [point.step, pick(point)[1]]) },
  ];
  drawChart($("loss-chart"), curves((point) => [point.loss, point.test_loss]), { at, format: (value) => value.toPrecision(2) });
  drawChart($("accuracy-chart"), curves((point) => [100 * point.accuracy, 100 * point.test_accuracy]),
    { high: 100, at, namesBelow: true, format: (value) => `${Math.round(value)} %` });
}

/** The network at the timeline's place: its weights, its layers, and what it makes of the drawing. */
async function showSnapshot() {
  const [run] = runs;
  if (!run?.progress.snapshots.length) return;
  const steps = run.progress.snapshots;
  const step = shown ?? steps.at(-1);
  const timeline = $("timeline");
  timeline.disabled = false;
  timeline.max = steps.length - 1;
  timeline.value = Math.max(0, steps.findLastIndex((one) => one <= step));
  const point = run.measured.findLast((one) => one.step <= step);
  $("at").textContent = point ? t("atStep", point.step.toLocaleString(), (100 * point.test_accuracy).toFixed(1)) : "";
  timeline.setAttribute("aria-valuetext", $("at").textContent);
  showCharts();
  showLayers(point);
  const model = `training:${run.id}:${step}`;
  try {
    await Promise.all([showWeights(model, run), showReading(model)]);
  } catch (error) {
    if (runs[0] === run) tell("problem", error);
  }
}

function showLayers(point) {
  if (!point) return;
  const head = make("tr", {}, ...t("layersHead").split(/[,，]\s*/).map((text) => make("th", { scope: "col" }, text)));
  const body = point.layers.map((layer) => make("tr", {},
    make("th", { scope: "row" }, layer.name),
    make("td", {}, layer.gradient === null ? "" : short(layer.gradient)),
    make("td", {}, layer.dead === null ? "" : `${(100 * layer.dead).toFixed(0)} %`)));
  $("layers").replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)));
}

async function showWeights(model, run) {
  const parameters = await parametersOf(model);
  const name = Object.keys(parameters).find((key) => key.endsWith(".W"));
  if (!name || runs[0] !== run) return;
  const board = new Board({ size: 300, label: name });
  board.show(parameters[name], { tiles: tilesOfWeights(parameters[name].shape, [1, 28, 28]) });
  $("weights").replaceChildren(board.canvas);
}

async function showReading(model) {
  if (!scene.input || !scene.prediction || scene.prediction.x.data.length !== 784) {
    $("reread").replaceChildren(make("p", { className: "hint" }, t("needInput")));
    return;
  }
  const prediction = await askAbout({ pixels: Array.from(scene.prediction.x.data) }, "/api/predict", { model });
  const { network } = runs[0]?.settings ?? {};
  $("reread").replaceChildren(make("p", {}, make("b", {}, t("trainedReads", network ?? "")), " ", sentence(prediction)), make("ul", { className: "bars" }, ...bars(prediction)));
}

