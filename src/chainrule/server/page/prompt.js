// The place "Draw" of a network that learned from a text: a prompt, and what the network writes behind it.

import { askAbout } from "./api.js";
import { make } from "./bricks.js";
import { $ } from "./dom.js";
import { expectInput, on, scene, tell, useInput } from "./scene.js";
import { change } from "./state.js";
import { t } from "./text.js";

const LENGTH = 200;
let waiting = null;
let writing = null;
let written = "";

export function startPrompt() {
  $("prompt").addEventListener("input", () => {
    expectInput();
    clearTimeout(waiting);
    waiting = setTimeout(readPrompt, 250); // more may be typed
  });
  $("write-on").addEventListener("click", writeOn);
  $("take").addEventListener("click", () => restorePrompt($("prompt").value + written));
  on("model", () => {
    forget();
    if (scene.card.kind === "text" && !scene.input && $("prompt").value) readPrompt();
  });
  on("prediction", () => { $("write-on").disabled = !scene.prediction?.tokens; });
}

/** A prompt of the address, or what was written, becomes the input. */
export function restorePrompt(text) {
  $("prompt").value = text;
  return readPrompt();
}

function readPrompt() {
  clearTimeout(waiting);
  const text = $("prompt").value;
  change({ input: text ? `text:${text}` : "" });
  forget();
  return useInput(text ? { text } : null);
}

/** What was written belongs to another prompt or network. */
function forget() {
  writing?.abort();
  written = "";
  $("written").replaceChildren();
  $("take").hidden = true;
}

async function writeOn() {
  forget();
  writing = new AbortController();
  const text = $("prompt").value;
  const query = { model: scene.card.name, length: LENGTH, temperature: $("temperature").value || 0, seed: $("seed").value || 0 };
  try {
    const told = await askAbout({ text }, "/api/write", query, writing.signal);
    written = told.text;
    $("written").replaceChildren(make("b", {}, text), written, told.whole ? "" : ` ${t("notWhole")}`);
    $("take").hidden = false;
    tell("problem", null);
  } catch (error) {
    if (error.name !== "AbortError") tell("problem", error);
  }
}
