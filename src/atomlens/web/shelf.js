// The table of all structures: sorted by a click, walked with the keys.

const ROWS_SHOWN = 400;

class ShelfTable {
  constructor(events) {
    this.events = events;
    this.sort = { key: "order", down: false };
    /** @type {Map<string, { structure: HeldStructure, answer: AnswerRow | null }>} */
    this.rows = new Map();
    this.target = "";
    this.all = false;
    const body = $("rows").tBodies[0];
    body.addEventListener("click", (event) => {
      const row = event.target.closest("tr"), button = event.target.closest("button");
      if (!row) return;
      if (button?.dataset.act === "compare") events.compare(row.dataset.id);
      else if (button?.dataset.act === "remove") events.remove(row.dataset.id);
      else events.open(row.dataset.id);
    });
    body.addEventListener("keydown", (event) => this.key(event));
    $("more-rows").addEventListener("click", () => { this.all = true; this.fill(); });
  }

  value(key, { structure, answer }) {
    const given = answer?.values?.[this.target];
    if (key === "name") return structure.name.toLowerCase();
    if (key === "value") return given?.label ?? given?.value ?? null;
    if (key === "std") return given?.std ?? null;
    if (key === "unlike") return answer?.unlike ?? null;
    return structure.order;
  }

  columns() {
    const some = [...this.rows.values()];
    const has = (key) => some.some((row) => this.value(key, row) !== null);
    return [["name", "structure"], ["value", "value"], ...(has("std") ? [["std", "± std"]] : []), ...(has("unlike") ? [["unlike", "unlike"]] : [])];
  }

  ordered() {
    const { key, down } = this.sort, sign = down ? -1 : 1;
    return [...this.rows.values()].sort((a, b) => {
      const x = this.value(key, a), y = this.value(key, b);
      if (x === null || y === null) return Number(x === null) - Number(y === null) || a.structure.order - b.structure.order; // unknown ones last
      return x < y ? -sign : x > y ? sign : a.structure.order - b.structure.order;
    });
  }

  sortBy(key) {
    const down = this.sort.key === key ? !this.sort.down : key === "std" || key === "unlike";
    this.sort = { key, down };
    this.fill();
    $("rows").tHead.querySelector(`[data-key="${key}"] button`)?.focus();
  }

  text(key, row) {
    const given = row.answer?.values?.[this.target];
    if (key === "value") return row.answer?.error ? "–" : given ? given.label ?? shortNumber(given.value, 4) : "…";
    if (key === "std") return shortNumber(this.value("std", row), 2);
    return this.value("unlike", row) === null ? "–" : `${this.value("unlike", row)} %`;
  }

  fill() {
    const columns = this.columns();
    $("shelf").hidden = this.rows.size === 0;
    $("count").textContent = this.rows.size ? `(${this.rows.size})` : "";
    $("rows").tHead.replaceChildren(element("tr", {}, ...columns.map(([key, title]) => {
      const button = element("button", { type: "button", title: key === "unlike" ? "Share of the validation structures that are nearer to the training data" : false }, title);
      button.addEventListener("click", () => this.sortBy(key));
      return element("th", { scope: "col", "data-key": key, "aria-sort": this.sort.key === key && (this.sort.down ? "descending" : "ascending") }, button);
    }), element("th", { scope: "col" }, element("span", { class: "visually-hidden" }, "actions"))));
    const order = this.ordered();
    const shown = this.all ? order : order.slice(0, ROWS_SHOWN);
    const focused = document.activeElement?.closest?.("#rows tbody tr")?.dataset.id;
    $("rows").tBodies[0].replaceChildren(...shown.map((row, k) => this.line(row, columns, k)));
    $("more-rows").hidden = shown.length === order.length;
    $("more-rows").textContent = `Show all ${order.length}`;
    this.mark();
    if (focused) this.nodeOf(focused)?.focus({ preventScroll: true });
  }

  line(row, columns, k) {
    const { structure: s, answer } = row;
    const doubt = plainProse(answer?.error || answer?.warning || "");
    const [head, tail] = inTwo(s.name);
    const name = element("td", { class: "called" }, element("div", {},
      element("div", {}, element("b", { title: s.name }, element("span", {}, head), tail),
        ...(doubt ? [element("span", { class: "doubt", title: doubt, role: "img", "aria-label": `warning: ${doubt}` }, "⚠")] : [])),
      answer?.taken_for
        ? element("span", { class: "quiet", title: `A formula to this model; smiles:${s.name} is the molecule` }, `formula ${answer.taken_for}`)
        : element("span", { class: "quiet" }, s.name === s.formula || s.name === s.formula_plain ? `${s.n_atoms} atoms` : s.formula)));
    return element("tr", { tabindex: k === 0 ? 0 : -1, "data-id": s.id, class: answer?.error ? "failed" : false },
      name, ...columns.slice(1).map(([key]) => element("td", {}, this.text(key, row))),
      element("td", { class: "acts" },
        element("button", { type: "button", "data-act": "compare", tabindex: -1, title: "Show beside the other (key C)", "aria-label": `Compare ${s.name}` }, "⇄"),
        element("button", { type: "button", "data-act": "remove", tabindex: -1, title: "Take out of the table (key Delete)", "aria-label": `Remove ${s.name}` }, "×")));
  }

  nodeOf(id) { return $("rows").querySelector(`tbody tr[data-id="${id}"]`); }

  mark() {
    for (const node of $("rows").tBodies[0].rows) {
      const at = this.events.shown(node.dataset.id);
      node.classList.toggle("chosen", at !== "");
      if (at) node.setAttribute("aria-current", "true");
      else node.removeAttribute("aria-current");
    }
  }

  key(event) {
    const row = event.target.closest("tr");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling,
      Home: row.parentElement.firstElementChild, End: row.parentElement.lastElementChild };
    if (event.key in steps) {
      const next = steps[event.key];
      if (next) { row.tabIndex = -1; next.tabIndex = 0; next.focus(); }
    } else if (event.target !== row) return;
    else if (event.key === "Enter" || event.key === " ") this.events.open(row.dataset.id);
    else if (event.key === "c") this.events.compare(row.dataset.id);
    else if (event.key === "Delete") {
      (row.nextElementSibling ?? row.previousElementSibling)?.focus();
      this.events.remove(row.dataset.id);
    } else return;
    event.preventDefault();
  }
}

// a name whose end stays visible where there is no room for all of it: frames and files of one folder differ there
/** @param {string} name */
function inTwo(name) {
  const letters = [...name], n = 5;
  return letters.length < 12 ? [name, ""] : [letters.slice(0, -n).join(""), letters.slice(-n).join("")];
}
