// Where the backward pass begins: the loss, and its gradient with respect to the logits or the predicted numbers.

import { fill, make } from "./bricks.js";
import { colour, short } from "./colours.js";
import { LOGITS_FORMULA, LOSS_FORMULA, SQUARES_FORMULA, SQUARES_GRADIENT } from "./formulas.js";
import { maths } from "./maths.js";
import { LOSS, lookAt, pointAt, showChosen, writeElement } from "./number.js";
import { predictsNumbers, scene } from "./scene.js";
import { visible } from "./sequence.js";
import { change } from "./state.js";
import { t } from "./text.js";

const MOST_LABELS = 20;

/** What a label is called: tokens are made visible. */
export function shown(label) {
  if (predictsNumbers()) return String(Number(label)).replace("-", "−");
  return scene.card.kind === "text" ? visible(label) : label;
}

/** What the network says. */
export function said() {
  const { prediction } = scene;
  return predictsNumbers() ? prediction.values.map(short).join(", ") : shown(prediction.label);
}

export function showLoss(detail) {
  const { walk } = scene;
  const numbers = predictsNumbers();
  const p = walk.probabilities[scene.card.labels.indexOf(walk.label)];
  const [told, value] = numbers
    ? [t("squaresStage", said(), shown(walk.label), short(walk.loss)), `loss = ${squares()} = ${short(walk.loss)}`]
    : [t("lossStage", shown(walk.label), short(p), short(walk.loss)), `loss = −log p(${shown(walk.label)}) = ${short(walk.loss)}`];
  fill(
    detail,
    make("h3", {}, t("s_loss")),
    make("div", { className: "formula" }, maths(numbers ? SQUARES_FORMULA : LOSS_FORMULA)),
    make("p", {}, told),
    make("p", { className: "maths", id: "loss-value" }, value),
    scene.card.kind === "text" ? make("p", { className: "hint" }, t("lossOfText")) : null,
  );
}

/** The squared difference with its numbers, of a single output. */
function squares() {
  const { logits, label } = scene.walk;
  if (logits.data.length > 1) return "mean (y − t)²";
  const target = shown(label);
  return `(${short(logits.data[0])} − ${target.startsWith("−") ? `(${target})` : target})²`;
}

export function showLogits(detail, scale) {
  const { walk } = scene;
  const numbers = predictsNumbers();
  const labels = numbers ? Array.from(walk.logits.data, (_, i) => `y[${i}]`) : scene.card.labels;
  const heads = numbers ? ["", "y", "t", "2 (y − t) / n"] : ["", "logit", "p", "onehot", "p − onehot"];
  const head = make("tr", {}, ...heads.map((text) => (text ? make("th", { scope: "col" }, text) : make("td"))));
  let listed = labels.map((_, i) => i);
  if (!numbers && labels.length > MOST_LABELS) { // the most probable, and the one that it should be
    const truth = labels.indexOf(walk.label);
    listed = listed.sort((a, b) => walk.probabilities[b] - walk.probabilities[a]).slice(0, MOST_LABELS);
    if (!listed.includes(truth)) listed.push(truth);
  }
  const body = listed.map((i) => {
    const gradient = make("td", { className: "gradient" }, short(walk.dlogits.data[i]));
    const [red, green, blue] = colour(walk.dlogits.data[i], scale, true);
    gradient.style.borderLeftColor = `rgb(${red} ${green} ${blue})`;
    const choose = () => { change({ weight: writeElement(LOSS, "dlogits", [i]) }); showChosen(); };
    const name = numbers ? labels[i] : shown(labels[i]);
    const button = make("button", { type: "button", className: "logit", onclick: choose }, name);
    const cells = numbers ? [shown(walk.label)] : [short(walk.probabilities[i]), labels[i] === walk.label ? "1" : "0"];
    const line = make("tr", { onpointerenter: () => pointAt("dlogits", [i]) }, make("th", { scope: "row" }, button),
      ...[short(walk.logits.data[i]), ...cells].map((text) => make("td", {}, text)), gradient);
    line.addEventListener("pointerleave", () => pointAt("dlogits", null));
    return line;
  });
  const panel = make("div", { id: "number", tabIndex: -1, role: "status" });
  fill(
    detail,
    make("h3", {}, t(numbers ? "s_outputs" : "s_logits")),
    make("div", { className: "formula" }, maths(numbers ? SQUARES_GRADIENT : LOGITS_FORMULA)),
    make("p", {}, t(numbers ? "outputsStage" : "logitsStage")),
    make("p", { className: "hint" }, t("chooseLogit")),
    listed.length < labels.length ? make("p", { className: "hint" }, t("someLabels", MOST_LABELS, labels.length.toLocaleString())) : null,
    make("div", { className: "columns" },
      make("div", { className: "wide", tabIndex: 0 }, make("table", { id: "logits" }, make("thead", {}, head), make("tbody", {}, ...body))), panel),
  );
  lookAt(LOSS, {}, panel);
}
