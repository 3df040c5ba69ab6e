// The number of an exercise, which the address keeps, and what goes on to the next.

import { make } from "./bricks.js";
import { change, state } from "./state.js";
import { t } from "./text.js";

let goesOn = false;

export function task() {
  return /^\d{1,9}$/.test(state.task) ? Number(state.task) : 1;
}

/** A button that goes on to the next exercise. */
export function nextButton() {
  const onclick = () => {
    goesOn = true;
    change({ task: task() + 1 });
  };
  return make("button", { type: "button", id: "next-task", onclick }, t("nextTask"));
}

/** The element that is to be used first has the focus, where somebody came from the exercise before. */
export function arrive(element) {
  if (goesOn) element.focus();
  goesOn = false;
}

/** Numbers in 0..1 that are always the same for one exercise (mulberry32, Tommy Ettinger 2017). */
export function numbersOf(seed) {
  let at = seed;
  return () => {
    at = (at + 0x6d2b79f5) | 0;
    let mixed = Math.imul(at ^ (at >>> 15), 1 | at);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** One of a list. */
export function oneOf(list, random) {
  return list[Math.floor(random() * list.length)];
}

/** A number that someone wrote, with a comma or a true minus sign too; null of anything else. */
export function written(text) {
  const plain = text.trim().replace(/[−–]/g, "-").replace(",", ".");
  return plain !== "" && Number.isFinite(Number(plain)) ? Number(plain) : null;
}

/** A number with enough digits to compute with. */
export function digits(value, count = 4) {
  const size = Math.abs(value);
  if (value === 0) return "0";
  const text = size >= 1e5 || size < 1e-3 ? value.toExponential(count - 1).replace("e+", "e") : value.toPrecision(count);
  return text.replaceAll("-", "−");
}
