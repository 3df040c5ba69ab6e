// Files dropped onto the page or chosen: data to learn from, models and trainings to look at. Pictures are for "Draw".

import { ask } from "./api.js";
import { archive, filesOf } from "./folder.js";
import { make } from "./bricks.js";
import { $ } from "./dom.js";
import { addModel, on, tell, useModel } from "./scene.js";
import { change } from "./state.js";
import { t } from "./text.js";
import { showTraining, useData } from "./play.js";

const TABLES = /\.(csv|tsv|txt|data)$/i;
const MOST_COLUMNS = 300;
const FILES = /\.(csv|tsv|txt|data|safetensors|onnx)$/i;

export function startDropping() {
  document.addEventListener("drop", (event) => {
    const folders = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry?.isDirectory);
    if (folders.length) {
      event.preventDefault();
      event.stopPropagation();
      $("paper").classList.remove("dropping");
      takeFolder(() => filesOf(folders), folders[0].name);
      return;
    }
    const file = event.dataTransfer?.files[0];
    if (!file || !FILES.test(file.name)) return; // a picture, perhaps
    event.preventDefault();
    event.stopPropagation();
    $("paper").classList.remove("dropping");
    takeFile(file);
  }, { capture: true });
  $("file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) takeFile(file);
    event.target.value = "";
  });
  $("folder").addEventListener("change", (event) => {
    const files = [...event.target.files].map((file) => ({ file, path: file.webkitRelativePath }));
    if (files.length) takeFolder(async () => files, files[0].path.split("/")[0]);
    event.target.value = "";
  });
  on("file", (file) => takeFile(file));
}

/** Pictures of a folder, with a folder in it for each class. */
async function takeFolder(find, name) {
  $("play-state").textContent = t("dropping", name);
  try {
    const packed = await archive(await find());
    if (!packed) throw new Error(t("noPictures", name));
    await takeFile(new File([packed], name));
  } catch (error) {
    $("play-state").textContent = "";
    tell("problem", error);
  }
}

/** The names of a table's columns, as its first line has them; none of pixels, or where the line has numbers. */
async function columnsOf(file) {
  if (!TABLES.test(file.name)) return [];
  const [line] = (await file.slice(0, 65536).text()).replace(/^\ufeff/, "").split(/\r\n|\r|\n/, 1);
  const count = (mark) => line.split(mark).length;
  const mark = [",", ";", "\t", "|"].reduce((one, other) => (count(other) > count(one) ? other : one));
  const names = line.split(mark).map((name) => name.trim().replace(/^"(.*)"$/, "$1"));
  const named = names.length > 1 && names.length <= MOST_COLUMNS && names.every((name) => name && !name.includes('"') && Number.isNaN(Number(name)));
  return named && new Set(names).size === names.length ? names : [];
}

/** Which column of a table is learned can be chosen, whether or not one was found. */
async function offerColumns(file, learned) {
  const names = await columnsOf(file);
  $("columns").hidden = !names.length;
  $("column").replaceChildren(...names.map((name) => make("option", { value: name }, name)));
  $("column").value = names.includes(learned) ? learned : names.at(-1) ?? "";
  $("learn-column").onclick = () => takeFile(file, $("column").value);
}

/** @param {File} file @param {string | null} column */
async function takeFile(file, column = null) {
  $("play-state").textContent = t("dropping", file.name);
  try {
    const headers = { "Content-Type": "application/octet-stream" };
    const query = new URLSearchParams({ name: file.name.slice(-200), ...(column === null ? {} : { label_column: column }) });
    const received = await ask(`/api/files?${query}`, { method: "POST", body: file, headers });
    tell("problem", null);
    $("play-state").textContent = "";
    if (received.kind === "data") {
      change({ place: "playground" });
      useData(received.data);
      await offerColumns(file, received.data.label);
    } else if (received.kind === "training") {
      await showTraining(received.training);
    } else {
      addModel(received.model);
      change({ model: received.model.name, brick: "", unit: "", stage: 0, weight: "", label: "", place: "inside" });
      useModel(received.model.name);
      $("play-state").textContent = t("tookModel", received.model.name);
    }
  } catch (error) {
    $("play-state").textContent = "";
    tell("problem", error);
    await offerColumns(file, column);
    if (!$("columns").hidden) change({ place: "playground" }); // where it is chosen
  }
}
