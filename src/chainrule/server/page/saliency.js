// The gradient at the network's input as a picture: which pixels speak for the loss, and which against.

import { colour, largest } from "./colours.js";
import { $ } from "./dom.js";
import { scene } from "./scene.js";
import { state } from "./state.js";


/** dx of the network's input over what the network saw, on the paper of "Draw". */
export function showSaliency() {
  const layer = $("saliency");
  const dx = scene.walk?.places[0]?.dx;
  layer.hidden = !(state.overlay && dx && scene.card.kind !== "numbers");
  if (!layer.hidden) paintSaliency(layer);
}

/** The same on a canvas of its own. */
export function saliencyPicture(size) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  paintSaliency(canvas);
  return canvas;
}

/** Whether the walk's input is a picture with a gradient. */
export function hasSaliency() {
  return Boolean(scene.walk?.places[0]?.dx) && ["digit", "picture"].includes(scene.card.kind);
}

/** Bright on dark, as MNIST is stored -> dark on white. */
export function grayPicture(x, size = 0) {
  const [rows, columns] = x.shape.slice(-2);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [columns, rows];
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(columns, rows);
  x.data.forEach((value, i) => pixels.data.set([255 - value, 255 - value, 255 - value, 255], 4 * i));
  context.putImageData(pixels, 0, 0);
  if (!size) return canvas;
  const large = document.createElement("canvas");
  large.width = large.height = size;
  const brush = large.getContext("2d");
  brush.imageSmoothingEnabled = false;
  brush.drawImage(canvas, 0, 0, size, size);
  return large;
}

function paintSaliency(layer) {
  const { dx } = scene.walk.places[0];
  const [rows, columns] = dx.shape.length === 1 ? [Math.sqrt(dx.shape[0]), Math.sqrt(dx.shape[0])] : dx.shape.slice(-2);
  const small = new OffscreenCanvas(columns, rows);
  const context = small.getContext("2d");
  const pixels = context.createImageData(columns, rows);
  const channels = dx.data.length / (rows * columns);
  const sums = Float32Array.from({ length: rows * columns }, (_, i) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += dx.data[c * rows * columns + i];
    return sum;
  });
  const most = largest(sums);
  sums.forEach((value, i) => {
    pixels.data.set([...colour(value, most, true), 40 + 200 * Math.cbrt(Math.abs(value / (most || 1)))], 4 * i);
  });
  context.putImageData(pixels, 0, 0);
  const brush = layer.getContext("2d");
  brush.fillStyle = "#fff";
  brush.fillRect(0, 0, layer.width, layer.height);
  brush.imageSmoothingEnabled = false;
  if (channels === 1) brush.drawImage(grayPicture({ shape: [rows, columns], data: scene.walk.x.data }, layer.width), 0, 0);
  brush.drawImage(small, 0, 0, layer.width, layer.height);
}
