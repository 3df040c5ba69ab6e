// A training that the page follows: begun or found again, commanded, and heard of while it goes on.

import { ask, post } from "./api.js";
import { t } from "./text.js";

export class Run {
  id; settings; points; onNews;
  /** @type {any} */
  progress;

  /** `onNews` is called with the run and whether there is a new snapshot. */
  constructor({ progress, points = [] }, onNews) {
    Object.assign(this, { id: progress.id, settings: progress.settings, progress, points, onNews });
    if (this.ended) return;
    this.events = new EventSource(`/api/training/${this.id}/events`);
    this.events.onmessage = (event) => this.#hear(JSON.parse(event.data));
    this.events.onerror = () => {
      if (this.events.readyState === EventSource.CLOSED) this.onNews(this, false);
    };
  }

  /** A new training, paused before its first step. */
  static async begin(settings, onNews) {
    return new Run({ progress: await post("/api/training", settings) }, onNews);
  }

  /** The training of that id as it is now; null where the server does not know it. */
  static async find(id, onNews) {
    if (!/^[\w-]{1,40}$/.test(id)) return null;
    const all = await ask("/api/training").catch(() => []);
    if (!all.some((one) => one.id === id)) return null;
    return new Run(await ask(`/api/training/${id}`), onNews);
  }

  get playing() {
    return this.progress.state === "playing";
  }

  get ended() {
    return ["stopped", "failed"].includes(this.progress.state);
  }

  /** The points of the curves at which a snapshot was measured. */
  get measured() {
    return this.points.filter((point) => point.test_loss !== null);
  }

  async command(action) {
    this.#take(await post(`/api/training/${this.id}/${action}`));
  }

  /** Listen no more, and end it. */
  stop() {
    this.closed = true;
    this.events?.close();
    if (!this.ended) post(`/api/training/${this.id}/stop`).catch(() => {});
  }

  /** The page goes: nobody watches for now. */
  leave() {
    if (this.playing) navigator.sendBeacon(`/api/training/${this.id}/pause`);
  }

  /** Keep the newer of two answers: that of a command and an event may cross on their way. */
  #take(progress) {
    if (progress.version >= this.progress.version) this.progress = progress;
  }

  #hear(news) {
    if (this.closed) return;
    const newest = news.progress.snapshots.at(-1);
    const isNew = newest !== this.seen;
    this.seen = newest;
    this.#take(news.progress);
    const known = news.points[0]?.step ?? Infinity;
    this.points = [...this.points.filter((point) => point.step < known), ...news.points];
    if (this.ended) this.events.close();
    this.onNews(this, isNew);
  }
}

/** Where the field of a number does not hold one that will do: what to write, told beside it; otherwise null. */
export function faultOf(input, words) {
  const value = input.value.trim() === "" ? NaN : Number(input.value);
  const whole = input.step === "1" ? Number.isInteger(value) : Number.isFinite(value);
  const fault = whole && value >= Number(input.min) && value <= Number(input.max) ? null : words;
  input.setAttribute("aria-invalid", String(fault !== null));
  return fault;
}

/** What an address says of a number, as a field takes it: empty where it is none. */
export function numeral(text) {
  return text.trim() !== "" && Number.isFinite(Number(text)) ? text : "";
}

/** What is said where no unit of a ReLU is ever above zero any more. */
export function deadWords(run) {
  const dead = run.measured.at(-1)?.layers.find((layer) => layer.dead === 1);
  return dead ? t("allDead", dead.name) : "";
}
