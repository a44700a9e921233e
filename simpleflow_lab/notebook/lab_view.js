// The live view of a Lab: its executions with a filter, its task lists, and the workers of this process, with buttons.
//
// What the reader typed (filter, tab, numbers) lives in the elements, which stay while the values in them change. Every
// text goes into a text node, never into markup.

let ids = 0;

function render({ model, el }) {
  drawn.add(model.get("identity"));
  const say = message => {
    try { model.send(message); }
    catch { notice.textContent = "this could not be sent: the kernel is gone; run the cell again"; }
  };
  const act = (action, more) => say({ kind: "act", action, ...more });
  const head = h("div"), notice = h("div", { role: "status", class: "sfl-quiet" });
  const filter = h("input", { type: "search", placeholder: "filter", "aria-label": "filter the executions" });
  const states = h("select", { "aria-label": "which executions" },
    ...["all", "open", "closed", "not completed", "no children"].map(text => h("option", { value: text }, text)));
  const info = h("span", { class: "sfl-quiet", role: "status" });
  const executions = table("executions", ["workflow id", "type", "status", "started (UTC)", "time", "waits for"],
    ["29%", "14%", "13%", "17%", "9%", "18%"]);
  const lists = table("task lists", ["task list", "decision tasks waiting", "activity tasks waiting", "deciders", "activity workers", "running"],
    ["16%", "22%", "22%", "12%", "16%", "12%"]);
  const workers = h("div");
  const name = h("input", { placeholder: "task list", "aria-label": "task list of a new worker", size: 16, id: `sfl-lab-${++ids}` });
  const number = h("input", { type: "number", min: 1, max: 1000, value: 4, "aria-label": "activities at once of a new worker", style: { width: "5em" } });
  const start = h("div", { class: "sfl-row" }, name, number,
    h("button", { type: "button", onclick: () => act("start", { task_list: name.value.trim(), count: Number(number.value) || 1 }) }, "Start activity worker"),
    h("button", { type: "button", onclick: () => act("start", { what: "decider", task_list: name.value.trim() }) }, "Start decider"));
  const root = h("section", { class: "sfl-live sfl-lab mathjax_ignore tex2jax_ignore", "aria-label": "live view of a Lab", "data-place": model.get("place") },
    head, h("h4", {}, "Executions"), h("div", { class: "sfl-row" }, filter, states, info), executions.element,
    h("h4", {}, "Task lists"), lists.element, h("h4", {}, "Workers of this process"), workers, start, notice);
  takeKeys(root);
  holdPressed(root);
  el.append(root);

  const rows = new Map();  // of workers: what a reader is typing there stays
  function workerRow(key, worker) {
    const text = h("span"), at = h("input", { type: "number", min: 1, max: 1000, value: worker.at_once, "aria-label": `activities at once on ${worker.task_list}`, style: { width: "5em" } });
    const isDecider = worker.kind === "decider", where = { task_list: worker.task_list };
    const scale = h("button", { type: "button", onclick: () => act("start", { ...where, count: Number(at.value) || 1 }) }, "Scale");
    const stop = h("button", { type: "button", onclick: () => act("stop", { ...where, what: worker.kind }) }, "Stop");
    const again = h("button", { type: "button", onclick: () => act("start", isDecider ? { ...where, what: "decider" } : { ...where, count: Number(at.value) || 1 }) }, "Start");
    const element = h("div", { class: "sfl-row", "data-worker": key }, text, isDecider ? null : at, isDecider ? null : scale, stop, again);
    return { element, update: now => {
      const busy = now.running ? `: ${now.tasks.join(", ")}${now.running > now.tasks.length ? ` and ${now.running - now.tasks.length} more` : ""}` : "";
      fill(text, `${now.kind} of ${now.task_list}: ${now.state}${busy}; ${now.done.toLocaleString("en")} done, `
        + `${now.failed.toLocaleString("en")} failed${now.error ? `, last error: ${now.error}` : ""}`);
      const stopped = now.state === "stopped" || now.state === "draining";
      stop.hidden = stopped; again.hidden = !stopped; scale.hidden = stopped;
    } };
  }
  function draw() {
    const now = model.get("overview");
    head.replaceChildren(h("h3", {}, "Lab"), ...now.lines.map(line => h("div", {}, line)));
    notice.textContent = visible(model.get("notice"));
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean), wanted = states.value;
    const shown = now.executions.filter(each => {
      if (wanted === "open" && each.status !== "OPEN") return false;
      if (wanted === "closed" && each.status === "OPEN") return false;
      if (wanted === "not completed" && ["OPEN", "COMPLETED", "CONTINUED_AS_NEW"].includes(each.status)) return false;
      if (wanted === "no children" && each.is_child) return false;
      const all = `${each.workflow_id} ${each.type} ${each.status} ${each.waits} ${each.run_id}`.toLowerCase();
      return words.every(word => all.includes(word));
    });
    info.textContent = `${shown.length} of the latest ${now.executions.length}`;
    executions.fill(shown.map(each => [each.workflow_id, each.type,
      h("span", { style: { color: each.colour } }, `${each.glyph} ${each.status}`), each.started, duration(each.seconds), each.waits]));
    lists.fill(now.task_lists.map(each => [each.name, each.decisions, each.activities, each.deciders, each.workers, each.running]));
    const seen = new Set();
    for (const worker of now.workers) {
      const key = `${worker.kind} ${worker.task_list}`;
      seen.add(key);
      if (!rows.has(key)) rows.set(key, workerRow(key, worker));
      rows.get(key).update(worker);
    }
    for (const key of [...rows.keys()]) if (!seen.has(key)) rows.delete(key);
    const elements = [...rows.values()].map(row => row.element);
    if (elements.length !== workers.children.length || elements.some((one, i) => workers.children[i] !== one)) fill(workers, ...elements);
    if (!elements.length) workers.textContent = "none has been started here";
  }
  filter.addEventListener("input", draw);
  states.addEventListener("change", draw);
  model.on("change:overview", draw);
  model.on("change:notice", draw);
  draw();
  say({ kind: "shown" });
  return () => {
    root.remove();  // JupyterLab keeps the place of a view for ever
    model.off("change:overview", draw); model.off("change:notice", draw);
    say({ kind: "hidden" });
  };
}

function table(name, titles, widths = []) {
  const body = h("tbody"), heads = titles.map((title, at) => h("th", { scope: "col", title, style: { width: widths[at] } }, title));
  return {
    element: h("div", { class: "sfl-table", tabindex: 0, role: "group", "aria-label": name },
      h("table", { "aria-label": name }, h("thead", {}, h("tr", {}, ...heads)), body)),
    fill: rows => {
      heads.forEach((head, at) => head.classList.toggle("sfl-number", typeof rows[0]?.[at] === "number"));
      body.replaceChildren(...rows.map(row => h("tr", {}, ...row.map(value => value instanceof Node
        ? h("td", {}, value) : h("td", { class: typeof value === "number" ? "sfl-number" : "", title: String(value) }, String(value))))));
    },
  };
}

export default { initialize: ({ model }) => { drawIfGivenUp(model); }, render };
