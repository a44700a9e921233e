// What the views share: elements, texts and messages to the kernel. It stands before each of them in one module.

// -- a model and its views --

const stores = new Map();

// What lasts as long as the model of a view: made once, before its first view. A model comes as another object to each of
// its views, so that it is known by its identity.
function storeOf(model, make) {
  const identity = model.get("identity");
  if (!stores.has(identity)) {
    stores.set(identity, make(model));
    model.on("destroy", () => stores.delete(identity));
  }
  return stores.get(identity);
}

// Has the views of a model drawn that JupyterLab gave up: a page that is slow looks for a model for two seconds, and may
// not look again when it has come. Then its output says that there is no model, until the output is set anew.
const WIDGET = "application/vnd.jupyter.widget-view+json", NO_MODEL = "Error displaying widget: model not found";
const LOOKS = 20;  // one a second, from when the model has come: who looks for it has given up by then

const drawn = new Set();

function drawIfGivenUp(model) {
  const identity = model.get("identity");
  let looks = 0;
  const timer = setInterval(() => {
    if (drawn.has(identity) || ++looks >= LOOKS) { clearInterval(timer); return; }
    const given = [...document.querySelectorAll(".jupyter-widgets")].some(one => one.textContent === NO_MODEL);
    if (given) for (const output of outputsOf(model, identity)) output.setData({ data: output.data, metadata: output.metadata });
  }, 1000);
  model.on("destroy", () => { clearInterval(timer); drawn.delete(identity); });
}

// The outputs of the notebook that show this model; none where the page is no JupyterLab.
function outputsOf(model, identity) {
  const found = [];
  for (const { outputs } of model.widget_manager?.context?.model?.cells ?? []) {
    for (let at = 0; at < (outputs?.length ?? 0); at++) {
      const output = outputs.get(at);
      if (output.data[WIDGET]?.model_id === identity) found.push(output);
    }
  }
  return found;
}

// -- elements and texts --

// What part of a chart's time is kept free in its row for a task that a fork reuses, which took no time there.
const REUSED = .01;

// A text whose characters can all be seen: what would change the direction of the text around it becomes �, as in the
// pages that Python writes; the values of fields stay as they are.
function visible(text) {
  return text
    .replace(/[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\u0080-\u009f\ufffe\uffff]/g, "�")
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, control => String.fromCharCode(0x2400 + control.charCodeAt(0)))
    .replace(/\u007f/g, "␡");
}

function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "style") Object.assign(element.style, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, name === "value" ? value : visible(String(value)));
  }
  return fill(element, ...children);
}

// What is pressed in a view is not drawn anew until it is released: the click would come to no element.
let pressed = null;
const later = new Map();  // by element, what draws it then
const LONGEST_PRESS = 2000;  // milliseconds, if nobody tells that it was released

function holdPressed(root) {
  root.addEventListener("pointerdown", event => {
    pressed = event.target;
    const ends = ["pointerup", "pointercancel"], timer = setTimeout(release, LONGEST_PRESS);
    function release() {
      clearTimeout(timer);
      for (const end of ends) removeEventListener(end, released, true);
      pressed = null;
      const draws = [...later.values()];
      later.clear();
      for (const draw of draws) draw();
    }
    const released = () => setTimeout(release);  // behind the click
    for (const end of ends) addEventListener(end, released, true);
  }, true);
}

// Whether the element is to be drawn later, with `draw`, since it holds what is pressed.
function isHeld(element, draw) {
  if (!pressed || !element.contains(pressed)) return false;
  later.set(element, draw);
  return true;
}

// What is drawn anew within an element. The focus stays with the button of the same text, else goes to the first one; the
// element that had it in their place, as it can be given but not reached, keeps it only until there is one.
function fill(element, ...children) {
  if (isHeld(element, () => fill(element, ...children))) return element;
  const focused = document.activeElement;
  const hasFocus = element.firstChild && element.contains(focused) && (element !== focused || element.tabIndex < 0);
  element.replaceChildren(...children.filter(child => child !== null && child !== undefined)
    .map(child => typeof child === "string" ? visible(child) : child));
  if (hasFocus && (element === focused || !element.contains(document.activeElement))) {
    const others = [...element.querySelectorAll("button, summary")];
    (others.find(other => other.textContent === focused.textContent) ?? others[0] ?? element).focus({ preventScroll: true });
  }
  return element;
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  for (const [unit, size, smaller, part] of [["d", 86400, "h", 3600], ["h", 3600, "min", 60], ["min", 60, "s", 1]]) {
    if (whole < size) continue;
    const rest = Math.floor((whole % size) / part);
    return `${Math.floor(whole / size)} ${unit}${rest ? ` ${rest} ${smaller}` : ""}`;
  }
  return `${whole} s`;
}

// A text for a canvas, cut to this width.
function fitted(g, text, width) {
  if (g.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && g.measureText(`${text.slice(0, length)}…`).width > width) length--;
  return `${text.slice(0, length)}…`;
}

// A bar of a Gantt chart on a canvas. That of a task which the close of its execution cut off is hollow: it is told from
// one that ran to its end without colours, too.
function drawBar(g, left, top, wide, thick, isCutOff) {
  if (!isCutOff) { g.fillRect(left, top, wide, thick); return; }
  const alpha = g.globalAlpha;
  g.globalAlpha = .4 * alpha; g.fillRect(left, top, wide, thick);
  g.globalAlpha = alpha; g.lineWidth = 1; g.strokeStyle = g.fillStyle;
  g.strokeRect(left + .5, top + .5, Math.max(wide - 1, .5), Math.max(thick - 1, .5));
}

// What the reader does, sent to the kernel; a line instead, if there is none any more.
function say(model, message) {
  try { model.send(message); }
  catch { model.set("notice", "this could not be sent: the kernel is gone; run the cell again"); }
}

// Calls `act` whenever this element has another size, until the function that it gives is called. JupyterLab keeps every
// ResizeObserver with what it refers to: this one refers to nothing of a view that is gone.
function whenResized(element, act) {
  let call = act;
  const observer = new ResizeObserver(() => call?.());
  observer.observe(element);
  return () => { call = null; observer.disconnect(); };
}

// Keys that are pressed in a view are not the notebook's, which would move cells, or delete them; Escape gives them back.
function takeKeys(root) {
  for (const kind of ["keydown", "keyup", "keypress"]) root.addEventListener(kind, event => event.stopPropagation());
  root.addEventListener("keydown", event => {
    const clears = event.target.type === "search" && event.target.value;  // a field to search in is emptied first
    if (event.key === "Escape" && !event.defaultPrevented && !clears) leave(root);
  });
}

const leave = root => root.parentElement?.closest("[tabindex]")?.focus();
