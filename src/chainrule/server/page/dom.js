// The page's elements by their id, and those of a selector.

/** @type {(id: string) => any} each view knows which kind of element it asks for */
export const $ = (id) => document.getElementById(id);

/** @type {(selector: string) => Iterable<any>} */
export const all = (selector) => document.querySelectorAll(selector);
