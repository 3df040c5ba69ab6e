// The map of the plane: what a network says at each place, the points on it, and the cross that adds points.

import { colour } from "./colours.js";
import { t } from "./text.js";

const LIGHT = [[0, 114, 178], [213, 94, 0], [0, 128, 84]];
const DARK = [[104, 190, 245], [255, 150, 80], [79, 214, 160]];
const STEP = 0.1;
const NEAR = 0.12;

function tones() {
  return document.documentElement.dataset.theme === "dark" ? DARK : LIGHT;
}

/** A grid of colours as a small canvas: `paint(i)` is [red, green, blue] of the i-th cell. */
export function picture(size, paint) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(size, size);
  for (let i = 0; i < size * size; i++) pixels.data.set([...paint(i), 255], 4 * i);
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** int8 values of one unit -> its picture. */
export function unitPicture(values, size) {
  return picture(size, (i) => colour(values[i], 127));
}

/** uint8 probabilities (classes, size, size) -> each place in its classes' colours. */
export function classPicture(shares, count, size) {
  if (count === 1) return picture(size, (i) => colour(shares[i] - 127.5, 127.5));
  const [paper] = [colour(0, 1)];
  return picture(size, (i) => paper.map((ground, channel) => {
    let sum = 0;
    for (let c = 0; c < count; c++) sum += (shares[c * size * size + i] / 255) * tones()[c % 3][channel];
    return Math.round(0.45 * ground + 0.55 * sum);
  }));
}

export class Plane {
  canvas; onAdd; onErase; points; background; low; high;

  /** `onAdd(x, y, klass)` where klass null is the chosen one, `onErase(index)`. */
  constructor(canvas, { onAdd, onErase }) {
    Object.assign(this, { canvas, onAdd, onErase, points: [], background: null, low: [-1.1, -1.1], high: [1.1, 1.1] });
    this.cross = null;
    this.canAdd = true;
    this.erasing = false;
    canvas.addEventListener("pointerup", (event) => {
      const [x, y] = this.#under(event);
      this.#act(x, y, null);
    });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("focus", () => { this.cross ??= [0, 0]; this.focused = true; this.paint(); });
    canvas.addEventListener("blur", () => { this.focused = false; this.paint(); });
  }

  paint() {
    const { canvas, points, background } = this;
    const context = canvas.getContext("2d");
    const [width, height] = [canvas.width, canvas.height];
    const style = getComputedStyle(document.documentElement);
    context.fillStyle = style.getPropertyValue("--paper");
    context.fillRect(0, 0, width, height);
    context.imageSmoothingEnabled = true;
    if (background) context.drawImage(background, 0, 0, width, height);
    for (const point of points) this.#point(context, point, style);
    if (this.focused) {
      const [x, y] = this.#place(this.cross);
      context.strokeStyle = style.getPropertyValue("--ink");
      context.lineWidth = 2;
      context.beginPath();
      for (const [dx, dy] of [[9, 0], [0, 9]]) { context.moveTo(x - dx, y - dy); context.lineTo(x + dx, y + dy); }
      context.stroke();
    }
    const [x, y] = this.cross ?? [0, 0];
    canvas.setAttribute("aria-label", t("planeLabel", points.length, x.toFixed(2), y.toFixed(2)));
  }

  /** A class has a colour and a form: circle, square, triangle; what is held out is hollow. */
  #point(context, { x, y, klass, held }, style) {
    const [px, py] = this.#place([x, y]);
    const tone = `rgb(${tones()[klass]})`;
    context.beginPath();
    if (klass === 0) context.arc(px, py, 4.2, 0, 2 * Math.PI);
    else if (klass === 1) context.rect(px - 3.8, py - 3.8, 7.6, 7.6);
    else { context.moveTo(px, py - 5); context.lineTo(px + 4.8, py + 3.8); context.lineTo(px - 4.8, py + 3.8); context.closePath(); }
    context.lineWidth = held ? 1.6 : 1.2;
    context.fillStyle = tone;
    context.strokeStyle = held ? tone : style.getPropertyValue("--paper");
    if (held) {
      context.fillStyle = style.getPropertyValue("--paper");
    }
    context.fill();
    context.stroke();
  }

  #place([x, y]) {
    const { canvas, low, high } = this;
    return [((x - low[0]) / (high[0] - low[0])) * canvas.width, ((high[1] - y) / (high[1] - low[1])) * canvas.height];
  }

  #under(event) {
    const box = this.canvas.getBoundingClientRect();
    const { low, high } = this;
    const share = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
    return share.map((part, axis) => low[axis] + part * (high[axis] - low[axis]));
  }

  #act(x, y, klass) {
    if (!this.canAdd) return;
    const round = (value) => Math.max(-1.1, Math.min(1.1, Math.round(100 * value) / 100));
    if (this.erasing && klass === null) this.#erase(x, y);
    else this.onAdd(round(x), round(y), klass);
  }

  #erase(x, y) {
    const far = this.points.map((point) => Math.hypot(point.x - x, point.y - y));
    const nearest = far.indexOf(Math.min(...far));
    if (nearest >= 0 && far[nearest] < NEAR) this.onErase(nearest);
  }

  #key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const move = moves[event.key];
    if (move) {
      const step = event.shiftKey ? STEP / 5 : STEP;
      const bound = (value) => Math.max(-1.1, Math.min(1.1, Math.round(100 * value) / 100));
      this.cross = (this.cross ?? [0, 0]).map((value, axis) => bound(value + step * move[axis]));
    } else if (["1", "2", "3"].includes(event.key) && this.cross && !event.ctrlKey && !event.metaKey) {
      this.#act(...this.cross, Number(event.key) - 1);
    } else if (event.key === "Enter" && this.cross) {
      this.#act(...this.cross, null);
    } else if (["Backspace", "Delete"].includes(event.key) && this.cross && this.canAdd) {
      this.#erase(...this.cross);
    } else {
      return;
    }
    event.preventDefault();
    this.paint();
  }
}
