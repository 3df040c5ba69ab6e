// The network as bricks from left to right, each with an array shown in it; used by "Inside" and "Backward".

import { Board } from "./board.js";
import { t } from "./text.js";

/** Elements by a short notation: make("p", {className: "hint"}, "text", child). */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** What an element holds from now on; null and undefined are left out. */
export function fill(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
}

/** "Scale(0.00392156862745098)" -> "Scale(0.00392)": what stands on the brick. */
export function title(place) {
  const text = place.layer.replace(/\d+\.\d{4,}/g, (number) => String(Number(Number(number).toPrecision(3))));
  return text.length > 26 ? `${place.kind}(…)` : text;
}

/** A brick with a board in it, or a strip of tokens (then its board is null). */
export function makeBrick({ name, heading, shape, nested = false, onOpen = null, onPoint = null, size = 132, strip = null }) {
  const board = strip ? null : new Board({ size, label: heading, onPoint, onPick: onOpen ? () => onOpen(name) : null });
  const head = onOpen
    ? make("button", { type: "button", className: "head", onclick: () => onOpen(name) }, heading)
    : make("span", { className: "head" }, heading);
  if (onOpen) head.setAttribute("aria-label", t("open", heading));
  const element = make(
    "div",
    { className: nested ? "brick nested" : "brick" },
    head,
    make("span", { className: "shape" }, shape.join("×")),
    board?.canvas ?? strip,
  );
  element.dataset.name = name;
  return { element, board, head };
}

/** The bricks in a row, with arrows between; where there are more than fit, buttons at its ends say so and scroll. */
export function lineUp(row, bricks, arrow) {
  const ends = [{ className: "back", sign: "‹", way: -1 }, { className: "on", sign: "›", way: 1 }].map(({ className, sign, way }) => make("button", {
    type: "button", className: `more ${className}`, tabIndex: -1, ariaLabel: t(way < 0 ? "moreLeft" : "moreRight"),
    onclick: () => row.scrollBy({ left: way * 0.8 * row.clientWidth }),
  }, sign));
  const parts = bricks.flatMap((brick, index) => (index ? [make("span", { className: "arrow", ariaHidden: "true" }, arrow), brick.element] : [brick.element]));
  row.replaceChildren(ends[0], ...parts, ends[1]);
  const cue = () => {
    ends[0].hidden = row.scrollLeft < 2;
    ends[1].hidden = row.scrollLeft + row.clientWidth > row.scrollWidth - 2;
  };
  row.onscroll = cue;
  watched.get(row)?.disconnect();
  watched.set(row, new ResizeObserver(cue));
  watched.get(row).observe(row);
}

const watched = new WeakMap(); // rows of bricks

/** A table of names and values. */
export function facts(rows) {
  return make("table", { className: "facts" }, make("tbody", {}, ...rows.map(([name, ...values]) =>
    make("tr", {}, name ? make("th", { scope: "row" }, name) : make("td"), ...values.map((value) => make("td", {}, value))))));
}

/** The picture's shape where a place's input is one, seen through Flatten and Scale: for weights as pictures. */
export function pictureBefore(places, index, inputShape) {
  for (let i = index; i >= 0; i--) {
    const { x } = places[i];
    if (x.shape.length === 3) return x.shape;
    if (i && !["Flatten", "Scale", "Standardize", "Dropout"].includes(places[i - 1].kind)) return null;
  }
  if (inputShape.length === 1 && inputShape[0] === 784) return [1, 28, 28];
  return inputShape.length === 3 ? inputShape : null;
}
