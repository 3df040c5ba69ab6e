// What is said beside the input: which network answers, what is wrong with numbers that were written, and what is no digit.

import { make } from "./bricks.js";
import { $, all } from "./dom.js";
import { inputSize, on, scene } from "./scene.js";
import { t } from "./text.js";


export function startWords() {
  on("model", showWords);
  on("prediction", showWords);
  on("unread", (error) => { $("answer").textContent = t("unread", error.message); });
  $("numbers").addEventListener("input", showWords);
}

/** What a model is called on the page: "training:3-1f:200" is one that was trained here. */
export function nameOf(name) {
  const [kind, , step] = name.split(":");
  if (kind === "training" && !step) return t("trainedNow");
  return kind === "training" ? t("trainedModel", Number(step).toLocaleString()) : name;
}

export function showWords() {
  const { card } = scene;
  if (!card) return;
  const reads = card.kind === "numbers";
  $("who").textContent = scene.prediction ? t("servedReads", nameOf(card.name)) : "";
  $("numbers-words").textContent = reads && !$("numbers").value.trim() ? t("numbersHint", inputSize(card)) : "";
  if (reads) {
    for (const id of ["tab-draw", "draw-title"]) {
      $(id).dataset.t = "enter";
      $(id).textContent = t("enter");
    }
    for (const element of all("#draw [data-hide=tools]")) element.hidden = true;
    if (!scene.prediction) $("answer").textContent = "";
    if (!scene.walk) $("inside-bricks").replaceChildren(make("p", { className: "hint" }, t("numbersHint", inputSize(card))));
  }
}
