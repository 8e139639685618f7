// The application: what is given, which model answers, and what is shown of it.

class App {
  constructor() {
    this.work = new Work();
    this.models = new Map(start.models.map((model) => [model.id, { ...model, description: null }]));
    this.answers = new Map(); // model -> structure -> row
    this.count = 0;
    this.linked = true;
    this.turning = false;
    this.model = start.first;
    this.target = this.method = "";
    this.chosen = 0; // number of the last choice of model, property and method
    this.settled = null; // the last choice that the whole table has answers of
    this.cleared = 0; // how often
    this.table = new ShelfTable({
      open: (id) => this.show(this.a, { structure: id }),
      compare: (id) => this.compare(id),
      remove: (id) => this.remove(id),
      shown: (id) => [this.a, this.b].filter((panel) => panel?.isOpen && panel.structure?.id === id).map((panel) => panel.id).join(""),
    });
    const events = {
      show: (panel, what) => this.show(panel, what),
      chooseTarget: (name) => this.choose({ target: name }),
      change: (panel, what) => this.change(panel, what),
      compareWith: (panel) => this.compareWith(panel),
      beside: (panel, id) => this.show(this.b, { structure: id, model: panel.model }),
      close: (panel) => this.close(panel),
      swap: () => this.swap(),
      link: () => this.link(!this.linked),
      savePage: (panel) => this.savePage(panel),
      turned: (panel, view) => this.turned(panel, view),
      pointed: (panel, atom) => this.pointed(panel, atom),
      at: () => this.at(),
    };
    this.a = new Panel("a", events);
    this.b = new Panel("b", events);
    this.fillModels();
    this.listen();
    $("version").textContent = start.version;
    this.begin();
  }

  async begin() {
    try {
      const [structures] = await Promise.all([ask("api/structures"), this.describe(this.model)]);
      this.fillChoices();
      this.settled = this.choice();
      if (structures.length) await this.take(structures, false);
    } catch (error) {
      tell(error.message);
    }
    document.documentElement.dataset.ready = "yes";
    $("text").focus();
  }

  structures() { return [...this.table.rows.values()].map((row) => row.structure); }

  structure(id) { return this.table.rows.get(id)?.structure ?? null; }

  // ---- models and their answers

  async describe(id) {
    const known = this.models.get(id);
    known.description ??= await this.work.result(`api/models/${encodeURIComponent(id)}`, undefined, { method: "GET" });
    return known.description;
  }

  fillModels() {
    const groups = [["own", "Your models"], ["box", "From the box"]];
    for (const select of [$("model"), this.b.part("model"), this.a.part("model")]) {
      select.replaceChildren(...groups.flatMap(([source, label]) => {
        const models = start.models.filter((model) => model.source === source);
        return models.length ? [element("optgroup", { label }, ...models.map(({ id }) => element("option", { value: id }, id)))] : [];
      }));
      select.value = this.model;
    }
  }

  fillChoices() {
    const { targets, methods, n_models: n, std_source: source } = this.models.get(this.model).description;
    if (!targets.some((t) => t.name === this.target)) this.target = targets[0].name;
    if (!methods.includes(this.method)) this.method = methods[0];
    $("property").replaceChildren(...targets.map((t) => element("option", { value: t.name }, `${t.text}${t.unit_text ? ` (${t.unit_text})` : ""}`)));
    $("method").replaceChildren(...methods.map((name) => element("option", { value: name }, name.replaceAll("-", " "))));
    $("property").value = this.target;
    $("method").value = this.method;
    $("property").disabled = $("method").disabled = false;
    const target = targets.find((t) => t.name === this.target);
    $("point-label").hidden = !target.is_spectrum;
    $("point-name").textContent = `at ${target.grid_name}${target.grid_unit_text ? ` (${target.grid_unit_text})` : ""}`;
    $("standing").textContent = n > 1 ? `mean of ${n} networks` : source === "none" ? "no error estimate" : "";
    $("shelf-unit").textContent = `${target.text}${target.unit_text ? `, ${target.unit_text}` : ""} · model ${this.model}`;
    this.table.target = this.target;
  }

  at() {
    const value = Number.parseFloat($("point").value);
    return $("point-label").hidden || !Number.isFinite(value) ? null : value;
  }

  async predict(model, ids) {
    if (!this.answers.has(model)) this.answers.set(model, new Map());
    const known = this.answers.get(model), missing = ids.filter((id) => !known.has(id) && this.table.rows.has(id));
    if (missing.length) {
      const rows = await this.work.result("api/predictions", { model, structures: missing });
      for (const row of rows) known.set(row.structure, row);
    }
    return known;
  }

  choice() { return { model: this.model, target: this.target, method: this.method }; }

  /** @param {{ model?: string, target?: string, method?: string }} what */
  async choose({ model = $("model").value, target, method }) {
    const turn = ++this.chosen;
    $("model").value = model;
    document.body.classList.add("choosing");
    if (this.a.isOpen) this.a.node.setAttribute("aria-busy", "true");
    try {
      const description = await this.describe(model);
      if (turn !== this.chosen) return;
      const follows = this.follows();
      this.model = model;
      if (target && description.targets.some((t) => t.name === target)) this.target = target;
      if (method && description.methods.includes(method)) this.method = method;
      this.fillChoices();
      this.fillRows();
      await this.showAgain(follows);
      await this.predictAll();
      if (turn !== this.chosen) return;
      this.fillRows();
      this.settled = this.choice();
    } catch (error) {
      if (turn !== this.chosen) return;
      tell(error.message);
      await this.takeBack();
    } finally {
      if (turn === this.chosen) document.body.classList.remove("choosing");
    }
  }

  // the last choice that came to an end, in the bar, the table and the views
  async takeBack() {
    const follows = this.follows();
    if (this.settled) {
      Object.assign(this, this.settled);
      this.fillChoices();
    }
    $("model").value = this.model;
    this.fillRows();
    await this.showAgain(follows).catch((error) => tell(error.message));
  }

  // whether the first view has the model of the bar, and not one of its own beside a second view
  follows() { return !this.b.isOpen || this.a.wanted?.model === this.model; }

  async showAgain(follows) {
    for (const panel of [this.a, this.b]) {
      try {
        if (panel.wanted) await this.ask(panel, { model: panel === this.a && follows ? this.model : panel.wanted.model });
      } catch (error) {
        if (error instanceof Stopped) throw error;
        tell(error.message);
      }
    }
  }

  async predictAll() {
    const ids = this.structures().map((s) => s.id);
    if (ids.length) await this.predict(this.model, ids);
  }

  fillRows() {
    const known = this.answers.get(this.model);
    for (const [id, row] of this.table.rows) row.answer = known?.get(id) ?? null;
    this.table.fill();
  }

  // ---- structures come and go

  async give(files, text) {
    const batches = [];
    let size = Infinity;
    for (const file of files) {
      if (file.size > start.most_bytes - 100_000) {
        tell(`${file.name}: it has ${(file.size / 1e6).toFixed(0)} MB, more than the ${(start.most_bytes / 1e6).toFixed(0)} MB that are taken; use \`atomlens predict\`.`);
        continue;
      }
      if (size + file.size > start.most_bytes / 2 || batches[batches.length - 1].length >= 200) { batches.push([]); size = 0; }
      batches[batches.length - 1].push(file);
      size += file.size;
    }
    if (text.trim()) batches.push(null);
    for (const batch of batches) {
      const cleared = this.cleared, form = new FormData();
      if (batch === null) form.append("text", text);
      else for (const file of batch) form.append("files", file, file.webkitRelativePath || file.name);
      try {
        const { added: read, failures } = await this.work.result("api/structures", form);
        const added = await this.stillThere(read, cleared);
        if (failures.length === 1) tell(failures[0].message);
        else if (failures.length) tell(`${failures.length} could not be read:`, { names: failures.slice(0, 8).map((f) => f.message).concat(failures.length > 8 ? [`and ${failures.length - 8} more`] : []) });
        if (added.length) await this.take(added, true);
        if (batch === null && added.length) $("text").value = unread(text, failures);
      } catch (error) {
        tell(error.message);
      }
    }
  }

  // those of the structures that the server holds (still), if the table was cleared while they were read
  async stillThere(structures, cleared) {
    if (cleared === this.cleared) return structures;
    const held = new Set((await ask("api/structures")).map((s) => s.id));
    return structures.filter((s) => held.has(s.id));
  }

  async take(structures, isNew) {
    for (const structure of structures) this.table.rows.set(structure.id, { structure: { ...structure, order: this.count++ }, answer: null });
    this.table.fill();
    this.fillStructures();
    const ids = structures.map((s) => s.id);
    if (isNew || !this.a.isOpen) await this.showFirst(ids);
    await this.predict(this.model, ids);
    this.fillRows();
  }

  async showFirst(ids) {
    await this.predict(this.model, ids.slice(0, 1));
    this.fillRows();
    await this.show(this.a, { structure: ids[0] });
  }

  fillStructures() {
    const shown = this.structures().slice(0, 2000);
    for (const panel of [this.a, this.b]) {
      const select = panel.part("structure"), at = select.value;
      select.replaceChildren(...shown.map((s) => element("option", { value: s.id }, s.name)));
      select.value = panel.wanted?.structure ?? at;
    }
  }

  async remove(id) {
    this.table.rows.delete(id); // at once, so that nothing more is asked about it
    this.table.fill();
    for (const panel of [this.b, this.a]) {
      if (panel.wanted?.structure !== id) continue;
      if (panel.isOpen && panel.structure.id !== id) panel.keep();
      else this.close(panel);
    }
    this.fillStructures();
    try {
      await ask(`api/structures/${id}`, { method: "DELETE" });
    } catch (error) {
      tell(error.message);
    }
  }

  async clear() {
    try {
      await ask("api/structures", { method: "DELETE" });
    } catch (error) {
      tell(error.message);
      return;
    }
    this.cleared += 1;
    this.table.rows.clear();
    this.answers.clear();
    this.table.fill();
    for (const panel of [this.b, this.a]) panel.forget();
    this.fillStructures();
    this.arrange();
    $("messages").replaceChildren();
    $("text").focus();
  }

  // ---- views

  async show(panel, what) {
    try {
      await this.ask(panel, what);
    } catch (error) {
      tell(error.message);
    }
  }

  // one view stands under the model of the bar; two have models of their own
  modelFor(panel) {
    return panel === this.a && !this.b.isOpen ? this.model : panel.wanted?.model ?? this.model;
  }

  async ask(panel, { structure = panel.wanted?.structure, model = this.modelFor(panel) }) {
    const held = this.structure(structure);
    if (!held) return;
    const turn = ++panel.asked;
    panel.wanted = { structure, model };
    panel.node.setAttribute("aria-busy", "true");
    try {
      const description = await this.describe(model);
      const target = description.targets.some((t) => t.name === this.target) ? this.target : description.targets[0].name;
      const method = description.methods.includes(this.method) ? this.method : description.methods[0];
      const rows = await this.predict(model, [structure, ...(held.parent && this.structure(held.parent) ? [held.parent] : [])]);
      if (turn !== panel.asked) return;
      const answer = rows.get(structure);
      if (answer.error) throw new Refused(answer.error);
      const data = await this.work.result("api/explanations", { model, structure, target, method, at: this.at() });
      if (turn !== panel.asked) return;
      $("welcome").hidden = $("unanswered").hidden = true;
      $("panels").hidden = false; // before anything is drawn, which needs its width
      panel.showExplanation(data, { structure: held, model, answer, description });
      const parent = held.parent ? this.structure(held.parent) : null;
      panel.showMoved(parent, parent && rows.get(parent.id));
      this.arrange();
    } catch (error) {
      if (turn === panel.asked) this.refuse(panel, error);
    } finally {
      if (turn === panel.asked) panel.node.removeAttribute("aria-busy");
      this.table.mark();
    }
  }

  // no answer: what stands there may stay where it is named as what it is, and else gives way to the reason
  refuse(panel, error) {
    const { wanted } = panel, alone = panel === this.a && !this.b.isOpen;
    if (alone && !(error instanceof Stopped)) {
      panel.forget();
      Object.assign(panel, { wanted, refusal: error.message });
      this.arrange();
      return;
    }
    if (panel.isOpen && this.structure(panel.structure.id)) panel.keep();
    else panel.forget();
    this.arrange();
    throw error;
  }

  // which parts are there with one view and with two
  arrange() {
    const two = this.a.isOpen && this.b.isOpen;
    $("panels").classList.toggle("two", two);
    const { wanted, refusal } = this.a;
    $("panels").hidden = !this.a.isOpen;
    $("unanswered").hidden = refusal === null;
    if (refusal !== null) $("unanswered").replaceChildren(element("h2", {}, `${wanted.model} has no answer about ${this.structure(wanted.structure).name}`), element("p", {}, ...prose(refusal)));
    $("welcome").hidden = this.a.isOpen || refusal !== null;
    document.body.classList.toggle("comparing", two);
    for (const panel of [this.a, this.b]) {
      panel.node.querySelector(".beside").hidden = !two;
      panel.part("compare").hidden = two;
      panel.part("link").hidden = panel.part("swap").hidden = !two || panel === this.b;
      panel.part("close").hidden = !two;
    }
    this.link(this.linked);
    document.documentElement.dataset.panels = two ? "2" : this.a.isOpen ? "1" : "0";
    this.table.mark();
    if (this.columns !== two) window.dispatchEvent(new Event("resize")); // canvases have another width
    this.columns = two;
  }

  compare(id) {
    if (!this.a.isOpen || this.a.structure.id === id) return this.show(this.a, { structure: id }).then(() => this.compareWith(this.a));
    return this.show(this.b, { structure: id, model: (this.b.isOpen ? this.b : this.a).wanted.model });
  }

  // beside a change stands what it was; else another model, or another structure
  compareWith(panel) {
    if (!panel.isOpen) return undefined;
    const { structure, model } = panel;
    if (structure.parent && this.structure(structure.parent)) return this.show(this.b, { structure: structure.parent, model });
    const other = this.structures().find((s) => s.id !== structure.id);
    const likely = start.models.find((m) => m.id !== model && m.source === this.models.get(model).source && m.id.startsWith("formula") === model.startsWith("formula"));
    if (other) return this.show(this.b, { structure: other.id, model });
    return this.show(this.b, { structure: structure.id, model: likely?.id ?? model });
  }

  // the view that remains is the first one, and the bar names its model
  close(panel) {
    const next = (panel === this.a ? this.b : this.a).wanted;
    this.b.forget();
    if (!next) this.a.forget();
    else {
      const isShown = panel === this.b;
      this.a.wanted = next;
      if (next.model !== this.model) this.choose({ model: next.model });
      else if (!isShown) this.show(this.a, next);
    }
    this.arrange();
  }

  async swap() {
    const [a, b] = [this.a, this.b].map(({ structure, model }) => ({ structure: structure.id, model }));
    await Promise.all([this.show(this.a, b), this.show(this.b, a)]);
  }

  link(on) {
    this.linked = on;
    this.a.part("link").setAttribute("aria-pressed", String(on));
  }

  // the other view turns alike; of the same structure it also moves and zooms alike
  turned(panel, view) {
    if (!this.linked || this.turning || !this.a.isOpen || !this.b.isOpen) return;
    const other = panel === this.a ? this.b : this.a;
    if (other.view?.renderer !== "webgl") return;
    this.turning = true;
    const theirs = other.view.stage.viewer.getView();
    const same = other.structure.id === panel.structure.id && alike(panel, other);
    other.view.stage.viewer.setView(same ? view : [...theirs.slice(0, 4), ...view.slice(4)]);
    other.view.stage.drawOverlay();
    this.turning = false;
  }

  // the same atom in the other view
  pointed(panel, atom) {
    if (!this.linked || !this.a.isOpen || !this.b.isOpen) return;
    const other = panel === this.a ? this.b : this.a;
    if (!other.view) return;
    const there = atom !== null && alike(panel, other) ? partner(panel.structure, other.structure, atom) : null;
    other.view.hover(there, true);
  }

  async change(panel, { atom, element: symbol, hydrogens_follow }) {
    try {
      const { model } = panel, cleared = this.cleared;
      const [made] = await this.stillThere([await this.work.result(`api/structures/${panel.structure.id}/changes`, { atom, element: symbol, hydrogens_follow, model })], cleared);
      if (!made) return;
      this.table.rows.set(made.id, { structure: { ...made, order: this.count++ }, answer: null });
      this.fillStructures();
      if (panel.wanted) await this.show(panel, { structure: made.id });
      await this.predict(this.model, [made.id]);
      this.fillRows();
      if (panel.structure?.id !== made.id) return;
      panel.part("element").value = "";
      panel.view.$("stage").focus({ preventScroll: true });
      panel.view.$("live").textContent = panel.part("moved").textContent;
    } catch (error) {
      tell(error.message);
    }
  }

  async savePage(panel) {
    const { target, method } = panel.view.structure;
    const ids = [this.a, this.b].filter((p) => p.isOpen && p.model === panel.model).map((p) => p.structure.id);
    try {
      const page = await this.work.result("api/pages", { model: panel.model, structures: [...new Set([panel.structure.id, ...ids])], target, method });
      save(page, "text/html", `${fileStem(panel.structure.name)}.html`);
    } catch (error) {
      tell(error.message);
    }
  }

  // ---- buttons, keys, files

  listen() {
    $("give").addEventListener("submit", (event) => {
      event.preventDefault();
      if (!$("text").value.trim()) { $("text").focus(); return; }
      this.give([], $("text").value);
    });
    $("text").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey) return;
      event.preventDefault();
      $("give").requestSubmit();
    });
    $("pick").addEventListener("click", () => $("files").click());
    $("files").addEventListener("change", () => {
      const files = [...$("files").files];
      $("files").value = "";
      this.give(files, "");
    });
    for (const button of document.querySelectorAll("[data-try]")) {
      button.addEventListener("click", async () => {
        if (button.dataset.model && this.models.has(button.dataset.model)) await this.choose({ model: button.dataset.model });
        await this.give([], button.dataset.try);
      });
    }
    $("model").addEventListener("change", () => this.choose({ model: $("model").value }));
    $("property").addEventListener("change", () => this.choose({ target: $("property").value }));
    $("method").addEventListener("change", () => this.choose({ method: $("method").value }));
    $("point").addEventListener("change", () => this.choose({}));
    $("clear").addEventListener("click", () => this.clear());
    const query = () => new URLSearchParams({ model: this.model });
    $("table-csv").addEventListener("click", () => download(`api/table.csv?${query()}`, "atomlens.csv"));
    $("table-xyz").addEventListener("click", () => download(`api/table.extxyz?${query()}`, "atomlens.extxyz"));
    this.listenToDrops();
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.target.matches("input, select, textarea")) return;
      event.preventDefault();
      $("text").focus();
    });
  }

  listenToDrops() {
    let depth = 0;
    const holds = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    window.addEventListener("dragenter", (event) => { if (holds(event)) { depth += 1; $("veil").hidden = false; event.preventDefault(); } });
    window.addEventListener("dragover", (event) => { if (holds(event)) event.preventDefault(); });
    window.addEventListener("dragleave", () => { depth = Math.max(0, depth - 1); $("veil").hidden = depth === 0; });
    window.addEventListener("drop", async (event) => {
      depth = 0;
      $("veil").hidden = true;
      if (!holds(event)) return;
      event.preventDefault();
      this.give(await droppedFiles(event.dataTransfer), "");
    });
  }
}

// all files that were dropped, those in folders too
async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const found = [];
  const visit = async (entry) => {
    if (found.length >= 5000 || entry.name.startsWith(".")) return;
    if (entry.isFile) {
      found.push(await new Promise((done, failed) => entry.file(done, failed)));
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) return;
      for (const one of some) await visit(one);
    }
  };
  for (const entry of entries) await visit(entry);
  return found;
}

// whether both models see the same of a text that is a SMILES and a formula
function alike(panel, other) {
  return panel.answer.taken_for === other.answer.taken_for;
}

// which atom of another structure an atom is: the same one, or the one that it was before a change
function partner(from, to, atom) {
  if (from.id === to.id) return atom;
  if (from.parent === to.id) return from.origin[atom] >= 0 ? from.origin[atom] : null;
  if (to.parent === from.id) {
    const at = to.origin.indexOf(atom);
    return at >= 0 ? at : null;
  }
  return null;
}

window.app = new App();

// the lines that have failed, for another try; of a text that was one file nothing is left
/** @param {string} text @param {{ name: string }[]} failures */
function unread(text, failures) {
  const names = failures.map((f) => f.name);
  const failed = (line) => names.some((name) => name === line || (name.endsWith("...") && line.startsWith(name.slice(0, -3))));
  return text.split("\n").map((line) => line.trim()).filter((line) => line && failed(line)).join("\n");
}
