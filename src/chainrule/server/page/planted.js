// An exercise: the backward pass has one bug, and the check of each brick tells where.

import { askAbout, unpack } from "./api.js";
import { fill, lineUp, make, makeBrick, title } from "./bricks.js";
import { largest, short } from "./colours.js";
import { called } from "./number.js";
import { sampleInput, scene, tell, trueLabel } from "./scene.js";
import { tilesOfPlace } from "./sequence.js";
import { arrive, nextButton, task } from "./task.js";
import { t } from "./text.js";

const BUGS = ["mean", "transpose", "mask"];
let asked = 0;

const question = () => ({ model: scene.card.name, label: trueLabel(), task: String(task()) });

export async function showPlanted(box) {
  const mine = ++asked;
  const { walk } = scene;
  try {
    const planted = await askAbout(sampleInput(), "/api/planted", question());
    if (mine === asked && scene.walk === walk) show(box, planted);
  } catch (error) {
    if (mine === asked && scene.walk === walk) fill(box, make("p", { className: "wrong", role: "status" }, error.message));
  }
}

function show(box, planted) {
  const row = make("div", { className: "bricks", id: "planted-bricks", tabIndex: 0, role: "group", ariaLabel: t("bricksLabel") });
  const detail = make("div", { id: "planted-detail", role: "status" });
  const bricks = planted.places.map((place) => makePlace(place, detail));
  fill(box,
    make("h3", {}, t("bugTitle"), " ", make("small", {}, t("taskNumber", task()))),
    make("p", { className: "hint" }, t("bugHint", planted.samples)), row, detail, answerForm(planted));
  lineUp(row, bricks, "←");
  bricks.at(-1).element.scrollIntoView({ block: "nearest", inline: "end" });
  arrive(bricks.at(-1).check);
}

function nameOf(place) {
  return place.name === "loss" ? t("s_loss") : place.name;
}

/** A brick with dx in it, a button that checks it, and what the check said. */
function makePlace(place, detail) {
  const gradient = unpack(place.gradient);
  const heading = place.name === "loss" ? t("s_loss") : title({ layer: place.layer, kind: place.layer.split("(")[0] });
  const brick = makeBrick({ name: place.name, heading, shape: gradient.shape, size: 96 });
  brick.board.show(gradient, { tiles: tilesOfPlace(gradient, scene.walk, null), most: largest(gradient.data), rooted: true });
  const verdict = make("span", { className: "verdict" });
  const onclick = async () => {
    verdict.textContent = "…";
    const { walk } = scene;
    try {
      const found = await Promise.all(place.arrays.map((array) =>
        askAbout(sampleInput(), "/api/planted/check", { ...question(), place: place.name, array })));
      if (!detail.isConnected || scene.walk !== walk) return;
      const right = found.flat().every(agrees);
      const bare = place.arrays.filter((_, at) => !found[at].length).map((array) => called({ array, index: [] })); // not compared
      verdict.className = `verdict ${!right ? "wrong" : bare.length ? "" : "right"}`;
      const words = found.flat().length ? `${!right ? "✗ " : bare.length ? "" : "✓ "}${t(right ? "bugAgrees" : "bugDiffers")}` : "";
      verdict.textContent = [words, bare.length ? `${bare.join(", ")}: ${t("bugNothing")}` : ""].filter(Boolean).join("; ");
      fill(detail, make("h4", {}, `${nameOf(place)}: ${verdict.textContent}`),
        make("div", { className: "columns" }, ...found.map((elements, at) => comparison(place.arrays[at], elements))));
    } catch (error) {
      verdict.textContent = "";
      tell("problem", error);
    }
  };
  const check = make("button", { type: "button", onclick, ariaLabel: t("bugCheckOf", nameOf(place)) }, t("bugCheck"));
  brick.element.append(check, verdict);
  return { ...brick, check };
}

function agrees({ backward, numerical }) {
  return Math.abs(backward - numerical) <= 1e-5 * Math.max(Math.abs(backward), Math.abs(numerical)) + 1e-9;
}

function comparison(array, elements) {
  const name = called({ array, index: [] });
  if (!elements.length) return make("p", { className: "hint" }, t("bugKinks", name));
  const head = [t("bugElement"), t("bugBackward"), t("bugNumerical")].map((text) => make("th", { scope: "col" }, text));
  const rows = elements.map((one) => make("tr", { className: agrees(one) ? "" : "wrong" },
    make("th", { scope: "row" }, called({ array, index: one.index })), make("td", {}, short(one.backward)), make("td", {}, short(one.numerical))));
  return make("div", { className: "wide", tabIndex: 0 }, make("table", { className: "terms" },
    make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)));
}

function answerForm(planted) {
  const where = make("select", { id: "bug-place" }, ...planted.places.toReversed().map((place) => make("option", { value: place.name }, nameOf(place))));
  const which = make("select", { id: "bug-kind" }, ...BUGS.map((bug) => make("option", { value: bug }, t(`bug_${bug}`))));
  const told = make("p", { id: "told", role: "status" });
  const why = t(`why_${planted.bug}`, nameOf({ name: planted.place }), planted.samples);
  const answer = (className, text) => {
    told.className = className;
    told.textContent = text;
  };
  const form = make("form", { className: "row" },
    make("label", { className: "field" }, `${t("bugWhere")} `, where), make("label", { className: "field" }, `${t("bugWhich")} `, which),
    make("button", { className: "main", id: "bug-answer" }, t("bugAnswer")),
    make("button", { type: "button", id: "show-answer", onclick: () => answer("said", t("bugShown", why)) }, t("showAnswer")), nextButton());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const there = where.value === planted.place;
    if (there && which.value === planted.bug) answer("right", t("bugRight", why));
    else answer("wrong", t(there ? "bugPlaceOnly" : "bugWrong"));
  });
  return make("div", {}, form, told);
}
