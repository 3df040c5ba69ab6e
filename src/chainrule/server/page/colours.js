// One palette for everything: blue above zero, orange below (Okabe and Ito 2008), the paper's colour at zero.

const LIGHT = { paper: [255, 255, 255], above: [0, 114, 178], below: [213, 94, 0] };
const DARK = { paper: [30, 33, 38], above: [104, 190, 245], below: [255, 150, 80] };

function palette() {
  return document.documentElement.dataset.theme === "dark" ? DARK : LIGHT;
}

/** value / most in -1..1 -> [red, green, blue]. `rooted` shows small values as well: cube roots. */
export function colour(value, most, rooted = false) {
  const { paper, above, below } = palette();
  let share = most > 0 ? Math.max(-1, Math.min(1, value / most)) : 0;
  if (!Number.isFinite(share)) share = 0;
  if (rooted) share = Math.cbrt(share);
  const end = share < 0 ? below : above;
  const much = Math.abs(share);
  return paper.map((from, i) => Math.round(from + (end[i] - from) * much));
}

/** The largest size of an array's numbers. */
export function largest(data) {
  let most = 0;
  for (const value of data) if (Math.abs(value) > most) most = Math.abs(value);
  return most;
}

/** A number as a reader wants it. */
export function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  if (size >= 1e5 || size < 1e-3) return value.toExponential(2).replace("e-", "e−").replace("-", "−").replace("e+", "e");
  return value.toPrecision(size < 1 ? 3 : 4).replace("-", "−");
}
