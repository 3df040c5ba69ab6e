// The place "Play": points in the plane or a dropped table, a network made of a few choices, and what it makes of them.

import { ask } from "./api.js";
import { make } from "./bricks.js";
import { $, all } from "./dom.js";
import { deadWords, faultOf, numeral, Run } from "./follow.js";
import { showPlayCharts, showMaps } from "./maps.js";
import { Plane } from "./plane.js";
import { decode, encode, MOST_POINTS } from "./points.js";
import { takeModel, tell, useModel } from "./scene.js";
import { change, state } from "./state.js";
import { t } from "./text.js";

const SHAPES = ["circles", "spirals", "checkers", "clouds", "own"];
const ACTIVATIONS = ["Tanh", "ReLU", "Sigmoid", "GELU", "SiLU", "LeakyReLU", "PReLU", "ELU", "SELU", "Mish", "HardSwish", "HardSigmoid", "Softplus"];
const OPTIMIZERS = ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "muon"];
const SPEEDS = ["10", "100", "1000", ""];
const [MOST_LAYERS, MOST_UNITS] = [6, 16];
const FIELDS = ["shape", "classes", "noise", "activation", "play-optimizer", "play-rate", "play-batch", "decay", "play-speed"];
const FAULTS = { noise: "noiseFault", "play-rate": "rateFault", "play-batch": "batchFault", decay: "decayFault" };

let run = null;
let points = []; // {x, y, klass, held}
let data = null; // the card of a dropped table
let plane = null;
let brush = "0";

export function startPlay() {
  plane = new Plane($("plane"), { onAdd: addPoint, onErase: erasePoint });
  for (const id of FIELDS) {
    $(id).addEventListener("change", () => {
      change({ [id]: $(id).value });
      if (["shape", "classes", "noise"].includes(id)) choosePoints();
      else renew();
    });
  }
  $("play-settings").addEventListener("submit", (event) => event.preventDefault());
  $("add-layer").addEventListener("click", () => setUnits([...unitCounts(), 4]));
  $("remove-layer").addEventListener("click", () => setUnits(unitCounts().slice(0, -1)));
  $("play-run").addEventListener("click", () => command(run?.playing ? "pause" : "play"));
  $("play-once").addEventListener("click", () => command("step"));
  $("play-reset").addEventListener("click", () => renew());
  $("look-inside").addEventListener("click", lookInside);
  addEventListener("pagehide", () => run?.leave());
}

/** What the address says; of a training that is still there, its curves and maps. */
export async function restorePlay() {
  showPlay();
  if (state.playing && await showTraining(state.playing, false)) return;
  const wasThere = state.playing;
  if (state.shape === "own") {
    points = decode(state.points);
    renew();
  } else {
    await choosePoints();
  }
  if (wasThere) $("play-state").textContent = t("gone");
}

/** Show a training of that id, wherever its place is; whether the server knows it. */
export async function showTraining(id, goThere = true) {
  const found = await Run.find(id, hear);
  if (!found) return false;
  const { settings } = found;
  if (settings.data === "mnist") {
    found.events?.close();
    change({ training: id, place: "train" });
    tell("training", id);
    return true;
  }
  run?.stop();
  run = found;
  if (settings.data.points) {
    const read = (list, held) => list.map(([x, y, klass]) => ({ x, y, klass, held }));
    points = [...read(settings.data.points, false), ...read(settings.data.held_out, true)];
    data = null;
    if (state.playing !== id) change({ shape: "own", points: encode(points) });
  } else if (data?.id !== settings.data.upload) {
    [points, data] = [[], { id: settings.data.upload, name: t("shape"), shape: [], classes: [], notes: [] }];
  }
  const { hidden, activation, optimizer, learning_rate: rate, batch_size: batch, weight_decay: decay, speed } = settings;
  change({
    playing: id, units: hidden.join(","), activation, "play-optimizer": optimizer, "play-rate": rate, "play-batch": batch, decay,
    "play-speed": speed ?? "", ...(goThere ? { place: "playground" } : {}),
  });
  showPlay();
  hear(run, true);
  return true;
}

/** A training that the server opened from a file, where the address asks for none. */
export async function openTraining() {
  if (state.training || state.playing || location.hash.length > 1) return;
  const opened = (await ask("/api/training").catch(() => [])).find((one) => one.opened);
  if (opened) await showTraining(opened.id);
}

/** Learn from a dropped table from now on. */
export function useData(card) {
  data = card;
  points = [];
  change({ shape: `upload:${card.id}` });
  renew();
}

async function choosePoints() {
  if (state.shape.startsWith("upload:")) {
    if (data) return renew();
    change({ shape: "circles" });
    await choosePoints();
    $("play-state").textContent = t("dropAgain");
    return;
  }
  data = null;
  if (state.shape === "own" || !SHAPES.includes(state.shape)) {
    change({ shape: "own", points: encode(points) });
  } else if (!faultOf($("noise"), "")) {
    try {
      const query = new URLSearchParams({ shape: state.shape, classes: state.classes, noise: state.noise });
      const made = await ask(`/api/points?${query}`);
      const read = (list, held) => list.map(([x, y, klass]) => ({ x, y, klass, held }));
      points = [...read(made.held_out, true), ...read(made.points, false)];
      change({ points: "" });
    } catch (error) {
      tell("problem", error);
    }
  }
  renew();
}

function addPoint(x, y, klass) {
  if (points.length >= MOST_POINTS) {
    $("play-state").textContent = t("tooManyPoints", MOST_POINTS);
    return;
  }
  points.push({ x, y, klass: klass ?? Number(brush), held: false });
  own();
}

function erasePoint(index) {
  points.splice(index, 1);
  own();
}

/** The points are the user's own from now on; a training that played goes on with them. */
function own() {
  change({ shape: "own", points: encode(points) });
  const played = run?.playing;
  renew();
  if (played) command("play");
}

function setUnits(counts) {
  change({ units: counts.join(",") });
  renew();
}

function unitCounts() {
  return state.units.split(",").filter(Boolean).map(Number)
    .filter((count) => Number.isInteger(count) && count > 0 && count <= MOST_UNITS).slice(0, MOST_LAYERS);
}

/** End the training; a new one begins at the next step. */
function renew() {
  run?.stop();
  run = null;
  change({ playing: "" });
  showPlay();
}

/** What is wrong with the fields or the points, in words; null where nothing is. */
function fault() {
  const wrong = Object.entries(FAULTS).map(([id, words]) => faultOf($(id), t(words)));
  const counts = [...$("layer-units").querySelectorAll("input")].map((input) => faultOf(input, t("unitsFault")));
  const classes = new Set(points.filter((point) => !point.held).map((point) => point.klass));
  return [...wrong, ...counts].find(Boolean) ?? (!data && classes.size < 2 ? t("needTwoClasses") : null);
}

async function command(action) {
  const wrong = fault();
  if (wrong) {
    $("play-state").textContent = wrong;
    return;
  }
  try {
    if (!run || run.ended) {
      run = await Run.begin(settings(), hear);
      change({ playing: run.id });
    }
    await run.command(action);
    tell("problem", null);
  } catch (error) {
    tell("problem", error);
  }
  showState();
}

function settings() {
  const list = (held) => points.filter((point) => point.held === held).map(({ x, y, klass }) => [x, y, klass]);
  return {
    network: "layers", hidden: unitCounts(), activation: $("activation").value, optimizer: $("play-optimizer").value,
    learning_rate: Number($("play-rate").value), batch_size: Number($("play-batch").value), weight_decay: Number($("decay").value),
    speed: $("play-speed").value ? Number($("play-speed").value) : null,
    data: data ? { upload: data.id } : { points: list(false), held_out: list(true) },
  };
}

function hear(found, isNew) {
  if (found !== run) return;
  if (isNew) tell("trained", run.id);
  showState();
  showPlayCharts(run, data);
  showMaps(run, plane, data);
}

function showState() {
  const { progress } = run ?? {};
  $("play-run").textContent = t(run?.playing ? "pause" : "play");
  $("look-inside").disabled = !progress?.step;
  $("play-save").hidden = !progress?.step;
  if (!run) {
    $("play-state").textContent = fault() ?? t("state_none");
    return;
  }
  $("play-save").href = `/api/file/${run.id}`;
  const rate = progress.seconds ? Math.round(progress.step / progress.seconds).toLocaleString() : "0";
  const told = progress.state === "failed" ? [progress.error] : [progress.step.toLocaleString(), rate];
  const name = progress.opened ? "state_opened" : progress.diverged ? "state_diverged" : `state_${progress.state}`;
  const last = run.measured.at(-1);
  let text = t(run.playing ? "state_at" : name, ...told);
  if (last?.test_accuracy != null) text += t(holdsOut() ? "accuracyNow" : "trainingAccuracyNow", (100 * last.test_accuracy).toFixed(1));
  if (progress.trouble) text += t("trouble", last?.test_loss?.toPrecision(3) ?? "∞");
  $("play-state").textContent = text + deadWords(run);
}

function holdsOut() {
  return Boolean(data) || points.some((point) => point.held);
}

/** Everything of this place once more, in the language and the colours of now. */
export function showPlay() {
  const offer = (id, values, name) => {
    $(id).replaceChildren(...values.map((value) => make("option", { value }, name(value))));
    $(id).value = values.includes(state[id]) ? state[id] : values[0];
  };
  const uploads = data ? [`upload:${data.id}`] : [];
  offer("shape", [...SHAPES, ...uploads], (value) => (value.startsWith("upload:") ? data.name : t(`shape_${value}`)));
  if (data) $("shape").value = uploads[0];
  offer("classes", ["2", "3"], (value) => value);
  offer("activation", ACTIVATIONS, (value) => value);
  offer("play-optimizer", OPTIMIZERS, (value) => value);
  offer("play-speed", [...new Set([...SPEEDS, state["play-speed"]])], (value) => (value ? t("speed_n", value) : t("speed_full")));
  for (const id of ["noise", "play-rate", "play-batch", "decay"]) $(id).value = numeral(state[id]);
  for (const field of all("#play-settings .made")) field.hidden = Boolean(data) || state.shape === "own";
  $("layer-units").replaceChildren(...unitCounts().map((count, index) => {
    const input = make("input", { type: "number", min: 1, max: MOST_UNITS, step: "1", value: count, ariaLabel: t("unitsOf", index + 1) });
    input.addEventListener("change", () => {
      if (faultOf(input, t("unitsFault"))) $("play-state").textContent = t("unitsFault");
      else setUnits(unitCounts().map((old, at) => (at === index ? Number(input.value) : old)));
    });
    return input;
  }));
  $("add-layer").disabled = unitCounts().length >= MOST_LAYERS;
  $("remove-layer").disabled = !unitCounts().length;
  showBrushes();
  const { classes = [], notes = [], label, rows, held_out: held, name } = data ?? {};
  $("data-card").replaceChildren(...(rows ? [make("p", {}, t("dataCard", name, label || t("theClass"), rows.toLocaleString(), held.toLocaleString())),
    make("p", {}, ...classes.slice(0, 12).map((one, at) => make("b", { className: `tone${at % 3}` }, one, " "))), ...notes.map((note) => make("p", { className: "hint" }, note))] : []));
  plane.points = points;
  plane.canAdd = !data;
  showState();
  showPlayCharts(run, data);
  showMaps(run, plane, data);
}

function showBrushes() {
  const legend = $("brushes").firstElementChild;
  const choose = (value) => { brush = value; plane.erasing = value === "erase"; };
  const radio = (value, words) => make("label", {},
    make("input", { type: "radio", name: "brush", value, checked: value === brush, onchange: () => choose(value) }), " ", words);
  $("brushes").replaceChildren(legend, ...["0", "1", "2"].map((value) => radio(value, t("brushClass", Number(value) + 1))), radio("erase", t("erase")),
    make("button", { type: "button", onclick: () => { points = []; own(); } }, t("clearPoints")));
  $("brushes").hidden = $("plane-hint").hidden = Boolean(data);
}

/** The network as it is now becomes the model of the other places, with a point as its input. */
async function lookInside() {
  try {
    if (run.playing) await run.command("pause");
    const card = await takeModel(`training:${run.id}:${run.progress.snapshots.at(-1)}`);
    const point = points.find((one) => !one.held);
    change({ model: card.name, brick: "", unit: "", stage: 0, weight: "", label: "", place: "inside" });
    useModel(card.name);
    if (point) tell("numbers", [point.x, point.y]);
  } catch (error) {
    tell("problem", error);
  }
}
