// The place "Compare": two networks or two moments of a training on the same input, and the loss along a line.

import { ask, askAbout } from "./api.js";
import { lineUp, make, makeBrick, title } from "./bricks.js";
import { drawChart } from "./chart.js";
import { short } from "./colours.js";
import { $ } from "./dom.js";
import { bars, sentence } from "./draw.js";
import { fits, on, predictsNumbers, scene, trueLabel, unpackWalk } from "./scene.js";
import { tilesOfPlace, visible } from "./sequence.js";
import { change, onChange, state } from "./state.js";
import { showSurface } from "./surface.js";
import { t } from "./text.js";
import { nameOf } from "./words.js";

const MOST_STEPS = 8; // of a training that are offered
const [LOW, HIGH] = [-0.5, 1.5];
const DIGITS = 200;
const SIDES = ["a", "b"];
let sides = {}; // {select, told, row} by name
let way = "between";
let busy = false;
let again = false;

export function startCompare() {
  for (const name of SIDES) {
    const select = make("select", { id: `side-${name}`, onchange: () => change({ [name]: select.value }) });
    const label = make("label", { className: "field" }, make("b", {}), " ", select);
    const told = make("div", { role: "status" });
    const row = make("div", { className: "bricks", tabIndex: 0, role: "group" });
    sides[name] = { select, label, told, row };
    $("sides").append(make("article", {}, label, told, row));
  }
  $("line-way").addEventListener("change", () => {
    way = $("line-way").value;
    showCompare();
  });
  on("walk", showCompare);
  on("model", showCompare);
  on("trained", showCompare);
  onChange((names) => {
    if (SIDES.some((name) => names.has(name))) showCompare();
  });
}

/** Everything once more; while it is being asked for, the next request waits for the end. */
export async function showCompare() {
  if (state.place !== "compare" || !scene.card) return;
  again = busy;
  if (busy) return;
  busy = true;
  try {
    await showChoices();
    showSurface({ models: Object.fromEntries(SIDES.map((name) => [name, sides[name].select.value])), label: scene.walk ? rightLabel() : "" });
    await Promise.all([...SIDES.map(showSide), showLine()]);
  } finally {
    busy = false;
  }
  if (again) showCompare();
}

/** The networks that can be chosen: those that are served, and some steps of each training. */
async function showChoices() {
  const trainings = (await ask("/api/training").catch(() => [])).filter((one) => one.snapshots.length);
  const option = (value, words) => make("option", { value }, words);
  const groups = () => [
    make("optgroup", { label: t("served") }, ...scene.models.filter((card) => !card.name.startsWith("training:")).map((card) => option(card.name, card.name))),
    ...trainings.map(({ id, snapshots, settings }) => {
      const every = Math.ceil(snapshots.length / MOST_STEPS);
      const some = snapshots.filter((_, at) => at % every === 0);
      const chosen = SIDES.map((name) => state[name]).map((name) => name.split(":")).filter(([, one, step]) => one === id && step).map(([, , step]) => Number(step));
      const steps = [...new Set([...some, ...chosen])].sort((one, two) => one - two);
      return make("optgroup", { label: t("trainingOf", id, settings.network) }, option(`training:${id}`, t("newestStep")),
        ...steps.map((step) => option(`training:${id}:${step}`, t("stepOf", step.toLocaleString()))));
    }),
  ];
  const first = trainings.length ? [`training:${trainings.at(-1).id}:${trainings.at(-1).snapshots[0]}`, `training:${trainings.at(-1).id}`] : [];
  SIDES.forEach((name, index) => {
    const { select, label, row } = sides[name];
    label.firstElementChild.textContent = t("sideOf", name.toUpperCase());
    row.setAttribute("aria-label", t("bricksLabel"));
    select.replaceChildren(...groups());
    const other = scene.models.find((card) => card.kind === scene.card.kind && card.name !== scene.card.name);
    const usual = first[index] ?? (index && other ? other.name : scene.card.name);
    select.value = state[name];
    if (!select.value) select.value = usual;
  });
  $("line-way").replaceChildren(...["between", "a", "b"].map((one) => option(one, t(`way_${one}`))));
  $("line-way").value = way;
}

/** The label that the loss is for: what was chosen, what the input is, or what the network in use says. */
function rightLabel() {
  const { card, input, prediction } = scene;
  if (predictsNumbers() || card.labels.includes(state.label)) return trueLabel();
  return card.labels.includes(input.truth) ? input.truth : prediction.label;
}

/** The card of a network, and whether it answers what is asked of the input. */
async function cardOf(name) {
  const card = scene.models.find((one) => one.name === name) ?? await ask(`/api/model?${new URLSearchParams({ model: name })}`);
  const answers = card.answers === scene.card.answers && (predictsNumbers() || card.labels.includes(rightLabel()));
  return { ...card, suits: fits(scene.input, card) && answers };
}

/** Whether the networks have the same layers. */
function alike(one, other) {
  const layers = ({ bricks }) => JSON.stringify(bricks.map(({ layer, output_shape: shape }) => [layer, shape]));
  return layers(one) === layers(other) && String(one.input_shape) === String(other.input_shape);
}

/** What one of the two makes of the input. */
async function showSide(name) {
  const { select, told, row } = sides[name];
  if (!scene.walk) {
    told.replaceChildren(make("p", { className: "hint" }, t(scene.card.kind === "text" ? "needPrompt" : "needInput")));
    row.replaceChildren();
    return;
  }
  const { input } = scene;
  const query = { model: select.value, label: rightLabel() };
  try {
    if (!(await cardOf(query.model)).suits) throw new Error(t("otherInput", nameOf(query.model)));
    const [prediction, packed] = await Promise.all([askAbout(input, "/api/predict", { model: query.model }), askAbout(input, "/api/trace", query)]);
    const walk = unpackWalk(packed);
    told.replaceChildren(make("p", { className: "said" }, `${nameOf(query.model)}: ${sentence(prediction)}`),
      make("p", {}, t("lossOf", prediction.tokens ? visible(walk.label) : walk.label, short(walk.loss))),
      make("ul", { className: "bars" }, ...bars(prediction)));
    lineUp(row, walk.places.filter((place) => !place.nested).map((place) => {
      const brick = makeBrick({ name: place.name, heading: title(place), shape: place.y.shape, size: 96 });
      brick.board.show(place.y, { tiles: tilesOfPlace(place.y, walk, null) });
      return brick;
    }), "→");
  } catch (error) {
    told.replaceChildren(make("p", { className: "wrong" }, error.message));
    row.replaceChildren();
  }
}

/** The loss of this input along the line, and then that of test digits, which takes longer. */
async function showLine() {
  $("line-caption").textContent = t("lineTitle");
  if (!scene.walk) {
    $("line-chart").replaceChildren();
    $("line-words").textContent = "";
    return;
  }
  const [from, to] = way === "b" ? ["b", null] : ["a", way === "a" ? null : "b"];
  const query = { model: sides[from].select.value, label: rightLabel(), low: LOW, high: HIGH, points: 41 };
  if (to) query.other = sides[to].select.value;
  const { input } = scene;
  try {
    const cards = await Promise.all([query.model, query.other ?? query.model].map(cardOf));
    if (!alike(...cards) || !cards[0].suits) throw new Error(alike(...cards) ? "" : t("differentLayers"));
    drawLine(await askAbout(input, "/api/line", query));
    if (scene.card.kind === "digit") drawLine(await askAbout(input, "/api/line", { ...query, points: 21, digits: DIGITS }));
  } catch (error) {
    $("line-chart").replaceChildren();
    $("line-words").textContent = error.message;
  }
}

function drawLine(line) {
  const { positions, loss, digits_loss: digits, slope, rate } = line;
  const points = (values) => positions.map((position, at) => [position, values[at]]).filter(([, value]) => value !== null);
  const zero = positions.findIndex((position) => Math.abs(position) < 1e-9);
  const here = loss[zero] ?? 0;
  const tangent = positions.map((position) => [position, here + slope * position]).filter(([, value]) => value >= 0 && value < 3 * here);
  const curves = [
    { name: t("lineInput"), className: "a", points: points(loss) },
    ...(digits.length ? [{ name: t("lineDigits", line.digits), className: "b", points: points(digits) }] : []),
    { name: t("lineTangent"), className: "tangent", points: tangent },
  ];
  drawChart($("line-chart"), curves, { first: LOW, at: 0, format: (value) => String(Number(value.toPrecision(3))), across: (position) => position.toFixed(1).replace("-", "−") });
  $("line-words").textContent = rate === null ? t("betweenWords", short(slope)) : t("gradientWords", short(slope), short(rate));
}
