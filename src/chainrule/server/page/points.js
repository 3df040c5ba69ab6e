// Points of the plane as text for the address: {x, y, klass, held}.

export const MOST_POINTS = 600;

/** "12,-30,1" a point, in hundredths; classes 3 to 5 are 0 to 2 of points held out. */
export function encode(list) {
  return list.map(({ x, y, klass, held }) => [Math.round(100 * x), Math.round(100 * y), klass + (held ? 3 : 0)].join(",")).join(";");
}

export function decode(text) {
  const read = text.split(";").filter((part) => /^-?\d{1,3},-?\d{1,3},[0-5]$/.test(part)).slice(0, MOST_POINTS);
  return read.map((part) => part.split(",").map(Number)).filter(([x, y]) => Math.max(Math.abs(x), Math.abs(y)) <= 200)
    .map(([x, y, klass]) => ({ x: x / 100, y: y / 100, klass: klass % 3, held: klass > 2 }));
}
