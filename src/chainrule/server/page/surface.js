// The loss over a plane through the weights of a network, drawn row by row while the server computes it.

import { ask, askAbout } from "./api.js";
import { Board } from "./board.js";
import { fill, make } from "./bricks.js";
import { $ } from "./dom.js";
import { scene } from "./scene.js";
import { digits } from "./task.js";
import { t } from "./text.js";
import { nameOf } from "./words.js";

const [SIZE, SPAN, DIGITS] = [25, 1, 200];
const MIDDLE = (SIZE * SIZE - 1) / 2;
let asked = null; // {model, label, input}: of what is drawn, or was
let seed = 0;
let of = "digits";
let rows = [];
let running = null; // an AbortController

/** What can be drawn now: networks by side, and the label; a picture of something else is taken away. */
export function showSurface({ models, label }) {
  const side = $("surface-side");
  const chosen = side.value in models ? side.value : Object.keys(models)[0];
  side.replaceChildren(...Object.entries(models).map(([name, model]) => make("option", { value: name }, `${name.toUpperCase()}: ${nameOf(model)}`)));
  side.value = chosen;
  side.onchange = stop;
  $("surface-draw").onclick = () => (running ? stop() : draw(models[side.value], label));
  $("surface-again").onclick = () => {
    stop();
    seed += 1;
    draw(models[side.value], label);
  };
  $("surface-of").onchange = () => {
    of = $("surface-of").value;
    show();
  };
  if (asked && (asked.input !== scene.input || asked.label !== label || !Object.values(models).includes(asked.model))) forget();
  show();
}

function stop() {
  running?.abort();
  running = null;
  show();
}

function forget() {
  asked = null;
  rows = [];
  stop();
}

function showButtons() {
  $("surface-draw").textContent = t(running ? "surfaceStop" : "surfaceDraw");
  for (const name of ["side", "draw", "again"]) $(`surface-${name}`).disabled = !scene.walk;
  $("surface-of").disabled = !rows[0]?.digits_loss.length;
}

/** A training goes on meanwhile: its newest step at the beginning is drawn. */
async function atStep(model) {
  const [kind, id, step] = model.split(":");
  if (kind !== "training" || step) return model;
  const { progress } = await ask(`/api/training/${id}`);
  return `${model}:${progress.snapshots.at(-1)}`;
}

async function draw(model, label) {
  stop();
  const mine = running = new AbortController();
  const { input } = scene;
  asked = { model, label, input };
  rows = [];
  show();
  try {
    const query = { model: await atStep(model), label, size: String(SIZE), span: String(SPAN), seed: String(seed), digits: String(scene.card.kind === "digit" ? DIGITS : 0) };
    for (let row = 0; row < SIZE && running === mine; row++) {
      const found = await askAbout(input, "/api/surface", { ...query, row: String(row) }, mine.signal);
      if (running !== mine) return;
      rows.push(found);
      show();
    }
  } catch (error) {
    if (error.name === "AbortError" || running !== mine) return;
    stop();
    $("surface-words").textContent = error.message;
  }
  if (running === mine) stop();
}

/** The losses that are shown: of test digits where there are some, or of this input. */
function values() {
  const kind = of === "digits" && rows[0]?.digits_loss.length ? "digits_loss" : "loss";
  return rows.flatMap((row) => row[kind]);
}

function show() {
  const options = [["digits", t("lineDigits", rows[0]?.digits || DIGITS)], ["input", t("lineInput")]];
  $("surface-of").replaceChildren(...options.map(([value, words]) => make("option", { value }, words)));
  $("surface-of").value = rows[0] && !rows[0].digits_loss.length ? "input" : of;
  $("surface-caption").textContent = t("surfaceTitle");
  showButtons();
  if (!rows.length) {
    fill($("surface"), running ? progress() : null);
    $("surface-words").textContent = running ? "" : t("surfaceHint");
    return;
  }
  const found = values();
  const finite = found.filter((value) => value !== null);
  const most = Math.max(...finite, 1e-9);
  const data = Float32Array.from({ length: SIZE * SIZE }, (_, at) => found[at] ?? most); // what is not finite has the colour of the largest
  const at = (_, row, column) => (row < rows.length ? row * SIZE + column : -1);
  const tell = ([row, column]) => `(${place(rows[row]?.a[column] ?? 0)}, ${place(rows[row]?.b ?? 0)})`;
  const board = new Board({ size: 325, label: t("surfaceLabel"), onPoint: (flat) => {
    if (flat !== null) reading.textContent = t("surfaceAt", tell([Math.floor(flat / SIZE), flat % SIZE]), found[flat] === null ? t("surfaceInfinite") : digits(found[flat]));
  } });
  board.show({ shape: [SIZE, SIZE], data }, { tiles: { count: 1, rows: SIZE, columns: SIZE, at, tell }, most, rooted: true });
  const reading = make("output", { id: "surface-reading" });
  const middle = found[MIDDLE] ?? null;
  if (middle !== null) {
    board.point(MIDDLE);
    board.frame([MIDDLE], [MIDDLE]);
  }
  fill($("surface"), board.canvas, running ? progress() : null,
    make("p", {}, middle === null ? "" : `${t("surfaceMiddle")} `, middle === null ? null : make("output", { id: "surface-middle" }, digits(middle))), make("p", {}, reading));
  const words = [t("surfaceWords", nameOf(asked.model), $("surface-of").selectedOptions[0].textContent, digits(Math.min(...finite)), digits(most))];
  if (finite.length < found.length) words.push(t("surfaceSome"));
  $("surface-words").textContent = words.join(" ");
}

function progress() {
  return make("progress", { id: "surface-progress", max: SIZE, value: rows.length, ariaLabel: t("surfaceProgress") });
}

function place(position) {
  return String(Number(position.toFixed(3))).replace("-", "−");
}
