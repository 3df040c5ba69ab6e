// Strokes of the drawing as text for the address, and back.
//
// Strokes as text: two letters a coordinate; strokes are divided by dots.
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Strokes (lists of [x, y]) as text. */
export function encode(list) {
  const letter = (value) => {
    const at = Math.max(0, Math.min(279, value));
    return LETTERS[at >> 6] + LETTERS[at & 63];
  };
  return list.map((stroke) => thin(stroke).map(([x, y]) => letter(x) + letter(y)).join("")).join(".");
}

/** The strokes of a text; what is none is left out. */
export function decode(text) {
  const value = (a, b) => 64 * LETTERS.indexOf(a) + LETTERS.indexOf(b);
  return text.split(".").filter((part) => /^[\w-]+$/.test(part) && part.length % 4 === 0).map((part) => {
    const points = [];
    for (let i = 0; i < part.length; i += 4) points.push([value(part[i], part[i + 1]), value(part[i + 2], part[i + 3])]);
    return points;
  });
}

/** Fewer points: those nearer than five pixels to the last are left out. */
function thin(stroke) {
  const kept = [stroke[0]];
  for (const point of stroke) if (Math.hypot(point[0] - kept.at(-1)[0], point[1] - kept.at(-1)[1]) >= 5) kept.push(point);
  return kept;
}
