// Requests to the server, and what comes back.

/** An answer that says what is wrong. */
export class ServerError extends Error {
  constructor(text, status = 0) {
    super(text);
    this.status = status;
  }
}

export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("offline");
  }
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new ServerError(content.error ?? `${response.status}`, response.status);
  return content;
}

/** POST with what is drawn or written: `input` is {blob}, {pixels}, or {text}. */
export function askAbout(input, path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams(parameters);
  const body = input.blob ?? JSON.stringify(input.text === undefined ? { pixels: input.pixels } : { text: input.text });
  const type = input.blob ? input.blob.type : "application/json";
  return ask(`${path}?${query}`, { method: "POST", body, headers: { "Content-Type": type }, signal });
}

export function post(path, content = undefined) {
  const body = content === undefined ? undefined : JSON.stringify(content);
  return ask(path, { method: "POST", body, headers: body ? { "Content-Type": "application/json" } : {} });
}

/** What the server packed -> {shape, data: Float32Array}. */
export function unpack(packed) {
  if (!packed) return null;
  const bytes = Uint8Array.from(atob(packed.data), (c) => c.charCodeAt(0));
  return { shape: packed.shape, data: new Float32Array(bytes.buffer) };
}
