// The check of one weight: its gradient by backpropagation beside the quotient of two losses, with every digit.

import { askAbout } from "./api.js";
import { facts, make } from "./bricks.js";
import { maths } from "./maths.js";
import { question, sampleInput, tell } from "./scene.js";
import { t } from "./text.js";

const exact = (value) => value.toExponential(8);

/** A button that checks the weight at `index` of a parameter, and what it found. */
export function makeCheck(parameter, index) {
  const result = make("div", {});
  const run = async () => {
    result.textContent = t("checking");
    try {
      const query = { ...question(), parameter, index: String(index) };
      showComparison(result, await askAbout(sampleInput(), "/api/gradient", query));
    } catch (error) {
      result.textContent = "";
      tell("problem", error);
    }
  };
  const button = make("button", { type: "button", id: "check-button", className: "main", onclick: run }, t("check"));
  return make("div", { id: "check", role: "status" }, button, " ", make("small", {}, t("checkHint")), result);
}

function showComparison(result, found) {
  const agree = found.relative_difference < 1e-5 || Math.abs(found.backpropagation - found.numerical) < 1e-9;
  const difference = found.loss_above - found.loss_below;
  result.replaceChildren(
    make("div", { className: "formula" }, maths('frac{∂ loss}{∂ w} ≈ frac{loss ( w + h ) − loss ( w − h )}{2 h}')),
    make("div", { className: "wide", tabIndex: 0 }, facts([
      [t("lossAbove"), make("output", { id: "loss-above" }, String(found.loss_above))],
      [t("lossBelow"), make("output", { id: "loss-below" }, String(found.loss_below))],
      [t("lossDifference"), make("output", {}, difference.toExponential(11))],
      ["2h", make("output", { id: "two-steps" }, String(2 * found.step))],
      [t("byNumbers"), make("output", { id: "by-numbers" }, exact(found.numerical))],
      [t("byBackprop"), make("output", { id: "by-backpropagation" }, exact(found.backpropagation))],
      [t("difference"), make("output", { id: "difference" }, found.relative_difference.toExponential(1))],
    ])),
    make("p", { className: "hint" }, t("probes")),
    make("p", {}, t(agree ? "agree" : "disagree")),
  );
}
