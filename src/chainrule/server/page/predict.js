// An exercise: one number of the forward or backward pass is asked for, with the few numbers that make it.

import { askAbout } from "./api.js";
import { Board, indexOf } from "./board.js";
import { fill, make } from "./bricks.js";
import { formulasOf, LOGITS_FORMULA, SQUARES_GRADIENT } from "./formulas.js";
import { maths } from "./maths.js";
import { called, flatOf, LOSS, nameFactor, numberOf, termsTable } from "./number.js";
import { predictsNumbers, sampleInput, scene, tell } from "./scene.js";
import { namesOf, tilesOfPlace } from "./sequence.js";
import { arrive, digits, nextButton, numbersOf, oneOf, task, written } from "./task.js";
import { has, t } from "./text.js";

const SAME = ["Flatten", "Reshape", "Transpose", "Dropout", "Pad", "Slice"]; // dx is dy: nothing to compute
const LINEAR = ["Affine", "Conv2D", "Conv1D", "PointwiseAffine"];
const [LISTED, TRIES] = [3, 20];
const [OFF, ROUNDED] = [0.01, 0.001]; // what an answer may be off: of the number, and of its terms, which are shown with four digits
const score = { right: 0, of: 0 };
let asked = 0;

/** The numbers that can be asked for, by kind. */
function candidates() {
  const { walk } = scene;
  const found = { loss: [{ place: LOSS, array: "dlogits", values: walk.dlogits }], dx: [], dW: [], y: [] };
  for (const place of walk.places) {
    for (const array of SAME.includes(place.kind) ? [] : place.explained) {
      const values = array === "dx" ? place.dx : place.gradients.find(([name]) => name === array)[1];
      found[array === "dx" ? "dx" : "dW"].push({ place: place.name, array, values, of: place });
    }
    if (LINEAR.includes(place.kind)) found.y.push({ place: place.name, array: "y", values: place.y, of: place });
  }
  return Object.values(found).filter((list) => list.length);
}

/** What the exercise asks for: a number that is no rounding error of its terms. */
async function choose() {
  const random = numbersOf(task());
  for (let tries = 0; tries < TRIES; tries++) {
    const chosen = oneOf(oneOf(candidates(), random), random);
    const masked = chosen.of?.kind === "ReLU"; // what the mask stops is asked for too
    const { shape } = chosen.values;
    const { data } = masked ? chosen.of.dy : chosen.values;
    const flat = oneOf(Array.from(data.keys()).filter((at) => data[at] !== 0), random);
    if (flat === undefined) continue;
    const index = indexOf(flat, shape);
    const number = few(chosen.array === "y" ? await unitOf(chosen, flat, index) : await numberOf(chosen.place, chosen.array, index));
    const copied = number.count < 2 && number.terms[0]?.factors.length < 2;
    if (masked) return { ...chosen, number, mask: ["y", index, chosen.of.y.data[flat]] };
    if (number.count && !copied && Math.abs(number.value) > 0.05 * sizes(number)) return { ...chosen, number };
  }
  return null;
}

/** The sizes of the terms together. */
function sizes({ terms, rest }) {
  return terms.reduce((sum, term) => sum + Math.abs(term.value), Math.abs(rest));
}

/** A unit's value as a sum like those of the gradients. */
async function unitOf({ place, of }, flat, index) {
  const unit = await askAbout(sampleInput(), "/api/unit", { model: scene.card.name, place, unit: String(flat) });
  const weight = (at) => (of.kind === "Affine" ? [...at, ...index] : []);
  const terms = unit.terms.map((term) => ({
    factors: [{ name: "x", index: term.index, value: term.x }, { name: "W", index: weight(term.index), value: term.slope }],
    value: term.x * term.slope,
  })).sort((one, other) => Math.abs(other.value) - Math.abs(one.value)).filter((term) => term.value !== 0);
  if (unit.bias) terms.unshift({ factors: [{ name: "b", index: index.slice(0, 1), value: unit.bias }], value: unit.bias });
  const sum = terms.reduce((total, term) => total + term.value, 0);
  const count = Math.max(terms.length, unit.count + (unit.bias ? 1 : 0));
  return { place, array: "y", index, value: unit.value, terms, count, zeros: 0, rest: unit.value - sum, reads: {} };
}

/** The same number with its largest terms alone; the others are one number. */
function few(number) {
  const terms = number.terms.length > LISTED + 1 ? number.terms.slice(0, LISTED) : number.terms;
  const rest = number.value - terms.reduce((sum, term) => sum + term.value, 0);
  return { ...number, terms, rest: others({ ...number, terms }) > 0 ? rest : 0 };
}

/** How many terms are not listed and not 0. */
function others({ count, zeros, terms }) {
  return count - terms.length - Math.max(0, zeros - terms.filter((term) => term.value === 0).length);
}

export async function showPredict(box) {
  const mine = ++asked;
  const { walk } = scene;
  let chosen = null;
  try {
    chosen = await choose();
  } catch (error) {
    if (mine === asked && scene.walk === walk) tell("problem", error);
    return;
  }
  if (mine !== asked || scene.walk !== walk) return;
  if (!chosen) {
    fill(box, make("p", {}, t("predictNone")), nextButton());
    return;
  }
  const { number } = chosen;
  const guess = make("input", { id: "guess", autocomplete: "off", spellcheck: false, inputMode: "text" });
  const told = make("div", { id: "told", role: "status" });
  const points = make("span", { className: "hint" }, score.of ? t("score", score.right, score.of) : "");
  const next = nextButton();
  const answer = (verdict) => {
    guess.readOnly = true;
    for (const button of form.querySelectorAll("button:not(#next-task)")) button.disabled = true;
    if (verdict !== "predictShown") score.right += Number(verdict === "predictRight");
    score.of += 1;
    points.textContent = t("score", score.right, score.of);
    fill(told, make("p", { className: verdict === "predictRight" ? "right" : "said" }, t(verdict, digits(number.value), guess.value.trim())), termsTable(number, "solution"));
    next.focus();
  };
  const form = make("form", { className: "row" },
    make("label", { className: "field" }, `${called(number)} = `, guess),
    make("button", { className: "main", id: "compare-guess" }, t("predictCheck")),
    make("button", { type: "button", id: "show-answer", onclick: () => answer("predictShown") }, t("showAnswer")), next, points);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (guess.readOnly) return;
    const value = written(guess.value);
    guess.setAttribute("aria-invalid", String(value === null));
    if (value === null) fill(told, make("p", { className: "wrong" }, t("predictNotNumber")));
    else answer(judge(value, number));
  });
  fill(box,
    make("h3", {}, t("predictTitle", number.place === LOSS ? t("predictLoss") : number.place, called(number)),
      " ", make("small", {}, t("taskNumber", task()))),
    formula(chosen), make("p", { className: "hint" }, t("predictHint")), given(chosen), form, told, read(chosen));
  arrive(guess);
}

/** What is right or wrong about an answer: the name of a text. */
export function judge(answer, number) {
  const allowed = OFF * Math.abs(number.value) + ROUNDED * sizes(number);
  const near = (value) => Math.abs(answer - value) <= allowed;
  if (near(number.value)) return "predictRight";
  if (near(-number.value)) return "predictSign";
  if (number.rest && near(number.value - number.rest)) return "predictRest";
  const power = Math.round(Math.log10(Math.abs(answer / number.value)));
  if (Number.isFinite(power) && power && Math.abs(answer / 10 ** power - number.value) <= allowed) return "predictPoint";
  return "predictWrong";
}

function formula({ place, array, of }) {
  if (place === LOSS) return make("div", { className: "formula" }, maths(predictsNumbers() ? SQUARES_GRADIENT : LOGITS_FORMULA));
  if (array === "y") return make("p", { className: "maths" }, t(has(`f_${of.kind}`) ? `f_${of.kind}` : "f_other"));
  const own = formulasOf(of.kind).filter((notation) => notation.startsWith(called({ array, index: [] })));
  return make("div", {}, ...own.map((notation) => make("div", { className: "formula" }, maths(notation))));
}

/** The numbers that it is made of; of a mask, the output that decides. */
function given({ number, mask }) {
  const signed = (value, at, all) => (value < 0 && all.length > 1 ? `(${digits(value)})` : digits(value));
  const rows = mask
    ? [...number.terms[0].factors.filter(({ name }) => name === "dy").map((factor) => [nameFactor(factor), digits(factor.value)]), [nameFactor({ name: mask[0], index: mask[1] }), digits(mask[2])]]
    : number.terms.map(({ factors }) => [factors.map(nameFactor).join(" · "), factors.map(({ value }) => value).map(signed).join(" · ")]);
  if (number.rest) rows.push([t("otherTermsAre", others(number).toLocaleString()), digits(number.rest)]);
  return make("div", { className: "wide", tabIndex: 0 }, make("table", { id: "given", className: "facts" }, make("tbody", {},
    ...rows.map(([name, value], at) => make("tr", {}, make("th", { scope: "row" }, at && !mask ? `+ ${name}` : name), make("td", {}, value))))));
}

/** The arrays that the listed numbers were read from, with these outlined. */
function read({ array, of, number }) {
  if (!of) return null;
  const names = namesOf(scene.prediction);
  const figures = ["x", ...(array === "y" || !of.dy ? [] : ["dy"])].map((name) => {
    const values = of[name];
    const board = new Board({ size: 200, width: 460, label: name, onPoint: () => {} });
    board.show(values, { tiles: tilesOfPlace(values, scene.walk, names), rooted: name === "dy" });
    const listed = number.terms.flatMap((term) => term.factors)
      .filter((factor) => factor.name === name && factor.index.length === values.shape.length).map(({ index }) => flatOf(index, values.shape));
    const reads = number.reads[name] ?? listed;
    if (!reads.length) return null;
    board.frame(reads, listed);
    return make("figure", {}, make("figcaption", {}, `${name} ${values.shape.join("×")}`), board.canvas);
  });
  return make("div", { className: "columns" }, ...figures.filter(Boolean));
}
