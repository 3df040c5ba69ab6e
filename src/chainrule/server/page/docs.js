// What programs can ask of the server, written out from its own description (/openapi.json).

import { ask } from "./api.js";
import { make } from "./bricks.js";
import { speak } from "./text.js";

const dark = matchMedia("(prefers-color-scheme: dark)").matches;
document.documentElement.dataset.theme = dark ? "dark" : "light";
speak("");

const description = await ask("/openapi.json");

function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `[${typeOf(schema.items) || "…"}]`;
  if (schema.const) return JSON.stringify(schema.const);
  return schema.type ?? "";
}

function table(rows) {
  return make("table", { className: "facts" }, make("tbody", {}, ...rows.map(([name, type, text]) =>
    make("tr", {}, make("th", { scope: "row" }, make("code", {}, name)), make("td", {}, make("code", {}, type)), make("td", {}, text ?? "")))));
}

const parts = [];
for (const [path, methods] of Object.entries(description.paths)) {
  for (const [method, route] of Object.entries(methods)) {
    parts.push(make("h2", {}, `${method.toUpperCase()} ${path}`), make("p", {}, route.description ?? route.summary ?? ""));
    if (route.parameters) parts.push(table(route.parameters.map((one) => [one.name, typeOf(one.schema), one.description ?? one.schema.description])));
    const bodies = Object.entries(route.requestBody?.content ?? {}).map(([kind, { schema }]) => [kind, typeOf(schema), ""]);
    if (bodies.length) parts.push(table(bodies));
    for (const [status, response] of Object.entries(route.responses)) {
      if (!status.startsWith("2")) continue;
      const kinds = Object.entries(response.content ?? {});
      parts.push(table(kinds.map(([kind, { schema }]) => [status, `${kind}: ${typeOf(schema)}`, response.description])));
    }
  }
}
for (const [name, schema] of Object.entries(description.components.schemas)) {
  parts.push(make("h3", { id: name }, name), make("p", {}, schema.description ?? ""));
  parts.push(table(Object.entries(schema.properties ?? {}).map(([field, one]) => [field, typeOf(one), one.description])));
}
document.getElementById("routes").replaceChildren(...parts);
