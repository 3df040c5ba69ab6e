// The place "Inside": what each brick makes of the input, and what a single unit is made of.

import { askAbout, unpack } from "./api.js";
import { Board, tilesOfWeights } from "./board.js";
import { facts, fill, lineUp, make, makeBrick, pictureBefore, title } from "./bricks.js";
import { largest, short } from "./colours.js";
import { on, parametersOf, sampleInput, scene, tell } from "./scene.js";
import { betweenFigures, namesOf, nearestRows, tilesOfPlace, tilesOfTable, tokenStrip } from "./sequence.js";
import { change, onChange, state } from "./state.js";
import { has, t } from "./text.js";

const row = document.getElementById("inside-bricks");
const detail = document.getElementById("inside-detail");
let bricks = []; // of the input, then of each place
let asked = 0;

export function startInside() {
  on("walk", showInside);
  onChange((names) => {
    if (names.has("brick") || names.has("unit")) showDetail();
  });
}

export function showInside() {
  const { walk } = scene;
  detail.replaceChildren();
  if (!walk) {
    bricks = [];
    row.replaceChildren(make("p", { className: "hint" }, t(scene.card?.kind === "text" ? "needPrompt" : "needInput")));
    return;
  }
  const names = namesOf(scene.prediction);
  const input = makeBrick({ name: "", heading: t("input"), shape: walk.x.shape, strip: names && tokenStrip(names) });
  if (!names) input.board.show(walk.x, { tiles: tilesOfPlace(walk.x, walk, null) });
  bricks = [input];
  walk.places.forEach((place, index) => {
    const brick = makeBrick({
      name: place.name,
      heading: title(place),
      shape: place.y.shape,
      nested: place.nested,
      onOpen: (name) => change({ brick: name, unit: brick.board.cursor ?? state.unit }),
      onPoint: (flat) => point(index, flat),
    });
    brick.board.show(place.y, { tiles: tilesOfPlace(place.y, walk, null) });
    bricks.push(brick);
  });
  lineUp(row, bricks, "→");
  showDetail();
}

/** A unit under the pointer: what feeds it and what it feeds is marked in all bricks. */
async function point(index, flat) {
  const mine = ++asked;
  for (const brick of bricks) brick.board?.mark(null);
  const { walk } = scene;
  if (flat === null || !walk) return; // while the answer to something new is on its way
  const place = walk.places[index];
  if (!place.dx && !index) return; // what reads tokens has no slopes
  await new Promise((done) => setTimeout(done, 40)); // the pointer may be on its way
  if (mine !== asked) return;
  try {
    const query = { model: scene.card.name, place: place.name, unit: flat };
    const unit = await askAbout(sampleInput(), "/api/unit", query);
    if (mine !== asked || scene.walk !== walk) return;
    const before = unpack(unit.before);
    for (const brick of bricks) {
      const slopes = unit.chain[brick.element.dataset.name || "input"];
      if (slopes) brick.board?.mark(unpack(slopes).data);
    }
    if (state.brick === place.name) showUnit(unit, before);
  } catch (error) {
    tell("problem", error);
  }
}

/** The brick that is open: formula, shapes, weights, and the unit's numbers. */
async function showDetail() {
  const { walk } = scene;
  for (const brick of bricks) brick.element.classList.toggle("open", state.brick !== "" && brick.element.dataset.name === state.brick);
  const index = walk?.places.findIndex((place) => place.name === state.brick) ?? -1;
  if (index < 0) {
    detail.replaceChildren();
    return;
  }
  const place = walk.places[index];
  const card = scene.card.bricks.find((brick) => brick.name === place.name.split(".")[0]);
  const count = place.gradients.reduce((sum, [, array]) => sum + array.data.length, 0);
  const unitPlace = make("div", { className: "unit", role: "status" }, make("p", { className: "hint" }, t("pointHint")));
  const weights = make("div", { className: "weights" });
  const formula = has(`f_${place.kind}`) ? t(`f_${place.kind}`) : t("f_other");
  const names = namesOf(scene.prediction);
  const large = new Board({ size: 300, width: 640, label: title(place), onPoint: (flat) => point(index, flat) });
  large.show(place.y, { tiles: tilesOfPlace(place.y, walk, names) });
  fill(
    detail,
    make("h3", {}, `${place.name}: ${place.layer}`),
    facts([
      [t("formula"), formula],
      [t("shapes"), `x ${place.x.shape.join("×")} → y ${place.y.shape.join("×")}`],
      ["", count ? t("parameters", count.toLocaleString()) : t("noParameters"),
        card?.multiply_adds && !place.nested ? t("multiplyAdds", card.multiply_adds.toLocaleString()) : ""],
    ]),
    make("div", { className: "columns" }, large.canvas, unitPlace, weights),
    ...betweenFigures(place, names),
  );
  if (state.unit !== "" && Number(state.unit) < place.y.data.length) {
    large.point(Number(state.unit));
    point(index, Number(state.unit));
  }
  if (!count) return;
  try {
    const parameters = await parametersOf(scene.card.name);
    if (place.kind === "Embedding" && names) {
      const near = nearestRows(parameters[`${place.name}.W`], Array.from(walk.x.data), scene.card.labels);
      unitPlace.replaceChildren(make("h4", {}, t("nearest")), near, make("p", { className: "hint" }, t("nearestHint")));
    }
    const picture = pictureBefore(walk.places, index, scene.card.input_shape);
    for (const [name] of place.gradients) {
      const array = parameters[`${place.name}.${name}`];
      if (!array) continue;
      const board = new Board({ size: name === "W" ? 300 : 120, width: 640, label: name, onPoint: () => {} });
      const table = tilesOfTable(place, array, scene.card.labels, names);
      board.show(array, { tiles: table ?? tilesOfWeights(array.shape, picture) });
      weights.append(make("figure", {}, make("figcaption", {}, t("weightsOf", `${name} ${array.shape.join("×")}`)), board.canvas));
    }
  } catch (error) {
    tell("problem", error);
  }
}

function showUnit(unit, before) {
  const place = detail.querySelector(".unit");
  if (!place) return;
  const rows = unit.terms.map((term) => [
    `x[${term.index}]`,
    unit.linear ? `${short(term.x)} · ${short(term.slope)}` : short(term.x),
    unit.linear ? short(term.x * term.slope) : `dy/dx = ${short(term.slope)}`,
  ]);
  if (unit.linear && unit.count > unit.terms.length) rows.push([t("moreTerms"), "", short(unit.rest)]);
  if (unit.linear && unit.bias) rows.push([t("bias"), "", short(unit.bias)]);
  rows.push([`y[${unit.index}]`, "", short(unit.value)]);
  const slopes = new Board({ size: 150, label: t("slopes"), onPoint: () => {} });
  slopes.show(before, { most: largest(before.data) });
  place.replaceChildren(
    make("h4", {}, t("unitTitle", unit.index)),
    make("p", {}, t("unitTerms", unit.count.toLocaleString())),
    facts(rows),
    make("figure", {}, make("figcaption", {}, t("slopes")), slopes.canvas),
  );
}

