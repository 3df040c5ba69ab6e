// Starts the page: places, language, colours, the address, and the places' own parts.

import { startBackward, showBackward, showLabels } from "./backward.js";
import { $, all } from "./dom.js";
import { nameSamples, restoreInput, showAnswer, startDrawing } from "./draw.js";
import { make } from "./bricks.js";
import { showExercises, startExercises } from "./exercises.js";
import { startPrompt } from "./prompt.js";
import { showInside, startInside } from "./inside.js";
import { showSaliency } from "./saliency.js";
import { loadModels, on, scene, tell, useModel } from "./scene.js";
import { address, change, onChange, readAddress, state } from "./state.js";
import { language, speak, t } from "./text.js";
import { showCompare, startCompare } from "./compare.js";
import { openTraining, restorePlay, showPlay, startPlay } from "./play.js";
import { startDropping } from "./drop.js";
import { nameOf, showWords, startWords } from "./words.js";
import { restoreTraining, showSettings, showState, startTraining } from "./train.js";

const PLACES = ["draw", "inside", "backward", "exercises", "compare", "train", "playground"];
const HIDES = ["model", "share", "tools", "samples", "train"];
const wide = matchMedia("(min-width: 60rem)");

function showPlace() {
  let place = PLACES.includes(state.place) ? state.place : "draw";
  if (wide.matches && place === "draw") place = "inside"; // the drawing stands beside every place
  for (const name of PLACES) {
    const tab = $(`tab-${name}`);
    const here = name === place;
    tab.setAttribute("aria-selected", String(here));
    tab.tabIndex = here ? 0 : -1;
    $(name).hidden = !(here || (wide.matches && name === "draw" && place !== "playground"));
  }
  $("main").classList.toggle("alone", place === "playground");
  $("tab-draw").hidden = wide.matches;
}

function startTabs() {
  const tabs = PLACES.map((name) => $(`tab-${name}`));
  for (const tab of tabs) {
    tab.addEventListener("click", () => change({ place: tab.dataset.place }));
    tab.addEventListener("keydown", (event) => {
      const seen = tabs.filter((one) => !one.hidden);
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = seen[(seen.indexOf(tab) + step + seen.length) % seen.length];
      change({ place: next.dataset.place });
      next.focus();
    });
  }
  wide.addEventListener("change", showPlace);
}

function showTheme() {
  const dark = state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").setAttribute("aria-pressed", String(dark));
}

function showHidden() {
  const hidden = new Set(state.hide.split(","));
  for (const element of all("[data-hide]")) {
    element.classList.toggle("left-out", hidden.has(element.dataset.hide));
  }
}

/** Everything that has words in it, or colours, once more. */
function showAll() {
  speak(state.lang);
  $("language").textContent = language() === "zh" ? "English" : "中文";
  $("language").lang = language() === "zh" ? "en" : "zh";
  if (scene.card) {
    showModels();
    showLabels();
  }
  nameSamples();
  showAnswer();
  showInside();
  showBackward();
  showSaliency();
  showSettings();
  showState();
  showPlay();
  showCompare();
  showExercises();
  showWords();
}

function showModels() {
  $("model").replaceChildren(...scene.models.map((card) => make("option", { value: card.name }, nameOf(card.name))));
  $("model").value = scene.card.name;
}

function startSharing() {
  const boxes = HIDES.map((name) => make("input", { type: "checkbox", value: name }));
  const link = () => {
    const hide = boxes.filter((box) => box.checked).map((box) => box.value).join(",");
    $("link").value = location.origin + address(hide);
    $("copied").textContent = "";
  };
  $("share").addEventListener("click", () => {
    const legend = $("hides").firstElementChild;
    $("hides").replaceChildren(legend, ...boxes.map((box) => make("label", {}, box, " ", t(`hide_${box.value}`))));
    link();
    $("sharing").showModal();
  });
  for (const box of boxes) box.addEventListener("change", link);
  $("shared").addEventListener("click", () => $("sharing").close());
  $("copy").addEventListener("click", async () => {
    $("link").select();
    try {
      await navigator.clipboard.writeText($("link").value);
    } catch {
      document.execCommand("copy");
    }
    $("copied").textContent = t("copied");
  });
}

function showProblem(error) {
  $("problem").hidden = !error;
  if (error) $("problem").textContent = ["offline", "notPicture"].includes(error.message) ? t(error.message) : error.message;
}

async function restore() {
  change(readAddress());
  try {
    if (!scene.models.length) await loadModels();
    if (scene.card.name !== state.model && scene.models.some((card) => card.name === state.model)) await useModel(state.model);
    await restoreInput();
  } catch (error) {
    showProblem(error);
  }
}

Object.assign(state, readAddress());
showTheme();
speak(state.lang);
startTabs();
startDrawing();
startPrompt();
startInside();
startBackward();
startExercises();
startCompare();
startTraining();
startPlay();
startDropping();
startWords();
startSharing();
on("problem", showProblem);
on("model", showModels);
onChange((names) => {
  if (names.has("place")) {
    showPlace();
    showCompare();
  }
  if (names.has("theme")) showTheme();
  if (names.has("hide")) showHidden();
  if (names.has("lang") || names.has("theme")) showAll();
  if (names.has("overlay")) showSaliency();
});
$("language").addEventListener("click", () => change({ lang: language() === "zh" ? "en" : "zh" }));
$("theme").addEventListener("click", () => change({ theme: document.documentElement.dataset.theme === "dark" ? "light" : "dark" }));
$("model").addEventListener("change", () => {
  const kind = scene.card.kind;
  change({ model: $("model").value, brick: "", unit: "", stage: 0, weight: "" });
  useModel(state.model);
  if (scene.card.kind !== kind) change({ label: "" }); // a digit is no token
});
addEventListener("hashchange", restore);
showPlace();
showHidden();
showAll();
await restore();
tell("model");
await openTraining();
await Promise.all([restoreTraining(), restorePlay()]).catch(showProblem);
document.body.dataset.ready = "yes";
