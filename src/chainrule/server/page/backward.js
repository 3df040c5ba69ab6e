// The place "Backward": loss, p - onehot, then brick by brick dy -> dx and dW, with a check of any weight.

import { fill, lineUp, make, makeBrick, title } from "./bricks.js";
import { colour, largest, short } from "./colours.js";
import { $ } from "./dom.js";
import { said, showLogits, showLoss, shown } from "./loss.js";
import { lookAway, showChosen, showPath } from "./number.js";
import { showPlace } from "./place.js";
import { hasSaliency, saliencyPicture } from "./saliency.js";
import { chooseLabel, on, predictsNumbers, scene, trueLabel } from "./scene.js";
import { namesOf, tilesOfPlace, tokenStrip } from "./sequence.js";
import { change, onChange, state } from "./state.js";
import { t } from "./text.js";

const row = $("backward-bricks");
const detail = $("backward-detail");
let bricks = [];
let most = 0; // of all gradients
let playing = null;

/** 0: the loss; 1: p - onehot; 2 ...: the places from the last to the first; then the input, where it is a picture. */
function stages() {
  return scene.walk ? scene.walk.places.length + 2 + (hasSaliency() ? 1 : 0) : 0;
}

/** The last stage; while a walk is on its way, it is not known how many there are. */
function lastStage() {
  return scene.walk ? stages() - 1 : Infinity;
}

function stage() {
  return Math.max(0, Math.min(Number(state.stage) || 0, lastStage()));
}

export function startBackward() {
  $("first").addEventListener("click", () => go(0));
  $("back").addEventListener("click", () => go(stage() - 1));
  $("step").addEventListener("click", () => go(stage() + 1));
  $("play").addEventListener("click", () => play(!playing));
  $("label").addEventListener("change", () => chooseLabel($("label").value));
  $("target").addEventListener("change", () => $("target").value && chooseLabel($("target").value));
  $("mode").addEventListener("change", () => {
    change({ mode: $("mode").checked ? "train" : "" });
    chooseLabel(trueLabel());
  });
  $("overlay").addEventListener("change", () => change({ overlay: $("overlay").checked ? "1" : "" }));
  $("common").addEventListener("change", () => change({ scale: $("common").checked ? "common" : "" }));
  on("model", showLabels);
  on("prediction", showLabels);
  on("walk", showBackward);
  onChange((names) => {
    if (names.has("stage") || names.has("scale")) showStage();
    else if (names.has("weight")) showChosen();
    if (names.has("pin") || names.has("weight")) showPath($("path"), markPath);
    $("overlay").checked = Boolean(state.overlay);
    $("common").checked = state.scale === "common";
    $("mode").checked = state.mode === "train";
  });
}

function go(to) {
  change({ stage: Math.max(0, Math.min(to, lastStage())), weight: "" });
}

/** A stage a second, to the end. */
function play(on) {
  clearInterval(playing);
  playing = null;
  if (on && stage() >= lastStage()) go(0);
  if (on) {
    playing = setInterval(() => {
      go(stage() + 1);
      if (stage() >= lastStage()) play(false);
    }, 1000);
  }
  $("play").textContent = t(playing ? "pause" : "play");
}

export function showLabels() {
  const labels = scene.card?.labels ?? [];
  if (scene.card) $("overlay-field").hidden = ["text", "numbers"].includes(scene.card.kind);
  $("label-field").hidden = predictsNumbers();
  $("target-field").hidden = !predictsNumbers();
  $("mode-field").hidden = !scene.card?.bricks.some((brick) => /BatchNorm|Dropout|Residual|Parallel|Sequential/.test(brick.layer));
  if (predictsNumbers()) $("target").value = trueLabel();
  $("label").replaceChildren(...labels.map((label) => make("option", { value: label }, shown(label))));
  $("label").value = trueLabel();
}

export function showBackward() {
  const { walk } = scene;
  if (!walk) {
    bricks = [];
    row.replaceChildren(make("p", { className: "hint" }, t(scene.card?.kind === "text" ? "needPrompt" : "needInput")));
    for (const element of [detail, $("stages"), $("legend"), $("asked"), $("path")]) element.replaceChildren();
    $("path").hidden = true;
    lookAway();
    return;
  }
  if (!predictsNumbers()) $("label").value = walk.label;
  $("asked").textContent = t(scene.prediction.label === walk.label ? "askedSame" : "asked", said(), shown(walk.label));
  $("common").checked = state.scale === "common";
  $("mode").checked = state.mode === "train";
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
  lineUp(row, bricks, "←");
  showStage();
  showPath($("path"), markPath);
}

/** The elements of a path in the bricks: dx of a place stands in the brick before it. */
function markPath(path) {
  bricks.forEach((brick, index) => {
    const step = path.find(({ place, array }) => array === "dx" && place === scene.walk?.places[index]?.name);
    if (brick.board?.array) brick.board.point(step && step.flat < brick.board.array.data.length ? step.flat : null);
  });
}

/** The size that has the full colour among the gradients of a place: its own, or that of all. */
function scaleOf(place) {
  if (state.scale === "common") return most;
  const arrays = [place.dx, place.dy, ...place.gradients.map(([, array]) => array)].filter(Boolean);
  return Math.max(0, ...arrays.map((array) => largest(array.data)));
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
    const scale = scaleOf(walk.places[Math.max(0, index - 1)]);
    brick.board?.show(array, { most: scale, rooted: true, tiles: tilesOfPlace(array, walk, null) });
    brick.element.classList.toggle("waiting", !reached);
    brick.element.classList.toggle("open", now - 2 === count - index);
  });
  $("stages").replaceChildren(...Array.from({ length: stages() }, (_, index) => {
    const name = index === 0 ? t("s_loss") : index === 1 ? t(predictsNumbers() ? "s_outputs" : "s_logits") : (walk.places[count - index + 1]?.kind ?? t("s_input"));
    const button = make("button", { type: "button", onclick: () => go(index) }, name);
    if (index === now) button.setAttribute("aria-current", "step");
    return make("li", {}, button);
  }));
  $("back").disabled = $("first").disabled = now === 0;
  $("step").disabled = now === stages() - 1;
  lookAway();
  const index = count - now + 1;
  const scale = now < 2 ? largest(walk.dlogits.data) : scaleOf(walk.places[Math.max(0, index)]);
  showLegend(state.scale === "common" ? most : scale);
  if (now === 0) showLoss(detail);
  else if (now === 1) showLogits(detail, state.scale === "common" ? most : scale);
  else if (index < 0) showInput();
  else showPlace(detail, index, scale);
  showPath($("path"), markPath);
  bricks[Math.max(0, count - now + 2)]?.element.scrollIntoView?.({ block: "nearest", inline: "center" });
}

/** The gradient has arrived at the picture. */
function showInput() {
  const picture = saliencyPicture(280);
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", t("saliencyCaption"));
  picture.className = "board";
  picture.id = "saliency-picture";
  fill(
    detail,
    make("h3", {}, t("s_input")),
    make("p", {}, t("saliencyStage")),
    make("figure", {}, make("figcaption", {}, t("saliencyCaption")), picture),
  );
}

function showLegend(full) {
  const bar = make("canvas", { width: 201, height: 10 });
  bar.setAttribute("aria-hidden", "true");
  const brush = bar.getContext("2d");
  for (let x = 0; x <= 200; x++) {
    const [red, green, blue] = colour(((x - 100) / 100) ** 3, 1, true);
    brush.fillStyle = `rgb(${red} ${green} ${blue})`;
    brush.fillRect(x, 0, 1, 10);
  }
  $("legend").replaceChildren(make("span", {}, short(-full)), bar, make("span", {}, short(full)),
    make("small", {}, t(state.scale === "common" ? "scaleCommon" : "scaleLegend")));
}
