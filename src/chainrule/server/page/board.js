// An array as a picture: a tile for each channel or unit, a cell for each number. Cells can be pointed at, and walked
// with the arrow keys; some can be marked, and rows and columns named where there is room.

import { colour, largest, short } from "./colours.js";

/** How an array of this shape is laid out: `count` tiles of `rows` x `columns`, and which number a cell shows. */
export function tilesOf(shape) {
  if (shape.length === 3) {
    const [count, rows, columns] = shape;
    return { count, rows, columns, at: (tile, row, column) => (tile * rows + row) * columns + column };
  }
  const size = shape.reduce((a, b) => a * b, 1);
  if (shape.length === 2) return { count: 1, rows: shape[0], columns: shape[1], at: (_, r, c) => r * shape[1] + c };
  const side = Math.sqrt(size); // 784 is a picture written in one row
  const columns = size <= 12 ? 1 : Number.isInteger(side) ? side : Math.ceil(Math.sqrt(size * 0.6));
  const rows = Math.ceil(size / columns);
  return { count: 1, rows, columns, at: (_, r, c) => (r * columns + c < size ? r * columns + c : -1) };
}

/** A sequence (T, D): a column for each step, with its name, and a row for each unit. */
export function tilesOfSteps(shape, names = null) {
  const [steps, units] = shape;
  const at = (_, row, column) => column * units + row;
  return { count: 1, rows: units, columns: steps, at, stretch: true, columnNames: names, tell: names && (([step]) => names[step]) };
}

/** A map (to, from) of attention: a row for each step that takes, a column for each that is taken from. */
export function tilesOfMap(shape, names = null) {
  const [rows, columns] = shape;
  const at = (_, row, column) => row * columns + column;
  return { count: 1, rows, columns, at, rowNames: names, columnNames: names, tell: names && (([to, from]) => `${names[to]} ← ${names[from]}`) };
}

/** The same for weights: a picture for each unit of an Affine after a picture, a kernel a tile of a convolution. */
export function tilesOfWeights(shape, picture) {
  if (shape.length === 4) {
    const [filters, channels, rows, columns] = shape;
    const at = (tile, row, column) => (tile * rows + row) * columns + column;
    return { count: filters * channels, rows, columns, at, wide: channels > 1 ? channels : undefined };
  }
  if (shape.length === 2 && picture && picture.length === 3 && picture[0] === 1) {
    const [, rows, columns] = picture;
    return { count: shape[1], rows, columns, at: (tile, row, column) => (row * columns + column) * shape[1] + tile };
  }
  if (shape.length === 2) {
    return { count: 1, rows: shape[1], columns: shape[0], at: (_, row, column) => column * shape[1] + row };
  }
  return tilesOf(shape);
}

/** The place of a number within its array. */
export function indexOf(flat, shape) {
  const index = [];
  for (const length of [...shape].reverse()) {
    index.unshift(flat % length);
    flat = Math.floor(flat / length);
  }
  return index;
}

const MOST_MARKS = 60; // cells of an array that are marked at the same time
const NAMES = 14; // pixels for the names of rows or columns
const NAMED = 8; // of a cell, from which on there is room for a name

/** The side of a cell, so many of which have to fit. */
function fit(space, cells) {
  const side = Math.min(space / cells, 16);
  return side >= 1 ? Math.floor(side) : side;
}

export class Board {
  array; tiles; most; rooted; size; width; least; strong; cell; left; shown; gap; across; down; picture;

  /** `size`: the longest side in pixels, of a sequence its height, `width` then its width. `onPoint` and `onPick` get the
   * number's place, or null. */
  constructor({ size = 140, width = size, label = "", onPoint = null, onPick = null }) {
    Object.assign(this, { size, width });
    this.canvas = document.createElement("canvas");
    this.canvas.className = "board";
    this.onPoint = onPoint;
    this.onPick = onPick;
    this.cursor = null;
    this.marks = this.reads = null;
    this.label = label;
    this.canvas.setAttribute("role", "img");
    if (onPoint || onPick) {
      this.canvas.tabIndex = 0;
      this.canvas.addEventListener("pointermove", (event) => this.#point(this.#under(event)));
      this.canvas.addEventListener("pointerleave", () => this.#point(null));
      this.canvas.addEventListener("click", (event) => this.onPick?.(this.#under(event)));
      this.canvas.addEventListener("keydown", (event) => this.#key(event));
    }
  }

  show(array, { tiles = tilesOf(array.shape), most = largest(array.data), rooted = false } = {}) {
    Object.assign(this, { array, tiles, most, rooted });
    const { count, rows, columns, wide } = tiles;
    const gap = count > 1 ? 1 : 0;
    this.across = wide ?? Math.min(count, Math.max(1, Math.round(Math.sqrt((count * (rows + gap)) / (columns + gap)))));
    this.down = Math.ceil(count / this.across);
    const width = this.across * (columns + gap) - gap;
    const height = this.down * (rows + gap) - gap;
    this.gap = gap;
    const long = Math.max(width, height);
    this.cell = tiles.stretch ? [fit(this.width, width), fit(this.size, height)] : [fit(this.size, long), fit(this.size, long)];
    const room = this.cell[0] >= NAMED;
    this.left = tiles.rowNames && room ? NAMES : 0;
    this.shown = [width, height].map((cells, axis) => Math.max(1, Math.round(cells * this.cell[axis])));
    this.canvas.width = this.left + this.shown[0];
    this.canvas.height = this.shown[1] + (tiles.columnNames && room ? NAMES : 0);
    this.picture = new OffscreenCanvas(width, height);
    const context = this.picture.getContext("2d");
    const pixels = context.createImageData(width, height);
    this.#each((flat, x, y) => {
      const [red, green, blue] = flat < 0 ? [128, 128, 128] : colour(array.data[flat], most, rooted);
      pixels.data.set([red, green, blue, flat < 0 ? 0 : 255], 4 * (y * width + x));
    });
    context.putImageData(pixels, 0, 0);
    this.#describe();
    this.#paint();
  }

  /** Mark cells by an array of slopes of the same size (null: none), the strongest of many. */
  mark(slopes) {
    this.marks = slopes;
    if (slopes) this.least = Math.abs([...slopes].sort((a, b) => Math.abs(b) - Math.abs(a))[MOST_MARKS] ?? 0);
    this.#paint();
  }

  /** Frame what was read (flat places), a frame for each tile, and outline some cells of it (null: nothing). */
  frame(reads, strong = []) {
    this.reads = reads && new Set(reads);
    this.strong = new Set(strong);
    this.#paint();
  }

  /** Put the cursor at a number. */
  point(flat) {
    this.cursor = flat;
    this.#describe();
    this.#paint();
  }

  #each(visit) {
    const { count, rows, columns, at } = this.tiles;
    for (let tile = 0; tile < count; tile++) {
      const left = (tile % this.across) * (columns + this.gap);
      const top = Math.floor(tile / this.across) * (rows + this.gap);
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) visit(at(tile, row, column), left + column, top + row, tile);
      }
    }
  }

  #paint() {
    if (!this.picture) return;
    const context = this.canvas.getContext("2d");
    const [wide, high] = this.cell;
    context.imageSmoothingEnabled = Math.min(wide, high) < 1;
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.picture, this.left, 0, this.shown[0], this.shown[1]);
    const ink = getComputedStyle(document.documentElement);
    if (this.marks) {
      const most = largest(this.marks);
      context.fillStyle = ink.getPropertyValue("--mark");
      context.strokeStyle = ink.getPropertyValue("--mark");
      context.lineWidth = 1;
      this.#each((flat, x, y) => {
        const slope = flat < 0 ? 0 : this.marks[flat];
        if (Math.abs(slope) <= this.least || Math.abs(slope) < 0.02 * most) return;
        context.globalAlpha = 0.25 + 0.75 * Math.min(1, Math.abs(slope) / most);
        const [from, top] = [this.left + x * wide, y * high];
        if (Math.min(wide, high) >= 4) context.strokeRect(from + 0.5, top + 0.5, wide - 1, high - 1);
        else context.fillRect(from, top, Math.max(1, wide), Math.max(1, high));
      });
      context.globalAlpha = 1;
    }
    if (this.reads) this.#frame(context, ink);
    if (this.cursor !== null) {
      this.#each((flat, x, y) => {
        if (flat !== this.cursor) return;
        context.strokeStyle = ink.getPropertyValue("--ink");
        context.lineWidth = 2;
        context.strokeRect(this.left + x * wide - 1, y * high - 1, Math.max(wide, 3) + 2, Math.max(high, 3) + 2);
      });
    }
    context.fillStyle = ink.getPropertyValue("--ink");
    this.#name(context);
  }

  #frame(context, ink) {
    const [wide, high] = this.cell;
    const boxes = new Map();
    context.strokeStyle = ink.getPropertyValue("--mark");
    context.lineWidth = 2;
    this.#each((flat, x, y, tile) => {
      if (!this.reads.has(flat)) return;
      const [left, top, right, bottom] = boxes.get(tile) ?? [x, y, x, y];
      boxes.set(tile, [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)]);
      if (this.strong.has(flat)) context.strokeRect(this.left + x * wide, y * high, Math.max(wide, 3), Math.max(high, 3));
    });
    context.lineWidth = 1;
    for (const [left, top, right, bottom] of boxes.values()) {
      const [width, height] = [(right - left + 1) * wide, (bottom - top + 1) * high];
      context.strokeRect(this.left + left * wide + 0.5, top * high + 0.5, Math.max(width, 3) - 1, Math.max(height, 3) - 1);
    }
  }

  /** The names of rows and columns, squeezed into what room they have. */
  #name(context) {
    const { columnNames, rowNames } = this.tiles;
    const [wide, high] = this.cell;
    context.font = "11px ui-monospace, monospace";
    context.textAlign = "center";
    context.textBaseline = "middle";
    if (this.canvas.height > this.shown[1]) {
      columnNames.forEach((name, i) => context.fillText(name, this.left + (i + 0.5) * wide, this.shown[1] + NAMES / 2, wide));
    }
    if (this.left) rowNames.forEach((name, i) => context.fillText(name, NAMES / 2 - 1, (i + 0.5) * high, NAMES - 2));
  }

  #describe() {
    const { shape, data } = this.array;
    let text = `${this.label} ${shape.join("×")}`;
    if (this.cursor !== null && this.cursor < data.length) {
      const index = indexOf(this.cursor, shape);
      text += `, [${index}] = ${short(data[this.cursor])}${this.tiles.tell ? `, ${this.tiles.tell(index)}` : ""}`;
    }
    this.canvas.setAttribute("aria-label", text.trim());
    this.canvas.title = text.trim();
  }

  #under(event) {
    const box = this.canvas.getBoundingClientRect();
    const { count, rows, columns, at } = this.tiles;
    const x = (((event.clientX - box.left) / box.width) * this.canvas.width - this.left) / this.cell[0];
    const y = ((event.clientY - box.top) / box.height) * this.canvas.height / this.cell[1];
    const across = Math.floor(x / (columns + this.gap));
    const tile = Math.floor(y / (rows + this.gap)) * this.across + across;
    const row = Math.floor(y % (rows + this.gap));
    const column = Math.floor(x % (columns + this.gap));
    if (x < 0 || tile >= count || row >= rows || column >= columns || across >= this.across) return null;
    const flat = at(tile, row, column);
    return flat < 0 ? null : flat;
  }

  #point(flat) {
    if (flat === this.cursor) return;
    this.point(flat);
    this.onPoint?.(flat);
  }

  #key(event) {
    const { count, rows, columns, at } = this.tiles;
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if ((event.key === "Enter" || event.key === " ") && this.cursor !== null) {
      this.onPick?.(this.cursor);
    } else if (moves[event.key]) {
      const order = [];
      this.#each((flat, x, y) => order.push([flat, x, y]));
      const here = order.find(([flat]) => flat === this.cursor) ?? [at(0, 0, 0), -1, 0];
      const [down, right] = moves[event.key];
      const steps = this.gap && (down ? here[2] + down : here[1] + right);
      const jump = this.gap && (steps + 1) % ((down ? rows : columns) + 1) === 0 ? 2 : 1;
      const next = order.find(([flat, x, y]) => flat >= 0 && x === here[1] + right * jump && y === here[2] + down * jump);
      if (next) this.#point(next[0]);
      else if (this.cursor === null && count) this.#point(at(0, 0, 0));
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
