// Looks at the page as it is shown now, and returns what is wrong with it, a sentence each:
// contrast (WCAG 2.2, 1.4.3 and 1.4.11), names, tables, sizes, overlaps, sideways scrolling.
const complaints = [];
const shown = (e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest("caption, .skip, thead");
const name = (e) => `<${e.tagName.toLowerCase()} ${e.id ? `#${e.id}` : e.getAttribute("class") ?? ""}> "${e.textContent.trim().slice(0, 40)}"`;

// ---- contrast ----

const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

// Whatever way CSS writes it: red, green, blue, 0 to 255, and alpha, 0 to 1.
function pixel(colour) {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
}

const over = (top, ground) => top.slice(0, 3).map((c, i) => c * top[3] + ground[i] * (1 - top[3])).concat(1);

function ground(element) {
  const layers = [];
  for (let e = element; e; e = e.parentElement) layers.unshift(pixel(getComputedStyle(e).backgroundColor));
  return layers.reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
}

function luminance(colour) {
  const [r, g, b] = colour.map((c) => c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(colour, below) {
  const [light, dark] = [luminance(over(pixel(colour), below)), luminance(below)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function demand(element, colour, below, least) {
  const found = contrast(colour, below);
  if (found < least) complaints.push(`contrast ${found.toFixed(2)}, not ${least}: ${name(element)}`);
}

const top = document.querySelector("dialog[open]") ?? document.body; // what is below a dialog is not to be read
const texts = [];
for (const walk = document.createTreeWalker(top, NodeFilter.SHOW_TEXT); walk.nextNode();) {
  const element = walk.currentNode.parentElement;
  if (!walk.currentNode.data.trim() || !shown(element) || element.closest("noscript, script, style")) continue;
  const range = document.createRange();
  range.selectNodeContents(walk.currentNode);
  for (const box of range.getClientRects()) if (box.width > 1) texts.push({ element, box });
  const style = getComputedStyle(element), size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  if (!element.closest(":disabled")) demand(element, style.color, ground(element), large ? 3 : 4.5);
  if (size < 12) complaints.push(`text of ${size} px: ${name(element)}`);
}

for (const e of document.querySelectorAll(".line, .life .left, .life .notch, .ticks i, button")) {
  const style = getComputedStyle(e);
  if (!shown(e)) continue;
  const colour = e.tagName === "BUTTON" ? style.borderTopColor : e.tagName === "I" ? style.backgroundColor
    : style.stroke !== "none" ? style.stroke : style.fill;
  demand(e, colour, ground(e.parentElement.closest("td, div, section")), 3);
}

// ---- names and structure ----

for (const e of document.querySelectorAll("button, a[href], summary, [role=img]")) {
  if (!shown(e)) continue;
  const words = e.getAttribute("aria-label") ?? e.textContent;
  if (!words.trim()) complaints.push(`without a name: ${name(e)}`);
  if (e.getAttribute("aria-label") && e.tagName === "BUTTON" && !words.toLowerCase().includes(e.textContent.trim().toLowerCase()))
    complaints.push(`the name is not what is seen: ${name(e)}`);
  const box = e.getBoundingClientRect();
  if (e.tagName === "BUTTON" && Math.min(box.width, box.height) < (innerWidth < 500 ? 44 : 24))
    complaints.push(`too small to press: ${name(e)}`);
}
for (const e of document.querySelectorAll("table"))
  if (!e.caption?.textContent.trim()) complaints.push("a table without a caption");
for (const e of document.querySelectorAll("th"))
  if (!["col", "row"].includes(e.scope)) complaints.push(`without a scope: ${name(e)}`);
for (const [tag, role] of [["table", "table"], ["tr", "row"], ["td", "cell"]])
  for (const e of document.querySelectorAll(tag))
    if (e.getAttribute("role") !== role) complaints.push(`without its role: ${name(e)}`);
const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
if (new Set(ids).size !== ids.length) complaints.push("an id twice");
const levels = [...document.querySelectorAll("main h1, main h2, main h3, header h1")].map((e) => Number(e.tagName[1]));
if (levels[0] !== 1 || levels.some((level, i) => i && level > levels[i - 1] + 1)) complaints.push(`headings: ${levels}`);

// ---- room ----

if (document.documentElement.scrollWidth > document.documentElement.clientWidth)
  complaints.push(`scrolls sideways: ${document.documentElement.scrollWidth} of ${document.documentElement.clientWidth}`);
const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1.5 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
for (let i = 0; i < texts.length; i++) {
  const { element, box } = texts[i];
  if (box.right > document.documentElement.clientWidth + 1 || box.left < -1) complaints.push(`sticks out: ${name(element)}`);
  for (let j = i + 1; j < texts.length; j++)
    if (meet(box, texts[j].box)) complaints.push(`overlap: ${name(element)} and ${name(texts[j].element)}`);
}
for (const e of document.querySelectorAll(".plot"))
  for (const { element, box } of texts)
    if (shown(e) && !e.contains(element) && meet(box, e.getBoundingClientRect())) complaints.push(`over a plot: ${name(element)}`);

return complaints;
