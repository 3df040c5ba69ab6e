// The place "Draw": strokes, photos, test digits or plain numbers in; probabilities and readings out.

import { ask, askAbout, unpack } from "./api.js";
import { make } from "./bricks.js";
import { $, all } from "./dom.js";
import { expectInput, inputSize, on, scene, tell, useInput } from "./scene.js";
import { change, state } from "./state.js";
import { restorePrompt } from "./prompt.js";
import { grayPicture, showSaliency } from "./saliency.js";
import { visible } from "./sequence.js";
import { decode, encode } from "./strokes.js";
import { has, t } from "./text.js";

const PEN = 18;
const ink = $("ink");
const pen = ink.getContext("2d");
let strokes = []; // each a list of [x, y] in pixels of the canvas
let photo = null;
let samples = { start: 0, list: [] };

export function startDrawing() {
  let stroke = null;
  const at = (event) => {
    const box = ink.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * 280, ((event.clientY - box.top) / box.height) * 280].map(Math.round);
  };
  ink.addEventListener("pointerdown", (event) => {
    if (photo || scene.input?.sample !== undefined) reset();
    ink.setPointerCapture(event.pointerId);
    stroke = [at(event)];
    strokes.push(stroke);
    paint();
  });
  ink.addEventListener("pointermove", (event) => {
    if (!stroke) return;
    for (const one of event.getCoalescedEvents?.() ?? [event]) stroke.push(at(one));
    paint();
  });
  const end = () => {
    if (!stroke) return;
    stroke = null;
    drawn();
  };
  ink.addEventListener("pointerup", end);
  ink.addEventListener("pointercancel", end);
  $("clear").addEventListener("click", () => { reset(); drawn(); });
  $("undo").addEventListener("click", () => { strokes.pop(); paint(); drawn(); });
  $("photo").addEventListener("change", (event) => { take(event.target.files[0]); event.target.value = ""; });
  $("more").addEventListener("click", () => showSamples(samples.start + 12));
  $("numbers").addEventListener("input", () => readNumbers());
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
    if (file) take(file);
  });
  for (const kind of /** @type {const} */ (["dragover", "drop"])) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      $("paper").classList.toggle("dropping", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
    });
  }
  on("model", showKind);
  on("numbers", (numbers) => { $("numbers").value = numbers.join(", "); readNumbers(); });
  on("prediction", showAnswer);
  on("walk", showSaliency);
}

/** Bring back what the address says was the input. */
export async function restoreInput() {
  const [kind, rest] = state.input.split(/:(.*)/s);
  if (kind === "mnist" && /^\d{1,4}$/.test(rest)) {
    const [sample] = await ask(`/api/samples?start=${rest}&count=1`);
    await useSample(sample);
  } else if (kind === "ink" && rest) {
    strokes = decode(rest);
    paint();
    await drawn();
  } else if (kind === "text" && rest) {
    await restorePrompt(rest);
  } else if (kind === "numbers" && rest) {
    $("numbers").value = rest;
    await readNumbers();
  } else {
    reset();
    await useInput(null);
  }
}

function reset() {
  strokes = [];
  photo = null;
  paint();
}

function paint() {
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, 280, 280);
  if (photo) {
    const scale = Math.min(280 / photo.width, 280 / photo.height);
    const [width, height] = [photo.width * scale, photo.height * scale];
    pen.drawImage(photo, (280 - width) / 2, (280 - height) / 2, width, height);
  }
  pen.strokeStyle = pen.fillStyle = "#111";
  pen.lineWidth = PEN;
  pen.lineCap = pen.lineJoin = "round";
  for (const stroke of strokes) {
    pen.beginPath();
    pen.moveTo(...stroke[0]);
    for (const point of stroke) pen.lineTo(...point);
    pen.stroke();
  }
  $("saliency").hidden = true;
}

async function drawn() {
  expectInput();
  strokes = decode(encode(strokes)); // what is read is what the address brings back
  paint();
  change({ input: strokes.length ? `ink:${encode(strokes)}` : "" });
  $("reading").replaceChildren();
  if (!strokes.length) return useInput(null);
  const blob = await new Promise((done) => ink.toBlob(done, "image/png"));
  reading?.abort();
  await useInput({ blob, drawn: true });
  if (scene.input?.blob === blob) readPage(blob, false); // it takes longer, and the answer comes first
}

async function take(file) {
  if (!file || scene.card.kind === "text") return;
  try {
    photo = await createImageBitmap(file);
  } catch {
    tell("problem", { message: "notPicture" });
    return;
  }
  strokes = [];
  paint();
  change({ input: "" });
  const known = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/tiff"].includes(file.type);
  const blob = known ? file : await new Promise((done) => ink.toBlob(done, "image/png"));
  useInput({ blob });
  readPage(blob, true);
}

let reading = null;

/** Several digits at once: read as numbers of a page. Shown where it is more than the one digit. */
async function readPage(blob, always) {
  reading?.abort();
  reading = new AbortController();
  const place = $("reading");
  place.replaceChildren();
  if (scene.card?.kind !== "digit") return;
  try {
    const read = await askAbout({ blob }, "/api/read", { annotated: true }, reading.signal);
    const numbers = read.numbers.map((number) => number.text + (number.sure ? "" : "?"));
    const digits = read.numbers.reduce((sum, number) => sum + number.digits.length, 0);
    if (!numbers.length || (digits < 2 && !always)) return;
    place.replaceChildren(
      make("p", { className: "numbers" }, t("readAs", numbers.join("  "))),
      make("img", { src: read.annotated, alt: t("readHint") }),
    );
  } catch (error) {
    if (error.name !== "AbortError") tell("problem", error);
  }
}

function showKind() {
  const { card } = scene;
  const [numbers, text] = [card.kind === "numbers", card.kind === "text"];
  const count = inputSize(card);
  $("paper").hidden = numbers || text;
  $("numbers-input").hidden = !numbers;
  $("prompt-input").hidden = $("writing").hidden = !text;
  for (const element of all("#draw [data-hide=tools]")) element.hidden = text || numbers;
  for (const id of ["tab-draw", "draw-title"]) {
    $(id).dataset.t = text ? "write" : "draw";
    $(id).textContent = t(text ? "write" : "draw");
  }
  for (const id of ["clear", "undo"]) $(id).disabled = numbers;
  nameSamples();
  const side = card.input_shape.at(-1);
  $("samples").hidden = !(card.kind === "digit" && (side === 28 || count === 784));
  if (!$("samples").hidden && !samples.list.length) showSamples(0);
}

async function showSamples(start) {
  try {
    samples = { start: start % 9996, list: await ask(`/api/samples?start=${start % 9996}&count=12`) };
  } catch (error) {
    tell("problem", error);
    return;
  }
  nameSamples();
}

/** What is asked for, and the test digits as buttons (again where the language is another). */
export function nameSamples() {
  if (scene.card) document.querySelector("#numbers-input span").textContent = t("numbersLabel", inputSize(scene.card));
  $("picks").replaceChildren(...samples.list.map((sample) => {
    const onclick = () => {
      change({ label: "" });
      useSample(sample);
    };
    const ariaLabel = t("sampleLabel", sample.label, sample.index);
    return make("button", { type: "button", className: "pick", ariaLabel, onclick }, grayPicture(unpack(sample.x)));
  }));
}

async function useSample(sample) {
  const x = unpack(sample.x);
  reset();
  photo = grayPicture(x, 280);
  paint();
  $("reading").replaceChildren();
  change({ input: `mnist:${sample.index}` });
  return useInput({ pixels: Array.from(x.data), sample: sample.index, truth: sample.label });
}

/** Numbers of a network that reads no pictures. */
async function readNumbers() {
  const text = $("numbers").value;
  const pixels = text.split(/[\s,;]+/).filter(Boolean).map(Number);
  change({ input: pixels.length ? `numbers:${pixels.join(",")}` : "" });
  const whole = pixels.length === inputSize(scene.card) && pixels.every(Number.isFinite);
  const wrong = !whole && pixels.length > 0;
  $("numbers").setAttribute("aria-invalid", String(wrong));
  $("numbers-problem").hidden = !wrong;
  $("numbers-problem").textContent = pixels.every(Number.isFinite) ? t("countNumbers", inputSize(scene.card), pixels.length) : t("notNumbers");
  await useInput(whole ? { pixels } : null);
}

export function showAnswer() {
  const { prediction } = scene;
  const figure = $("steps");
  figure.hidden = !prediction?.steps.length;
  if (!prediction) {
    $("answer").textContent = scene.input ? "" : t(scene.card?.kind === "text" ? "emptyPrompt" : "empty");
    $("bars").replaceChildren();
    return;
  }
  $("answer").textContent = sentence(prediction);
  $("answer").classList.toggle("unsure", !prediction.sure && !prediction.tokens);
  $("context").hidden = prediction.tokens?.length !== inputSize(scene.card);
  $("context").textContent = t("onlyTheEnd", inputSize(scene.card));
  $("bars").replaceChildren(...bars(prediction));
  $("strip").replaceChildren(...prediction.steps.map(({ name, picture }) =>
    make("span", {}, make("img", { src: picture, alt: "" }), has(`step_${name}`) ? t(`step_${name}`) : name)));
}

/** What is said of a prediction, honestly. */
export function sentence(prediction) {
  if (prediction.values?.length) return t("valueIs", prediction.values.map((value) => value.toPrecision(5)).join(", "));
  const [first, second] = [...prediction.probabilities].sort((a, b) => b.probability - a.probability);
  const percent = (p) => (100 * p.probability).toFixed(p.probability > 0.995 ? 1 : 0);
  if (prediction.tokens) return t("nextIs", visible(first.label), percent(first));
  return prediction.sure
    ? t("isA", first.label, percent(first))
    : t("unsure", first.label, percent(first), second?.label ?? "-", second ? percent(second) : 0);
}

/** A bar a class; of many classes the ten most probable. */
export function bars(prediction) {
  let rows = prediction.probabilities;
  if (rows.length > 12) rows = [...rows].sort((a, b) => b.probability - a.probability).slice(0, 10);
  return rows.map(({ label, probability }) => make(
    "li",
    { className: label === prediction.label ? "best" : "" },
    make("b", {}, prediction.tokens ? visible(label) : label),
    make("progress", { max: 1, value: probability, ariaLabel: label }),
    make("span", {}, `${(100 * probability).toFixed(1)} %`),
  ));
}
