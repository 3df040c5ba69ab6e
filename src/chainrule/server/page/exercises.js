// The place "Exercises": a number to predict, a bug to find, a step of SGD by hand. Which one, and its number, is in the
// address, so that a class has the same ones.

import { fill, make } from "./bricks.js";
import { showDescent } from "./descent.js";
import { $, all } from "./dom.js";
import { showPlanted } from "./planted.js";
import { showPredict } from "./predict.js";
import { on, scene } from "./scene.js";
import { change, onChange, state } from "./state.js";
import { t } from "./text.js";

const KINDS = { predict: showPredict, bug: showPlanted, step: showDescent };

export function startExercises() {
  $("exercise-kinds").append(...Object.keys(KINDS).map((kind) => make("label", { className: "field" },
    make("input", { type: "radio", name: "exercise", value: kind, onchange: () => change({ exercise: kind, task: "1" }) }),
    " ", make("span", { "data-t": `x_${kind}` }))));
  on("walk", showExercises);
  onChange((names) => {
    if (["exercise", "task", "place"].some((name) => names.has(name))) showExercises();
  });
}

/** The exercise that was chosen, for what is on the table now. */
export function showExercises() {
  if (state.place !== "exercises" || !scene.card) return;
  const kind = state.exercise in KINDS ? state.exercise : "predict";
  for (const radio of all("#exercise-kinds input")) radio.checked = radio.value === kind;
  if (scene.walk) KINDS[kind]($("exercise"));
  else fill($("exercise"), make("p", { className: "hint" }, t(scene.card.kind === "text" ? "needPrompt" : "needInput")));
}
