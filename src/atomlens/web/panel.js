// One view of one prediction: the viewer of the pages, and around it what the application adds.

class Panel {
  constructor(id, events) {
    this.id = id;
    this.suffix = id === "a" ? "" : `-${id}`;
    this.node = $(`panel-${id}`);
    this.part = (name) => this.node.querySelector(`[data-part="${name}"]`);
    this.events = events;
    /** @type {LinkedPage | null} */
    this.view = null;
    /** @type {{ structure: string, model: string } | null} what was asked last; what is shown may be older */
    this.wanted = null;
    /** @type {string | null} why there is no answer to it */
    this.refusal = null;
    /** @type {HeldStructure | null} */
    this.structure = null;
    /** @type {string | undefined} */
    this.model = undefined;
    /** @type {AnswerRow | null} */
    this.answer = null;
    /** @type {ModelDescription | null} */
    this.description = null;
    this.asked = 0; // number of the last question, so that late answers are not shown
    // the answer stands under the name, the tools of a chosen atom under the picture
    this.node.querySelector(".headline").after(this.node.querySelector(".answers"));
    this.node.querySelector(".drawing .legend").after(this.part("edit"));
    this.part("compare").addEventListener("click", () => events.compareWith(this));
    this.part("close").addEventListener("click", () => events.close(this));
    this.part("swap").addEventListener("click", () => events.swap());
    this.part("link").addEventListener("click", () => events.link());
    this.part("svg").addEventListener("click", () => this.saveSvg());
    this.part("page").addEventListener("click", () => events.savePage(this));
    this.part("structure").addEventListener("change", () => events.show(this, { structure: this.part("structure").value }));
    this.part("model").addEventListener("change", () => events.show(this, { model: this.part("model").value }));
    this.part("remove").addEventListener("click", () => this.change(null));
    this.part("edit").addEventListener("submit", (event) => { event.preventDefault(); this.change(this.part("element").value); });
    this.node.addEventListener("keydown", (event) => {
      if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || this.view?.chosen === null) return;
      if (event.key === "Delete") this.change(null);
      else if (event.key === "e") this.part("element").focus();
      else return;
      event.preventDefault();
    });
  }

  get isOpen() { return !this.node.hidden; }

  // nothing is shown, nothing is kept for the next structure, and no answer on its way is shown
  forget() {
    this.asked += 1;
    this.wanted = this.structure = this.answer = this.description = this.refusal = null;
    this.model = undefined;
    this.node.hidden = true;
    this.node.removeAttribute("aria-busy");
    delete document.documentElement.dataset[`panel${this.id.toUpperCase()}`];
  }

  // what is shown is what is wanted again
  keep() {
    this.asked += 1;
    this.wanted = { structure: this.structure.id, model: this.model };
    this.part("structure").value = this.structure.id;
    this.part("model").value = this.model;
    this.node.removeAttribute("aria-busy");
  }

  // a new explanation, in the view that stands there
  showExplanation(data, { structure, model, answer, description }) {
    const before = this.structure, kept = before?.id === structure.id && this.answer.taken_for === answer.taken_for;
    Object.assign(this, { structure, model, answer, description, refusal: null });
    data.structures[0].model = model; // its name here, in place of that of its kind
    this.part("structure").value = structure.id;
    this.part("model").value = model;
    this.node.hidden = false;
    if (this.view === null) {
      this.view = new LinkedPage(data, this.suffix, this);
      if (this.id === "a") window.atomlens = this.view;
    } else this.view.replace(data, kept);
    this.node.setAttribute("aria-label", `${structure.name}, model ${model}`);
    this.showAnswers();
    this.showEdit();
    document.documentElement.dataset[`panel${this.id.toUpperCase()}`] = `${structure.id}|${model}|${this.view.structure.target}|${this.view.structure.method}`;
  }

  showAnswers() {
    const { answer, description } = this, target = this.view.structure.target;
    const given = answer.values[target];
    this.part("targets").replaceChildren(...description.targets.map((t) => {
      const value = answer.values[t.name];
      const button = element("button", { type: "button", "aria-pressed": String(t.name === target) }, element("span", {}, t.text), element("b", {}, value?.text ?? "–"));
      button.addEventListener("click", () => this.events.chooseTarget(t.name));
      return element("li", {}, button);
    }));
    this.part("targets").hidden = description.targets.length < 2;
    this.part("interval").textContent = given?.interval_text ? capital(given.interval_text) : "";
    const unlike = answer.unlike;
    this.part("unlike").hidden = unlike === null;
    if (unlike !== null) {
      const mood = unlike > 99 ? "strange" : unlike > 90 ? "odd" : "known";
      this.part("unlike").dataset.mood = mood;
      this.part("unlike").title = "Share of the validation structures that are nearer to the training data";
      this.part("unlike-text").textContent = `${{ strange: "Unlike the training data", odd: "Somewhat unlike the training data", known: "Like the training data" }[mood]}: farther from it than ${unlike} % of the validation structures`;
      this.part("unlike").querySelector("i").style.left = `${unlike}%`;
    }
    this.part("seen").textContent = answer.seen_in ? `This structure was in the model's ${answer.seen_in.replace(/^train$/, "training")} part.` : "";
    this.part("about-text").replaceChildren(...prose(this.view.structure.std_words));
    drawSpectrum(this.part("spectrum"), given, description.targets.find((t) => t.name === target));
  }

  // ---- changing atoms

  showEdit() {
    const s = this.view?.structure, atom = this.view?.chosen ?? null;
    if (!s || !this.structure) return;
    this.part("edit-hint").hidden = atom !== null;
    this.part("edit-tools").hidden = atom === null;
    const formula = this.structure.kind === "formula" || Boolean(this.answer.taken_for);
    this.part("edit").hidden = false;
    if (atom === null) return;
    this.part("atom").textContent = `${s.symbols[atom]}${atom}`;
    this.part("follow-label").hidden = s.drawing === null || formula;
  }

  async change(element) {
    const atom = this.view?.chosen;
    if (atom === null || atom === undefined) return;
    if (element !== null && !element.trim()) { this.part("element").focus(); return; }
    await this.events.change(this, { atom, element, hydrogens_follow: this.part("follow").checked });
  }

  // what a change has done to the value
  showMoved(parent, before) {
    const node = this.part("moved"), target = this.view.structure.target;
    const old = before?.values?.[target], now = this.answer.values[target];
    node.hidden = !parent;
    if (!parent) { node.replaceChildren(); return; }
    const back = element("button", { type: "button" }, `Back to ${parent.name}`);
    back.addEventListener("click", () => this.events.show(this, { structure: parent.id }));
    const both = element("button", { type: "button", class: "both" }, "Side by side");
    both.addEventListener("click", () => this.events.beside(this, parent.id));
    const parts = [element("span", {}, element("b", {}, this.structure.change), " changed from ", parent.name, ".")];
    if (typeof old?.value === "number" && typeof now?.value === "number" && !now.label) {
      const unit = this.view.structure.unit, by = now.value - old.value;
      const both = Math.hypot(old.std ?? 0, now.std ?? 0);
      parts.push(element("span", { class: "by" }, `${shortNumber(old.value, 4)} → ${shortNumber(now.value, 4)} ${unit}: `,
        element("b", {}, `${by > 0 ? "+" : ""}${shortNumber(by)} ${unit}`), both && Math.abs(by) < both ? " (within the errors)" : ""));
    }
    node.replaceChildren(...parts, element("span", { class: "row" }, back, ...(this.id === "a" ? [both] : [])));
  }

  saveSvg() {
    const s = this.view.structure;
    if (this.view.renderer === "drawing") {
      save(flatFile(this.view.flat, this.view.mode, this.view.data.scales).text, "image/svg+xml", `${fileStem(s.name)}.svg`);
      return;
    }
    download(`api/picture.svg?${this.query()}&draw=3d`, `${fileStem(s.name)}.svg`);
  }

  query() {
    const { target, method } = this.view.structure, at = this.events.at();
    return new URLSearchParams({ model: this.model, structure: this.structure.id, target, method, ...(at === null ? {} : { at }) });
  }
}

// the viewer of the pages, whose camera and atoms follow those of another
class LinkedPage extends Page {
  constructor(data, suffix, panel) {
    super(data, suffix);
    this.panel = panel;
    this.stage?.viewer.setViewChangeCallback((view) => {
      this.stage.drawOverlay();
      this.panel?.events.turned(this.panel, view);
    });
  }

  replace(data, keepsView) {
    const view = keepsView ? this.stage?.viewer.getView() : null;
    const chosen = keepsView ? this.chosen : null;
    Object.assign(this.data.scales.elements, data.scales.elements);
    this.structures = data.structures.map(prepare);
    this.show(0);
    if (view && this.renderer === "webgl") this.stage.viewer.setView(view);
    if (chosen !== null && chosen < this.structure.symbols.length) this.choose(chosen);
  }

  fillPicker() { this.$("picker").hidden = true; }

  fromAddress() { return 0; }

  hover(atom, echo = false) {
    super.hover(atom);
    if (!echo) this.panel?.events.pointed(this.panel, atom);
  }

  choose(atom) {
    super.choose(atom);
    this.panel?.showEdit();
  }

  show(index) {
    super.show(index);
    this.panel?.showEdit();
  }
}

function capital(text) { return text.charAt(0).toUpperCase() + text.slice(1); }

// a predicted spectrum with its error
function drawSpectrum(root, given, target) {
  root.hidden = !given?.spectrum;
  root.replaceChildren();
  if (!given?.spectrum) return;
  const width = 560, height = 150, left = 46, bottom = 26, grid = target.grid, values = given.spectrum, std = given.spectrum_std ?? [];
  const lows = values.map((v, i) => v - (std[i] ?? 0)), highs = values.map((v, i) => v + (std[i] ?? 0));
  const low = Math.min(0, ...lows), high = Math.max(...highs);
  const x = (i) => left + ((grid[i] - grid[0]) / (grid[grid.length - 1] - grid[0] || 1)) * (width - left - 8);
  const y = (v) => 8 + ((high - v) / (high - low || 1)) * (height - bottom - 8);
  const line = (list) => list.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`).join(" ");
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${target.text} over ${target.grid_name}` });
  const poly = (points, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    node.setAttribute("points", points);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  for (const [value, text] of ticksBetween(low, high).slice(0, 7)) svg.append(element("line", { class: "grid", x1: left, x2: width - 8, y1: y(value), y2: y(value) }), element("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, text));
  for (const [value, text] of ticksBetween(grid[0], grid[grid.length - 1])) {
    const at = left + ((Number(value) - grid[0]) / (grid[grid.length - 1] - grid[0] || 1)) * (width - left - 8);
    svg.append(element("text", { x: at, y: height - 8, "text-anchor": "middle" }, text));
  }
  if (std.some((v) => v)) svg.append(poly(`${line(highs)} ${line(lows).split(" ").reverse().join(" ")}`, { class: "band" }));
  svg.append(poly(line(values), { class: "curve" }));
  root.append(svg, element("figcaption", { class: "quiet" }, `${target.text}${target.unit_text ? ` (${target.unit_text})` : ""} over ${target.grid_name}${target.grid_unit_text ? ` (${target.grid_unit_text})` : ""}`));
}
