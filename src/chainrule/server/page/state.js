// The scene: everything that a shared address brings back. It lives behind the # of the address.

const USUAL = {
  place: "draw", model: "", input: "", label: "", brick: "", unit: "", stage: "0", weight: "", pin: "", scale: "", overlay: "", mode: "", a: "", b: "",
  exercise: "predict", task: "1",
  lang: "", theme: "", hide: "",
  training: "", playing: "", shape: "circles", classes: "2", noise: "0.2", points: "", units: "4,4", activation: "Tanh",
  "play-optimizer": "adam", "play-rate": "0.03", "play-batch": "20", decay: "0", "play-speed": "100",
  network: "two-layer", optimizer: "sgd", rate: "0.1", batch: "100", speed: "", gradient: "backpropagation",
};

export const state = { ...USUAL };
const listeners = new Set();

/** Called with the names that changed, whenever the scene changes. */
export function onChange(listener) {
  listeners.add(listener);
}

/** Change the scene and tell everyone; the address follows. */
export function change(news) {
  const names = Object.keys(news).filter((name) => state[name] !== String(news[name]));
  if (!names.length) return;
  for (const name of names) state[name] = String(news[name]);
  history.replaceState(null, "", address());
  for (const listener of listeners) listener(new Set(names));
}

/** The address of the scene; `hide` names the controls that are left out. */
export function address(hide = state.hide) {
  const parts = new URLSearchParams();
  for (const [name, usual] of Object.entries(USUAL)) {
    const value = name === "hide" ? hide : state[name];
    if (value !== usual) parts.set(name, value);
  }
  return `${location.pathname}#${parts}`;
}

/** The scene that the address tells; what is not one of its names is left out. */
export function readAddress() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const news = {};
  for (const [name, usual] of Object.entries(USUAL)) news[name] = parts.get(name) ?? usual;
  return news;
}
