// The place "Backward": loss, p - onehot, then brick by brick dy -> dx and dW, with a check of any weight.

import { askAbout } from "./api.js";
import { Board, indexOf, tilesOfWeights } from "./board.js";
import { facts, fill, make, makeBrick, pictureBefore, title } from "./bricks.js";
import { colour, largest, short } from "./colours.js";
import { chooseLabel, on, parametersOf, sampleInput, scene, tell, trueLabel } from "./scene.js";
import { lengths, lengthsFigure, namesOf, tilesOfPlace, tilesOfTable, tokenStrip, visible } from "./sequence.js";
import { change, onChange, state } from "./state.js";
import { t } from "./text.js";

const MOST_LABELS = 20;
const $ = (id) => document.getElementById(id);
const row = $("backward-bricks");
const detail = $("backward-detail");
let bricks = [];
let most = 0;
let playing = null;

/** 0: the loss; 1: p - onehot; 2 ...: the places from the last to the first. */
function stages() {
  return scene.walk ? scene.walk.places.length + 2 : 0;
}

function stage() {
  return Math.max(0, Math.min(Number(state.stage) || 0, stages() - 1));
}

export function startBackward() {
  $("first").addEventListener("click", () => go(0));
  $("back").addEventListener("click", () => go(stage() - 1));
  $("step").addEventListener("click", () => go(stage() + 1));
  $("play").addEventListener("click", () => play(!playing));
  $("label").addEventListener("change", () => chooseLabel($("label").value));
  $("overlay").addEventListener("change", () => change({ overlay: $("overlay").checked ? "1" : "" }));
  on("model", showLabels);
  on("prediction", showLabels);
  on("walk", showBackward);
  onChange((names) => {
    if (names.has("stage")) showStage();
    if (names.has("weight")) showStage();
    $("overlay").checked = Boolean(state.overlay);
  });
}

function go(to) {
  change({ stage: Math.max(0, Math.min(to, stages() - 1)), weight: "" });
}

/** A stage a second, to the end. */
function play(on) {
  clearInterval(playing);
  playing = null;
  if (on && stage() >= stages() - 1) go(0);
  if (on) {
    playing = setInterval(() => {
      go(stage() + 1);
      if (stage() >= stages() - 1) play(false);
    }, 1000);
  }
  $("play").textContent = t(playing ? "pause" : "play");
}

/** What a label is called: tokens are made visible. */
function shown(label) {
  return scene.card.kind === "text" ? visible(label) : label;
}

export function showLabels() {
  const labels = scene.card?.labels ?? [];
  if (scene.card) $("overlay-field").hidden = ["text", "numbers"].includes(scene.card.kind);
  $("label").replaceChildren(...labels.map((label) => make("option", { value: label }, shown(label))));
  $("label").value = trueLabel();
}

export function showBackward() {
  const { walk } = scene;
  if (!walk) {
    bricks = [];
    row.replaceChildren(make("p", { className: "hint" }, t(scene.card?.kind === "text" ? "needPrompt" : "needInput")));
    for (const element of [detail, $("stages"), $("legend")]) element.replaceChildren();
    return;
  }
  $("label").value = walk.label;
  const gradients = [walk.dlogits, ...walk.places.flatMap((place) => [place.dy, place.dx, ...place.gradients.map(([, a]) => a)])];
  most = Math.max(...gradients.filter(Boolean).map((array) => largest(array.data)));
  const names = namesOf(scene.prediction);
  const input = makeBrick({ name: "", heading: t("input"), shape: walk.x.shape, strip: names && tokenStrip(names) });
  input.array = walk.places[0]?.dx;
  bricks = [input, ...walk.places.map((place, index) => {
    const brick = makeBrick({
      name: place.name,
      heading: title(place),
      shape: place.y.shape,
      nested: place.nested,
      onOpen: () => go(walk.places.length - index + 1),
    });
    brick.array = place.dy;
    return brick;
  })];
  row.replaceChildren(...bricks.flatMap((brick, index) =>
    index ? [make("span", { className: "arrow", ariaHidden: "true" }, "←"), brick.element] : [brick.element]));
  showLegend();
  showStage();
}

/** What is reached at this stage is shown, the rest stays empty. */
function showStage() {
  const { walk } = scene;
  if (!walk) return;
  const now = stage();
  const count = walk.places.length;
  bricks.forEach((brick, index) => {
    const reached = now >= count - index + 1; // its dy, or the input's gradient, is known
    const blank = { shape: brick.array?.shape ?? [1], data: new Float32Array(brick.array?.data.length ?? 1) };
    const array = reached && brick.array ? brick.array : blank;
    brick.board?.show(array, { most, rooted: true, tiles: tilesOfPlace(array, walk, null) });
    brick.element.classList.toggle("waiting", !reached);
    brick.element.classList.toggle("open", index > 0 && now - 2 === count - index);
  });
  $("stages").replaceChildren(...Array.from({ length: stages() }, (_, index) => {
    const name = index === 0 ? t("s_loss") : index === 1 ? t("s_logits") : walk.places[count - index + 1].kind;
    const button = make("button", { type: "button", onclick: () => go(index) }, name);
    if (index === now) button.setAttribute("aria-current", "step");
    return make("li", {}, button);
  }));
  $("back").disabled = $("first").disabled = now === 0;
  $("step").disabled = now === stages() - 1;
  if (now === 0) showLoss();
  else if (now === 1) showLogits();
  else showPlace(count - now + 1, now === stages() - 1);
  bricks[Math.max(0, count - now + 2)]?.element.scrollIntoView?.({ block: "nearest", inline: "center" });
}

function showLoss() {
  const { walk } = scene;
  const p = walk.probabilities[scene.card.labels.indexOf(walk.label)];
  fill(
    detail,
    make("h3", {}, t("s_loss")),
    make("p", {}, t("lossStage", shown(walk.label), short(p), short(walk.loss))),
    make("p", { className: "maths", id: "loss-value" }, `loss = −log p(${shown(walk.label)}) = ${short(walk.loss)}`),
    scene.card.kind === "text" ? make("p", { className: "hint" }, t("lossOfText")) : null,
  );
}

function showLogits() {
  const { walk } = scene;
  const { labels } = scene.card;
  const head = make("tr", {}, ...["", "logit", "p", "onehot", "p − onehot"].map((text) => make("th", { scope: "col" }, text)));
  let listed = labels.map((_, i) => i);
  if (labels.length > MOST_LABELS) { // the most probable, and the one that it should be
    const truth = labels.indexOf(walk.label);
    listed = listed.sort((a, b) => walk.probabilities[b] - walk.probabilities[a]).slice(0, MOST_LABELS);
    if (!listed.includes(truth)) listed.push(truth);
  }
  const body = listed.map((i) => {
    const label = labels[i];
    const gradient = make("td", { className: "gradient" }, short(walk.dlogits.data[i]));
    const [red, green, blue] = colour(walk.dlogits.data[i], most, true);
    gradient.style.borderLeftColor = `rgb(${red} ${green} ${blue})`;
    return make("tr", {}, make("th", { scope: "row" }, shown(label)), ...[
      short(walk.logits.data[i]), short(walk.probabilities[i]), label === walk.label ? "1" : "0",
    ].map((text) => make("td", {}, text)), gradient);
  });
  fill(
    detail,
    make("h3", {}, t("s_logits")),
    make("p", {}, t("logitsStage")),
    listed.length < labels.length ? make("p", { className: "hint" }, t("someLabels", MOST_LABELS, labels.length.toLocaleString())) : null,
    make("table", { id: "logits" }, make("thead", {}, head), make("tbody", {}, ...body)),
  );
}

function showPlace(index, last) {
  const { walk } = scene;
  const place = walk.places[index];
  const names = namesOf(scene.prediction);
  const picture = (name, array, tiles, onPick) => {
    const wide = !tiles.stretch && tiles.count === 1 && Math.max(tiles.columns / tiles.rows, tiles.rows / tiles.columns) > 4;
    const board = new Board({ size: wide ? 640 : 260, width: 640, label: name, onPoint: () => {}, onPick });
    board.show(array, { tiles, most, rooted: true });
    const caption = `${name} ${array.shape.join("×")}, |max| ${short(largest(array.data))}`;
    return make("figure", {}, make("figcaption", {}, caption), board.canvas);
  };
  const figures = [];
  if (place.dx) figures.push(picture("dx", place.dx, tilesOfPlace(place.dx, walk, names)));
  if (place.dy) figures.push(picture("dy", place.dy, tilesOfPlace(place.dy, walk, names)));
  const curves = walk.sequence ? lengthsFigure(place) : null;
  const before = pictureBefore(walk.places, index, scene.card.input_shape);
  const weights = place.gradients.map(([name, array]) =>
    picture(`d${name}`, array, tilesOfTable(place, array, scene.card.labels, names) ?? tilesOfWeights(array.shape, before), (flat) => {
      if (flat !== null) change({ weight: `${place.name}.${name}:${indexOf(flat, array.shape)}` });
    }));
  const sentence = [t("brickStage", place.layer)];
  if (weights.length) sentence.push(t("brickWeights"));
  if (last) sentence.push(t(names ? "endOfText" : "endStage"));
  const check = make("div", { id: "check", role: "status" });
  fill(
    detail,
    make("h3", {}, `${place.name}: ${place.layer}`),
    make("p", {}, sentence.join(" ")),
    last && names && place.dy ? tokenStrip(names, lengths(place.dy)) : null,
    curves,
    make("div", { className: "columns" }, ...figures, ...weights),
    weights.length ? make("p", { className: "hint" }, t("chooseWeight")) : null,
    check,
  );
  if (weights.length) showWeight(place, check);
}

/** The weight that was chosen, with the button that checks its gradient. */
async function showWeight(place, check) {
  const [name, at] = state.weight.split(":");
  const index = (at ?? "").split(",").map(Number);
  const [, array] = place.gradients.find(([own]) => `${place.name}.${own}` === name) ?? [];
  if (!array || index.length !== array.shape.length || index.some((i, axis) => !(i >= 0 && i < array.shape[axis]))) return;
  const flat = index.reduce((sum, i, axis) => sum * array.shape[axis] + i, 0);
  const model = scene.card.name;
  try {
    const value = (await parametersOf(model))[name]?.data[flat];
    if (value === undefined) {
      check.replaceChildren(make("p", {}, t("sharedWeight")));
      return;
    }
    const result = make("div", {});
    const run = async () => {
      result.textContent = t("checking");
      try {
        const query = { model, label: trueLabel(), parameter: name, index: String(index) };
        showComparison(result, await askAbout(sampleInput(), "/api/gradient", query));
      } catch (error) {
        result.textContent = "";
        tell("problem", error);
      }
    };
    check.replaceChildren(
      make("p", {}, make("b", {}, t("weight", name, index.join(", "), short(value))), " ",
        make("button", { type: "button", id: "check-button", className: "main", onclick: run }, t("check"))),
      result,
    );
  } catch (error) {
    tell("problem", error);
  }
}

function showComparison(result, found) {
  const exact = (value) => value.toExponential(8);
  const agree = found.relative_difference < 1e-5 || Math.abs(found.backpropagation - found.numerical) < 1e-9;
  result.replaceChildren(
    facts([
      [t("byBackprop"), make("output", { id: "by-backpropagation" }, exact(found.backpropagation))],
      [t("byNumbers"), make("output", { id: "by-numbers" }, exact(found.numerical))],
      [t("difference"), make("output", { id: "difference" }, found.relative_difference.toExponential(1))],
    ]),
    make("p", { className: "hint" }, t("probes", found.loss_above.toPrecision(9), found.loss_below.toPrecision(9), found.step)),
    make("p", {}, t(agree ? "agree" : "disagree")),
  );
}

function showLegend() {
  const bar = make("canvas", { width: 201, height: 10 });
  bar.setAttribute("aria-hidden", "true");
  const brush = bar.getContext("2d");
  for (let x = 0; x <= 200; x++) {
    const [red, green, blue] = colour(((x - 100) / 100) ** 3, 1, true);
    brush.fillStyle = `rgb(${red} ${green} ${blue})`;
    brush.fillRect(x, 0, 1, 10);
  }
  $("legend").replaceChildren(make("span", {}, short(-most)), bar, make("span", {}, short(most)), make("small", {}, t("scaleLegend")));
}
