// A brick of the backward pass: its formulas, the arrays that it reads and makes, and the numbers in them.

import { Board, indexOf, tilesOfWeights } from "./board.js";
import { fill, make, pictureBefore } from "./bricks.js";
import { largest, short } from "./colours.js";
import { formulasOf } from "./formulas.js";
import { maths } from "./maths.js";
import { lookAt, NAMES, pointAt, showChosen, writeElement } from "./number.js";
import { parametersOf, scene } from "./scene.js";
import { lengths, lengthsFigure, namesOf, tilesOfPlace, tilesOfTable, tokenStrip } from "./sequence.js";
import { change, state } from "./state.js";
import { has, t } from "./text.js";

/** Everything about the place of that number, in `detail`; `most` has the full colour among its gradients. */
export function showPlace(detail, index, most) {
  const { walk } = scene;
  const place = walk.places[index];
  const names = namesOf(scene.prediction);
  const last = index === 0;
  const before = pictureBefore(walk.places, index, scene.card.input_shape);
  const boards = {};
  const figure = (key, name, array, tiles, look, act) => {
    const wide = !tiles.stretch && tiles.count === 1 && Math.max(tiles.columns / tiles.rows, tiles.rows / tiles.columns) > 4;
    const board = new Board({ size: wide ? 560 : 230, width: 560, label: name, onPoint: () => {}, ...act });
    board.show(array, { tiles, ...look });
    boards[key] = board;
    const caption = `${name} ${array.shape.join("×")}, |max| ${short(largest(array.data))}`;
    return make("figure", {}, make("figcaption", {}, caption), board.canvas);
  };
  const gradient = { most, rooted: true };
  const made = (array, values, tiles) => {
    const act = !place.explained.includes(array) ? {} : {
      onPoint: (flat) => pointAt(array, flat === null ? null : indexOf(flat, values.shape)),
      onPick: (flat) => {
        if (flat === null) return;
        change({ weight: writeElement(place.name, array, indexOf(flat, values.shape)) });
        showChosen();
      },
    };
    return figure(array, array === "dx" ? "dx" : `d${NAMES[array] ?? array}`, values, tiles, gradient, act);
  };
  const tilesOfParameter = (array) => tilesOfTable(place, array, scene.card.labels, names) ?? tilesOfWeights(array.shape, before);
  const read = make("div", { className: "columns" });
  if (place.dy) read.append(figure("dy", "dy", place.dy, tilesOfPlace(place.dy, walk, names), gradient));
  if (place.kind !== "Embedding") read.append(figure("x", "x", place.x, tilesOfPlace(place.x, walk, names), {}));
  const results = [
    ...(place.dx ? [made("dx", place.dx, tilesOfPlace(place.dx, walk, names))] : []),
    ...place.gradients.map(([name, array]) => made(name, array, tilesOfParameter(array))),
  ];
  const sentence = [t("brickStage", place.layer)];
  if (place.gradients.length) sentence.push(t("brickWeights"));
  const [words, inTraining] = [`m_${place.kind}`, `m_${place.kind}_train`];
  if (has(words)) sentence.push(t(state.mode === "train" && has(inTraining) ? inTraining : words));
  if (last && names) sentence.push(t("endOfText"));
  const without = [...(place.dx ? ["dx"] : []), ...place.gradients.map(([name]) => name)].filter((name) => !place.explained.includes(name));
  const panel = make("div", { id: "number", tabIndex: -1, role: "status" });
  fill(
    detail,
    make("h3", {}, `${place.name}: ${place.layer}`),
    make("div", { className: "formulas", role: "group", ariaLabel: t("formulaHead") },
      ...formulasOf(place.kind).map((notation) => make("div", { className: "formula" }, maths(notation)))),
    make("p", {}, sentence.join(" ")),
    last && names && place.dy ? tokenStrip(names, lengths(place.dy)) : null,
    walk.sequence ? lengthsFigure(place) : null,
    results.length ? make("h4", {}, t("madeHead")) : null,
    make("div", { className: "columns made" }, ...results),
    without.length ? make("p", { className: "hint" }, t("noTerms", without.map((name) => (name === "dx" ? name : `d${name}`)).join(", "))) : null,
    panel,
    make("h4", {}, t("readHead")),
    read,
  );
  showWeights(place, (name, array) => {
    if (panel.isConnected) read.append(figure(`weight ${name}`, NAMES[name] ?? name, array, tilesOfParameter(array), {}));
  }).then(() => panel.isConnected && showChosen());
  lookAt(place.name, boards, panel);
}

/** The place's weights, which are read too. */
async function showWeights(place, show) {
  if (!place.gradients.length) return;
  try {
    const parameters = await parametersOf(scene.card.name);
    for (const [name] of place.gradients) {
      const array = parameters[`${place.name}.${name}`];
      if (array && array.data.length > 1) show(name, array);
    }
  } catch {
    // too many to be sent: they are left out
  }
}
