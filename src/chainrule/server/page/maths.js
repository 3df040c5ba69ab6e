// Formulas set as mathematics: a short notation becomes MathML, which browsers set themselves.
//
//   dx_{j} = Σ_{k} dy_{k} W_{j,k}     subscripts, superscripts with ^, sums with their index below
//   frac{a}{b}  sqrt{a}  mean{a}      fractions, roots, a bar
//   "words"                           upright text

import { has, t } from "./text.js";

const TOKEN = /"[^"]*"|\p{L}+|\d+(?:\.\d+)?|\S/gu;
const OF_ONE = { sqrt: "msqrt", mean: "mover" };

function node(tag, ...children) {
  const element = document.createElementNS("http://www.w3.org/1998/Math/MathML", tag);
  element.append(...children);
  return element;
}

/** The formula of a notation. */
export function maths(notation) {
  const math = node("math", ...row(notation.match(TOKEN) ?? [], null));
  math.setAttribute("display", "block");
  return math;
}

/** What stands up to `end`; it takes the tokens away. */
function row(tokens, end) {
  const found = [];
  while (tokens.length && tokens[0] !== end) found.push(scripts(tokens));
  tokens.shift();
  return found;
}

/** An atom with what hangs on it. */
function scripts(tokens) {
  const base = atom(tokens);
  const hung = {};
  while (tokens[0] === "_" || tokens[0] === "^") hung[tokens.shift()] = atom(tokens);
  const { _: low, "^": high } = hung;
  if (base.textContent === "Σ" && low) return node("munder", base, low);
  if (low && high) return node("msubsup", base, low, high);
  if (low) return node("msub", base, low);
  return high ? node("msup", base, high) : base;
}

function atom(tokens) {
  const token = tokens.shift();
  if (token === "{") return node("mrow", ...row(tokens, "}"));
  if (token === "frac") return node("mfrac", atom(tokens), atom(tokens));
  if (token in OF_ONE) {
    const inner = atom(tokens);
    return token === "sqrt" ? node("msqrt", inner) : node("mover", inner, node("mo", "¯"));
  }
  if (token.startsWith('"')) return node("mtext", worded(token.slice(1, -1)).replace(/^ | $/g, "\u00a0"));
  if (/^\d/.test(token)) return node("mn", token);
  return node(/^\p{L}/u.test(token) && token !== "Σ" ? "mi" : "mo", token);
}

/** Words of a formula in the language of the page; numbers and names stay as they are. */
function worded(text) {
  const words = text.trim();
  return has(`w ${words}`) ? text.replace(words, t(`w ${words}`)) : text;
}
