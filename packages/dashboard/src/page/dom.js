// Elements from values. Text only ever becomes a text node: nothing that an agent says can become markup.

/** @typedef {string | number | Node | null | false | undefined} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Attributes */

/**
 * Makes an element. An attribute that is null, undefined or false is left out; true stands for its name alone.
 *
 * @param {string} tag
 * @param {Attributes} attributes
 * @param {...(Child | Child[])} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child === null || child === false || child === undefined || child === "") continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/**
 * Makes the children of `live` like `wanted`, changing only what differs: focus, selection, open details and what was
 * typed stay as they are. Children with a `data-key` are found again wherever they moved.
 *
 * @param {Element} live
 * @param {readonly Node[]} wanted
 */
export function morphChildren(live, wanted) {
  const keyed = new Map(
    [...live.children].flatMap((child) => {
      const key = keyOf(child);
      return key === null ? [] : [[key, child]];
    }),
  );
  let at = live.firstChild;
  for (const next of wanted) {
    const key = keyOf(next);
    const known = key === null ? at : (keyed.get(key) ?? null);
    if (known === null || !isAlike(known, next)) {
      live.insertBefore(next, at);
      continue;
    }
    if (known === at) at = at.nextSibling;
    else live.insertBefore(known, at);
    morph(known, next);
  }
  while (at) {
    const after = at.nextSibling;
    at.remove();
    at = after;
  }
}

/** @param {Node} node */
function keyOf(node) {
  return node instanceof Element ? node.getAttribute("data-key") : null;
}

/**
 * @param {Node} known
 * @param {Node} next
 */
function isAlike(known, next) {
  return known.nodeName === next.nodeName && keyOf(known) === keyOf(next);
}

/**
 * @param {Node} known
 * @param {Node} next
 */
function morph(known, next) {
  if (!(known instanceof Element) || !(next instanceof Element)) {
    if (known.nodeValue !== next.nodeValue) known.nodeValue = next.nodeValue;
    return;
  }
  for (const { name } of [...known.attributes]) {
    if (!next.hasAttribute(name) && !isThePersons(known, name)) known.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (known.getAttribute(name) !== value && !isThePersons(known, name)) known.setAttribute(name, value);
  }
  morphChildren(known, [...next.childNodes]);
}

/**
 * Not for values to say: opened by hand, the one cell of a grid that Tab leads to, and widths that are set in scripts.
 *
 * @param {Element} element
 * @param {string} attribute
 */
function isThePersons(element, attribute) {
  if (attribute === "style") return true;
  if (attribute === "open") return element.nodeName === "DETAILS";
  return attribute === "tabindex" && element.classList.contains("cell");
}
