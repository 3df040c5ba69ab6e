// What is on the table: the networks, the one in use, the input, and what the network makes of it.

import { ask, askAbout, unpack } from "./api.js";
import { change, state } from "./state.js";

export const scene = {
  models: [], // cards of /api/models
  card: null, // that of the network in use
  input: null, // {blob}, {pixels} or {text}, and what it came from
  prediction: null,
  walk: null, // of the input, with its label
};

const listeners = new Map();

/** Call `listener` when "model", "input", "prediction", "walk" or "problem" is new. */
export function on(what, listener) {
  if (!listeners.has(what)) listeners.set(what, []);
  listeners.get(what).push(listener);
}

export function tell(what, news) {
  for (const listener of listeners.get(what) ?? []) listener(news);
}

export async function loadModels() {
  scene.models = await ask("/api/models");
  if (state.model.startsWith("training:")) await takeModel(state.model).catch((error) => tell("problem", error));
  useModel(state.model);
}

export function useModel(name) {
  scene.card = scene.models.find((card) => card.name === name) ?? scene.models[0];
  if (scene.input && !fits(scene.input, scene.card)) scene.input = null;
  tell("model");
  return look();
}

/** Put a network that /api/models does not list among those that can be chosen. */
export async function takeModel(name) {
  const card = await ask(`/api/model?${new URLSearchParams({ model: name })}`);
  addModel(card);
  return card;
}

export function addModel(card) {
  scene.models = [...scene.models.filter((one) => one.name !== card.name), card];
}

export function useInput(input) {
  scene.input = input;
  tell("input");
  return look();
}

/** Whether a network can read an input: a text, a picture file, or as many numbers as it takes. */
export function fits(input, card) {
  if (card.kind === "text" || input.text !== undefined) return card.kind === "text" && input.text !== undefined;
  if (input.blob) return card.kind !== "numbers";
  return input.pixels.length === inputSize(card);
}

/** How many numbers a network reads. */
export function inputSize(card) {
  return card.input_shape.reduce((a, b) => a * b, 1);
}

let asking = null;

/** Say that the answer on the page is on its way, or there. */
function setBusy(busy) {
  document.getElementById("answer").setAttribute("aria-busy", String(busy));
}

/** The input is about to change: what was asked of the old one is of no interest any more. */
export function expectInput() {
  asking?.abort();
  setBusy(true);
}

/** Ask for everything that is shown of the input. */
export async function look() {
  expectInput();
  asking = new AbortController();
  const { signal } = asking;
  scene.prediction = scene.walk = null;
  if (!scene.input || !scene.card) {
    tell("prediction");
    tell("walk");
    setBusy(false);
    return;
  }
  try {
    const prediction = await askAbout(scene.input, "/api/predict", { model: scene.card.name, steps: true }, signal);
    prediction.x = unpack(prediction.x);
    scene.prediction = prediction;
    tell("problem", null);
    tell("prediction");
    await walkThrough(signal);
  } catch (error) {
    if (error.name !== "AbortError") {
      tell("prediction");
      tell("walk");
      // what is being drawn may not be a digit yet: that is said where the answer stands
      if (scene.input?.drawn && error.status === 422) tell("unread", error);
      else tell("problem", error);
    }
  } finally {
    if (!signal.aborted) setBusy(false);
  }
}

/** The label that backward starts from: what was chosen; else what a sample is and was not taken for; else the second
 * most probable, since the gradient of a right and certain answer is next to nothing. */
export function trueLabel() {
  if (predictsNumbers()) return state.label.trim() !== "" && Number.isFinite(Number(state.label)) ? state.label : "0";
  if (scene.card?.labels.includes(state.label)) return state.label;
  const { prediction, input } = scene;
  if (!prediction) return "";
  if (input?.truth !== undefined && input.truth !== prediction.label && scene.card.labels.includes(input.truth)) return input.truth;
  const [first, second] = [...prediction.probabilities].sort((a, b) => b.probability - a.probability);
  return (second ?? first).label;
}

/** Whether the network predicts numbers instead of classes. */
export function predictsNumbers() {
  return scene.card?.answers === "numbers";
}

/** What every question about the backward pass says: the network, the right answer, and whether it is as in training. */
export function question() {
  return { model: scene.card.name, label: trueLabel(), ...(state.mode === "train" ? { train: true } : {}) };
}

async function walkThrough(signal) {
  const walk = await askAbout(sampleInput(), "/api/trace", question(), signal);
  scene.walk = unpackWalk(walk);
  tell("walk");
}

/** The input as the network reads it: the same numbers, or text, for every question. */
export function sampleInput() {
  if (scene.input.text !== undefined) return { text: scene.input.text };
  return { pixels: Array.from(scene.prediction.x.data) };
}

export async function chooseLabel(label) {
  change({ label });
  if (!scene.prediction) return;
  try {
    await walkThrough(undefined);
    tell("problem", null);
  } catch (error) {
    tell("problem", error);
    if (state.mode === "train" && error.status === 422) change({ mode: "" }); // a batch of one has no variance
  }
}

/** Each place with its arrays; an input or gradient that the place before has already is taken from there. */
export function unpackWalk(walk) {
  const places = [];
  walk.places.forEach((packed, index) => {
    const before = places[index - 1];
    const place = { name: packed.name, layer: packed.layer, kind: packed.layer.split("(")[0] };
    place.nested = packed.name.split(".").length > 2;
    place.y = unpack(packed.y);
    place.x = unpack(packed.x) ?? before?.y;
    place.dy = unpack(packed.dy);
    place.dx = unpack(packed.dx) ?? before?.dy ?? null;
    place.sequence = packed.sequence;
    place.explained = packed.explained;
    place.between = Object.entries(packed.between).map(([name, array]) => [name, unpack(array)]);
    place.stateGradients = Object.entries(packed.state_gradients).map(([name, array]) => [name, unpack(array)]);
    place.gradients = Object.entries(packed.gradients).map(([name, array]) => [name, unpack(array)]);
    places.push(place);
  });
  const sequence = places.some((place) => place.sequence);
  return { ...walk, places, sequence, x: unpack(walk.x), logits: unpack(walk.logits), dlogits: unpack(walk.dlogits) };
}

const kept = new Map();

/** The parameters of a network by name. */
export async function parametersOf(model) {
  if (!kept.has(model)) {
    const packed = await ask(`/api/parameters?${new URLSearchParams({ model })}`);
    const arrays = Object.fromEntries(Object.entries(packed).map(([name, array]) => [name, unpack(array)]));
    if (kept.size > 40) kept.delete(kept.keys().next().value);
    kept.set(model, arrays);
  }
  return kept.get(model);
}
