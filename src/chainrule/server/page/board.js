// An array as a picture: a tile for each channel or unit, a cell for each number. Cells can be pointed at, and walked
// with the arrow keys; some can be marked.

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

export class Board {
  /** `size`: the longest side in pixels. `onPoint` and `onPick` get the number's place, or null. */
  constructor({ size = 140, label = "", onPoint = null, onPick = null }) {
    this.size = size;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "board";
    this.onPoint = onPoint;
    this.onPick = onPick;
    this.cursor = null;
    this.marks = null;
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
    const cell = Math.min(this.size / Math.max(width, height), 16);
    this.gap = gap;
    this.scale = cell >= 1 ? Math.max(1, Math.floor(cell)) : cell;
    this.canvas.width = Math.max(1, Math.round(width * this.scale));
    this.canvas.height = Math.max(1, Math.round(height * this.scale));
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

  /** Mark cells by an array of slopes of the same size (null: none). */
  mark(slopes) {
    this.marks = slopes;
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
        for (let column = 0; column < columns; column++) visit(at(tile, row, column), left + column, top + row);
      }
    }
  }

  #paint() {
    if (!this.picture) return;
    const context = this.canvas.getContext("2d");
    context.imageSmoothingEnabled = this.scale < 1;
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.picture, 0, 0, this.canvas.width, this.canvas.height);
    const ink = getComputedStyle(document.documentElement);
    if (this.marks) {
      const most = largest(this.marks);
      context.fillStyle = ink.getPropertyValue("--mark");
      context.strokeStyle = ink.getPropertyValue("--mark");
      context.lineWidth = 1;
      this.#each((flat, x, y) => {
        const slope = flat < 0 ? 0 : this.marks[flat];
        if (!slope || Math.abs(slope) < 0.02 * most) return;
        context.globalAlpha = 0.25 + 0.75 * Math.min(1, Math.abs(slope) / most);
        const s = this.scale;
        if (s >= 4) context.strokeRect(x * s + 0.5, y * s + 0.5, s - 1, s - 1);
        else context.fillRect(x * s, y * s, Math.max(1, s), Math.max(1, s));
      });
      context.globalAlpha = 1;
    }
    if (this.cursor !== null) {
      this.#each((flat, x, y) => {
        if (flat !== this.cursor) return;
        const s = Math.max(this.scale, 3);
        context.strokeStyle = ink.getPropertyValue("--ink");
        context.lineWidth = 2;
        context.strokeRect(x * this.scale - 1, y * this.scale - 1, s + 2, s + 2);
      });
    }
  }

  #describe() {
    const { shape, data } = this.array;
    let text = `${this.label} ${shape.join("×")}`;
    if (this.cursor !== null && this.cursor < data.length) {
      text += `, [${indexOf(this.cursor, shape)}] = ${short(data[this.cursor])}`;
    }
    this.canvas.setAttribute("aria-label", text.trim());
    this.canvas.title = text.trim();
  }

  #under(event) {
    const box = this.canvas.getBoundingClientRect();
    const { count, rows, columns, at } = this.tiles;
    const x = ((event.clientX - box.left) / box.width) * this.canvas.width / this.scale;
    const y = ((event.clientY - box.top) / box.height) * this.canvas.height / this.scale;
    const across = Math.floor(x / (columns + this.gap));
    const tile = Math.floor(y / (rows + this.gap)) * this.across + across;
    const row = Math.floor(y % (rows + this.gap));
    const column = Math.floor(x % (columns + this.gap));
    if (tile < 0 || tile >= count || row >= rows || column >= columns || across >= this.across) return null;
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
