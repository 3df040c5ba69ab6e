// A number of the backward pass: the sum that made it, what it read, where it goes, and its path from the loss.

import { askAbout } from "./api.js";
import { fill, make } from "./bricks.js";
import { makeCheck } from "./check.js";
import { short } from "./colours.js";
import { maths } from "./maths.js";
import { parametersOf, predictsNumbers, question, sampleInput, scene, tell } from "./scene.js";
import { change, state } from "./state.js";
import { t } from "./text.js";

export const LOSS = "loss";
export const NAMES = { slope: "∂y/∂x", gamma: "γ", beta: "β" };
let view = null; // {place, boards by array, panel} of the brick that is shown
let asked = 0;
const answers = new WeakMap(); // by walk

/** "4.Affine.dx:3" -> {place, array, index}; null of anything else. */
export function readElement(text) {
  const found = /^(.+)\.([^.:]+):(\d+(?:,\d+)*)$/.exec(text);
  return found && { place: found[1], array: found[2], index: found[3].split(",").map(Number) };
}

export function writeElement(place, array, index) {
  return `${place}.${array}:${index}`;
}

/** What a gradient is called: dW of the parameter W. */
function nameOf(array) {
  if (array === "y") return "y";
  if (array === "dlogits") return predictsNumbers() ? "dy" : "dz";
  return array === "dx" ? "dx" : `d${NAMES[array] ?? array}`;
}

/** An element in words: dW[3, 4]. */
export function called({ array, index }) {
  return index.length ? `${nameOf(array)}[${index.join(", ")}]` : nameOf(array);
}

/** The numbers of a place are looked at from now on: `boards` by array ("dx", "W", and "x", "dy", "weight W" to mark). */
export function lookAt(place, boards, panel) {
  view = { place, boards, panel };
  showChosen();
}

/** The element that is pinned in the address, where it is one of the place's. */
export function showChosen() {
  if (!view) return;
  const element = readElement(state.weight);
  if (element?.place === view.place) {
    view.boards[element.array]?.point(flatOf(element.index, view.boards[element.array].array.shape));
    showNumber(element.array, element.index, false);
  } else {
    clear();
  }
}

export function flatOf(index, shape) {
  return index.reduce((sum, i, axis) => sum * shape[axis] + i, 0);
}

function clear() {
  asked += 1;
  for (const board of Object.values(view.boards)) board.frame(null);
  view.panel.replaceChildren();
}

/** An element under the pointer or the cursor; null: none any more. */
export async function pointAt(array, index) {
  if (index === null) {
    showChosen();
    return;
  }
  await showNumber(array, index, true);
}

/** What the server says of an element. */
export async function numberOf(place, array, index) {
  const { walk } = scene;
  if (!answers.has(walk)) answers.set(walk, new Map());
  const known = answers.get(walk);
  const key = writeElement(place, array, index);
  if (!known.has(key)) {
    const query = { ...question(), label: walk.label, place, array, index: String(index) };
    known.set(key, await askAbout(sampleInput(), "/api/number", query));
    if (known.size > 500) known.delete(known.keys().next().value);
  }
  return known.get(key);
}

async function showNumber(array, index, passing) {
  const mine = ++asked;
  const { walk } = scene;
  if (passing) await new Promise((done) => setTimeout(done, 40)); // the pointer may be on its way
  if (mine !== asked || !walk || scene.walk !== walk) return;
  try {
    const number = await numberOf(view.place, array, index);
    if (mine !== asked || scene.walk !== walk) return;
    markReads(number);
    const value = array === "dx" || array === "dlogits" ? null : await weightOf(number);
    if (mine === asked && scene.walk === walk) fill(view.panel, ...tellNumber(number, value));
  } catch (error) {
    if (mine === asked && scene.walk === walk) tell("problem", error);
  }
}

function markReads(number) {
  for (const [name, board] of Object.entries(view.boards)) {
    const array = name.replace(/^weight /, "");
    const reads = name === "x" || name === "dy" || name.startsWith("weight ") ? number.reads[array] : undefined;
    const listed = number.terms.flatMap((term) => term.factors)
      .filter((factor) => (factor.index.length ? factor.index.length === board.array.shape.length : false))
      .filter((factor) => factor.name === array).map((factor) => flatOf(factor.index, board.array.shape));
    board.frame(reads ?? null, listed);
  }
}

async function weightOf({ place, array, index }) {
  const held = (await parametersOf(scene.card.name))[`${place}.${array}`];
  return held ? held.data[flatOf(index, held.shape)] : null;
}

/** Numbers as whole multiples of one power of ten, so that what is shown adds up exactly. */
function rounded(values) {
  const most = Math.max(...values.map(Math.abs));
  const power = most > 0 ? Math.floor(Math.log10(most)) : 0;
  const shift = power < -4 || power > 5 ? power : 0; // shown in the head of the column
  const digits = Math.max(0, 4 - (power - shift));
  const whole = values.map((value) => Math.round((value / 10 ** shift) * 10 ** digits));
  const show = (number) => (number / 10 ** digits).toFixed(digits).replace("-", "−").replace(/^−(0\.?0*)$/, "$1");
  return { whole, show, shift };
}

/** The table of the terms, of the others together, and of the sum. */
export function termsTable(number, id = "terms") {
  const { whole, show, shift } = rounded([number.value, ...number.terms.map((term) => term.value)]);
  const [sum, ...parts] = whole;
  const rest = sum - parts.reduce((a, b) => a + b, 0);
  const zeros = number.zeros - number.terms.filter((term) => term.value === 0).length; // that are not listed
  const hidden = number.count - number.terms.length - zeros;
  const line = (className, ...cells) => make("tr", { className }, ...cells.map((cell, at) => make(at ? "td" : "th", at ? {} : { scope: "row" }, cell)));
  const lines = number.terms.map((term, at) => line("",
    term.factors.map((factor) => nameFactor(factor)).join(" · "),
    term.factors.map((factor) => (factor.value < 0 ? `(${short(factor.value)})` : short(factor.value))).join(" · "),
    show(parts[at])));
  if (hidden > 0) lines.push(line("rest", t("otherTerms", hidden.toLocaleString()), "", show(rest)));
  else if (rest) lines.push(line("rest", t("rounding"), "", show(rest)));
  lines.push(line("sum", called(number), "", show(sum)));
  const valueHead = shift ? `${t("valueHead")} · 1e${shift}`.replace("-", "−") : t("valueHead");
  const head = make("tr", {}, ...[t("termHead"), t("factorHead"), valueHead].map((text) => make("th", { scope: "col" }, text)));
  return make("div", { className: "wide", tabIndex: 0 }, make("table", { id, className: "terms" }, make("thead", {}, head), make("tbody", {}, ...lines)));
}

export function nameFactor({ name, index }) {
  return index.length ? `${NAMES[name] ?? name}[${index.join(",")}]` : (NAMES[name] ?? name);
}

function tellNumber(number, weight) {
  const place = number.place === LOSS ? "" : `${number.place}: `;
  const told = [make("h4", {}, `${place}${called(number)} = ${short(number.value)}`)];
  if (number.count > 1) told.push(make("p", {}, t("ofTerms", number.count.toLocaleString(), number.zeros.toLocaleString())));
  else told.push(make("p", {}, t(number.count ? "ofOneTerm" : "ofNoTerm")));
  if (number.count) {
    const [term] = number.terms;
    if (number.count === 1 && term.factors.length > 1) told.push(make("div", { className: "formula" }, productOf(number, term)));
    told.push(termsTable(number));
  }
  told.push(...(number.array === "dx" || number.array === "dlogits" ? tellOnward(number) : tellWeight(number, weight)));
  const key = writeElement(number.place, number.array, number.index);
  const pinned = state.pin === key;
  told.push(make("p", { className: "row" },
    number.onward && make("button", { type: "button", id: "follow", className: "main", onclick: () => follow(number.onward) }, t("follow")),
    make("button", { type: "button", id: "pin", onclick: () => { change({ pin: pinned ? "" : key, weight: key }); showChosen(); } }, t(pinned ? "unpin" : "pin"))));
  return told;
}

function productOf(number, term) {
  const side = term.factors.map((factor) => `"${short(factor.value)}"`).join(" · ");
  return maths(`"${called(number)}" = ${side} = "${short(number.value)}"`);
}

function tellOnward(number) {
  const { onward, goes_into: into } = number;
  if (!onward) {
    const first = scene.walk.places[0]?.name === number.place;
    return [make("p", {}, t(first ? "goesToInput" : "goesToSum"))];
  }
  if (!into) return [make("p", {}, t("goesNowhere", onward.place))];
  const [what, value] = [called(onward), short(onward.value)];
  return [make("p", {}, into === 1 ? t("goesToOne", onward.place, what, value)
    : t("goesTo", into.toLocaleString(), onward.place, what, value))];
}

function tellWeight(number, weight) {
  if (weight === null || weight === undefined) return [make("div", { id: "check" }, make("p", {}, t("sharedWeight")))];
  const step = t("goesToWeight", short(weight), short(number.value), short(weight - 0.1 * number.value));
  return [make("p", {}, step), makeCheck(`${number.place}.${number.array}`, number.index)];
}

/** To the place of an element, with it chosen. */
export function follow({ place, array, index }) {
  if (!scene.walk) return; // another drawing is on its way
  const { places } = scene.walk;
  const at = places.findIndex((one) => one.name === place);
  change({ stage: place === LOSS ? 1 : places.length - at + 1, weight: writeElement(place, array, index) });
  view?.panel.focus();
}

/** The path that is pinned, as buttons; `mark` gets its steps, so that the bricks can show them. */
export async function showPath(strip, mark) {
  const element = readElement(state.pin);
  const { walk } = scene;
  const leave = () => { strip.hidden = true; strip.replaceChildren(); mark([]); };
  if (!element || !walk) return leave();
  try {
    const { path } = await numberOf(element.place, element.array, element.index);
    if (scene.walk !== walk || state.pin !== writeElement(element.place, element.array, element.index)) return undefined;
    const chosen = readElement(state.weight);
    const steps = path.map((step, at) => {
      const name = step.place === LOSS ? t(predictsNumbers() ? "s_outputs" : "s_logits") : step.place;
      const button = make("button", { type: "button", onclick: () => follow(step) }, make("b", {}, name), ` ${called(step)} = ${short(step.value)}`);
      if (chosen?.place === step.place && chosen.array === step.array) button.setAttribute("aria-current", "step");
      return make("li", {}, at ? make("span", {}, `· ${short(step.factor)} →`) : null, button);
    });
    strip.hidden = false;
    strip.replaceChildren(
      make("p", { className: "row" }, t("pathTitle", `${element.place}: ${called(element)}`),
        make("button", { type: "button", id: "unpin", onclick: () => { change({ pin: "" }); showChosen(); } }, t("unpin"))),
      make("ol", { className: "stages" }, ...steps));
    mark(path);
  } catch {
    change({ pin: "" }); // of another network
    leave();
  }
  return undefined;
}

/** Forget what is looked at: another stage is shown. */
export function lookAway() {
  asked += 1;
  view = null;
}
