// The page: reads the embedded numbers, shows one structure at a time, keeps all parts in step.

const LINKS_FIRST = "learnt-mask-edges"; // the method whose scores are those of pairs
const $ = (id) => document.getElementById(id);

class Page {
  /**
   * @param {PageData} data
   * @param {string} suffix behind the ids of the parts of one of several views in a document
   */
  constructor(data, suffix = "") {
    this.$ = (id) => document.getElementById(id + suffix);
    this.root = this.$("viewer");
    this.tells = suffix === ""; // one view speaks for the document
    this.root.hidden = false; // it was, for browsers without JavaScript
    this.data = data;
    /** @type {Structure[]} */
    this.structures = data.structures.map(prepare);
    /** @type {Mode} */
    this.mode = "range";
    this.paper = false; // whether molecules are shown as drawings
    this.hot = null;
    this.chosen = null;
    this.events = {
      hover: (atom) => this.hover(atom),
      choose: (atom) => this.choose(atom === this.chosen ? null : atom),
      chosen: () => this.chosen,
    };
    /** @type {Stage | null} */
    this.stage = Stage.canDraw() ? this.openStage() : null;
    this.table = new AtomTable(/** @type {HTMLTableElement} */ (this.$("atoms")), this.$("all-rows"), this.events);
    this.listen();
    this.fillPicker();
    this.show(this.fromAddress());
  }

  /** @returns {Stage | null} */
  openStage() {
    try {
      return new Stage(this.$("stage"), this.events);
    } catch (error) {
      console.warn(`The 3D view could not be opened: ${error}`);
      return null;
    }
  }

  // ---- one structure

  /** @param {number} index */
  show(index) {
    this.index = Math.min(Math.max(index, 0), this.structures.length - 1);
    const s = this.structure = this.structures[this.index];
    this.hot = this.chosen = null;
    this.flat = flatOf(s);
    if (s.baseline === null && this.mode === "baseline") this.mode = "range";
    if (s.baseline === 0 && this.mode === "range") this.mode = "baseline"; // lowered or raised
    this.$("name").textContent = s.name;
    const named = s.name === s.formula || s.name === s.formula_plain;
    this.$("formula").replaceChildren(...(named ? [] : formulaNodes(s)));
    this.$("facts").textContent = `${named ? "" : "· "}${facts(s)}`;
    this.$("target").textContent = `${s.target_text} =`;
    this.$("prediction").textContent = s.prediction_text;
    this.$("std-words").replaceChildren(...prose(s.std_words));
    this.$("sum").replaceChildren(...prose(s.sum_words));
    this.$("sum").hidden = !s.sum_words;
    this.$("beside").replaceChildren(...prose(s.beside_words));
    this.$("seen").textContent = s.seen_words;
    this.$("warning").replaceChildren(...prose(s.warning ? `⚠ ${s.warning}` : ""));
    for (const node of this.root.querySelectorAll("[data-score-unit], [data-unit]")) node.textContent = s.score_unit && `· scores in ${s.score_unit}`;
    this.$("means").replaceChildren(...prose(s.meaning[0]));
    this.$("means-not").replaceChildren(...prose(s.meaning[1]));
    this.$("made-by").textContent = s.made_by;
    this.$("live").textContent = `${s.name}: ${s.target_text} ${s.prediction_text}`;
    this.links = s.method === LINKS_FIRST;
    this.$("links-card").hidden = s.links.length === 0;
    this.$("links-words").textContent = s.links_words;
    listLinks(this.$("links"), s, this.data.scales, this.events);
    this.showDrawing();
    this.table.show(s, (atom) => this.colourOf(atom));
    this.refresh();
    this.$("scroll").scrollTop = 0;
    this.markPicker();
    this.tell({ structure: this.index, renderer: this.renderer, rows: this.table.rows.size });
    this.report();
  }

  showDrawing() {
    const s = this.structure, flat = s.is_formula;
    const paper = this.paper && this.flat !== null;
    if (!flat && !this.stage) s.picture ??= stillOf(this.index);
    this.renderer = flat ? "composition" : paper ? "drawing" : this.stage ? "webgl" : s.picture ? "picture" : "none";
    this.$("draw").hidden = this.flat === null;
    for (const button of this.root.querySelectorAll("[data-draw]")) {
      button.setAttribute("aria-pressed", String((button.dataset.draw === "2d") === paper));
    }
    this.$("paper").hidden = !paper;
    this.$("save-svg").hidden = !paper;
    this.$("groups-card").hidden = !paper || s.drawing.groups.length === 0;
    this.$("gl").hidden = this.$("overlay").hidden = this.renderer !== "webgl";
    this.$("composition").hidden = !flat;
    this.$("picture").hidden = this.renderer !== "picture";
    this.$("no-picture").hidden = this.renderer !== "none";
    if (this.renderer === "picture") {
      this.$("picture").src = s.picture;
      this.$("picture").alt = `${s.name} with its atoms coloured by score`;
    }
    const drawn = this.renderer === "webgl";
    const periodic = drawn && s.scene.cell_edges.length > 0;
    this.root.querySelector('[data-toggle="cell"]').hidden = !periodic;
    const pairs = this.root.querySelector('[data-toggle="links"]');
    pairs.hidden = !drawn || s.links.length === 0;
    pairs.setAttribute("aria-pressed", String(this.links));
    for (const node of [...this.root.querySelectorAll('[data-toggle="sizes"], [data-toggle="spin"]'), this.$("reset")]) node.hidden = !drawn;
    this.$("labels").parentElement.hidden = this.$("stage-help").hidden = !drawn;
    this.root.querySelector(".toolbar").hidden = !drawn && !flat && this.flat === null;
    const around = this.root.querySelector('[data-colours="baseline"]');
    around.disabled = s.baseline === null || (paper && s.baseline !== 0);
    around.textContent = s.baseline === 0 ? "Around no effect" : "Around even share";
    this.$("save-png").hidden = !drawn && !paper && this.renderer !== "picture";
    this.$("stage").setAttribute("aria-label", `${s.name}, ${s.symbols.length} atoms, coloured by ${s.method}; ${s.baseline === 0 ? "largest" : "highest"}: ${s.order.slice(0, 3).map((i) => s.symbols[i] + i).join(", ")}`);
    if (drawn) {
      Object.assign(this.stage.options, { mode: this.mode, labels: this.$("labels").value, links: this.links });
      if (this.stage.structure === s) this.stage.paint();
      else this.stage.show(s, this.data.scales);
    }
  }

  /** @param {number} atom */
  colourOf(atom) {
    const { scales } = this.data, s = this.structure;
    if (this.mode === "elements") return scales.elements[s.symbols[atom]].colour;
    return Colours.at(Colours.scale(s, this.mode, scales), s.scores[atom]);
  }

  // legend, chart and composition in the colours of the mode
  refresh() {
    const { structure: s, mode, data, $ } = this;
    for (const button of this.root.querySelectorAll("[data-colours]")) {
      button.setAttribute("aria-pressed", String(button.dataset.colours === mode));
    }
    const legend = $("legend");
    if (this.renderer === "drawing") {
      drawLegend(legend, this.flat, mode, data.scales);
      const point = legend.pointTo;
      if (point) legend.pointTo = (atom) => point(this.flat.owner.get(atom) ?? null);
      legend.append(element("p", { class: "quiet" }, "Scores of hydrogens are added to those of the atoms that they hang on."));
      drawGroups(this.$("groups"), this.flat, mode, data.scales, this.events);
      drawFlat(this.$("paper"), this.flat, mode, data.scales, this.events);
    } else drawLegend($("legend"), s, this.renderer === "picture" ? drawnMode(s) : mode, data.scales);
    drawStrips(this.$("chart"), s, mode, data.scales, this.events);
    if (s.is_formula) drawComposition(this.$("composition"), s, mode, data.scales);
    this.mark();
  }

  /** @param {boolean} on whether molecules are shown as drawings */
  setPaper(on) {
    this.paper = on;
    this.showDrawing();
    this.refresh();
    this.tell({ renderer: this.renderer });
  }

  /** @param {Mode} mode */
  setMode(mode) {
    this.mode = mode;
    if (this.renderer === "webgl") this.stage.set({ mode });
    this.table.recolour((atom) => this.colourOf(atom));
    this.refresh();
    this.report();
  }

  // ---- pointing at an atom and choosing one

  /** @param {number | null} atom */
  hover(atom) {
    if (atom === this.hot) return;
    this.hot = atom;
    this.mark();
  }

  /** @param {number | null} atom */
  choose(atom) {
    this.chosen = atom;
    this.mark();
    if (atom !== null) {
      const s = this.structure;
      this.table.reveal(atom);
      this.$("live").textContent = `${s.symbols[atom]}${atom}: score ${shortNumber(s.scores[atom])}`;
    }
    this.report();
  }

  mark() {
    if (this.renderer === "webgl") this.stage.mark(this.hot, this.chosen);
    if (this.renderer === "drawing") markFlat(this.$("paper"), this.flat, this.hot, this.chosen);
    this.table.mark(this.hot, this.chosen);
    this.$("legend").pointTo?.(this.hot ?? this.chosen);
    for (const node of this.$("chart").querySelectorAll("circle")) {
      const atom = Number(node.dataset.atom);
      node.classList.toggle("hot", atom === this.hot);
      node.classList.toggle("chosen", atom === this.chosen);
    }
  }

  // for scripts and tests: what the page shows, on the root element
  report() {
    this.tell({ chosen: this.chosen ?? "", mode: this.mode, ready: "yes" });
  }

  tell(facts) {
    if (this.tells) Object.assign(document.documentElement.dataset, facts);
  }

  // ---- the list of structures

  fillPicker() {
    const many = this.structures.length > 1;
    this.$("picker").hidden = !many;
    this.$("viewer").classList.toggle("many", many);
    if (!many) return;
    this.$("picker-list").append(...this.structures.map((s, i) => element("li", { role: "option", id: `structure-${i}`, "data-index": i },
      element("b", { title: s.name }, s.name), element("span", {}, `${s.target_text} ${s.prediction_text}`))));
    this.$("picker-list").addEventListener("click", (event) => {
      const item = event.target.closest("li");
      if (item) this.go(Number(item.dataset.index));
    });
    this.$("picker-list").addEventListener("keydown", (event) => {
      const visible = [...$("picker-list").children].filter((item) => !item.hidden);
      const at = visible.findIndex((item) => Number(item.dataset.index) === this.index);
      const to = { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: visible.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      if (visible[to]) this.go(Number(visible[to].dataset.index));
    });
    this.$("picker-search").addEventListener("input", () => this.filterPicker());
    this.filterPicker();
  }

  filterPicker() {
    const wanted = this.$("picker-search").value.trim().toLowerCase();
    let n = 0;
    for (const item of this.$("picker-list").children) {
      const s = this.structures[Number(item.dataset.index)];
      item.hidden = ![s.name, s.formula_plain, s.target].some((text) => text.toLowerCase().includes(wanted));
      n += item.hidden ? 0 : 1;
    }
    this.$("picker-count").textContent = n === this.structures.length ? `(${n})` : `(${n} of ${this.structures.length})`;
  }

  markPicker() {
    for (const item of this.$("picker-list").children) {
      const here = Number(item.dataset.index) === this.index;
      item.setAttribute("aria-selected", String(here));
      if (!here) continue;
      this.$("picker-list").setAttribute("aria-activedescendant", item.id);
      const list = this.$("picker-list");
      list.scrollTop = Math.min(Math.max(list.scrollTop, item.offsetTop + item.offsetHeight - list.offsetTop - list.clientHeight), item.offsetTop - list.offsetTop);
      list.scrollLeft = Math.min(Math.max(list.scrollLeft, item.offsetLeft + item.offsetWidth - list.offsetLeft - list.clientWidth), item.offsetLeft - list.offsetLeft);
    }
  }

  /** @param {number} index */
  go(index) {
    try {
      history.replaceState(null, "", `#${index}`);
    } catch { /* a page inside a notebook has no address of its own */ }
    this.show(index);
  }

  // "#3" opens the fourth structure
  fromAddress() {
    const index = Number.parseInt(location.hash.slice(1), 10);
    return Number.isFinite(index) ? index : 0;
  }

  // ---- buttons

  listen() {
    for (const button of this.root.querySelectorAll("[data-colours]")) {
      button.addEventListener("click", () => this.setMode(/** @type {Mode} */ (button.dataset.colours)));
    }
    for (const button of this.root.querySelectorAll("[data-toggle]")) {
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        if (button.dataset.toggle === "links") this.links = on;
        if (button.dataset.toggle === "spin") this.stage.spin(on);
        else this.stage.set({ [button.dataset.toggle]: on });
      });
    }
    for (const button of this.root.querySelectorAll("[data-draw]")) {
      button.addEventListener("click", () => this.setPaper(button.dataset.draw === "2d"));
    }
    this.$("labels").value = "symbols";
    this.$("labels").addEventListener("change", () => this.stage.set({ labels: this.$("labels").value }));
    this.$("reset").addEventListener("click", () => this.stage.resetView());
    this.$("save-csv").addEventListener("click", () => save(this.csv(), "text/csv", `${fileStem(this.structure.name)}.csv`));
    this.$("save-xyz").addEventListener("click", () => save(this.extxyz(), "text/plain", `${fileStem(this.structure.name)}.extxyz`));
    this.$("save-svg").addEventListener("click", () => save(flatFile(this.flat, this.mode, this.data.scales).text, "image/svg+xml", `${fileStem(this.structure.name)}.svg`));
    this.$("save-png").addEventListener("click", () => this.savePicture());
    window.addEventListener("hashchange", () => this.show(this.fromAddress()));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.stage?.retheme());
    window.addEventListener("beforeprint", () => this.snapshot());
    let width = 0;
    new ResizeObserver(() => {
      if (Math.abs(this.$("chart").clientWidth - width) < 2) return;
      width = this.$("chart").clientWidth;
      drawStrips(this.$("chart"), this.structure, this.mode, this.data.scales, this.events);
      this.mark();
    }).observe(this.$("chart"));
  }

  csv() { return toCsv(this.structure); }

  extxyz() { return toExtxyz(this.structure); }

  // a printer gets the view as it stands, on white
  snapshot() {
    if (this.renderer !== "webgl") return;
    this.$("snapshot").replaceChildren(toPicture(this.stage, this.structure, this.mode, this.data.scales));
  }

  savePicture() {
    const name = `${fileStem(this.structure.name)}.png`;
    if (this.renderer === "picture") {
      const link = element("a", { href: this.structure.picture, download: name });
      link.click();
      return;
    }
    if (this.renderer === "drawing") {
      savePaper(flatFile(this.flat, this.mode, this.data.scales), name);
      return;
    }
    toPicture(this.stage, this.structure, this.mode, this.data.scales).toBlob((blob) => save(blob, "image/png", name));
  }
}

// the picture that a browser without JavaScript would show
/** @param {number} index */
function stillOf(index) {
  const stills = new DOMParser().parseFromString($("stills").textContent, "text/html");
  return stills.querySelector(`[data-structure="${index}"]`)?.getAttribute("src") ?? null;
}

// the colours of the picture that Python has drawn
/** @param {Structure} structure @returns {Mode} */
function drawnMode(structure) {
  return structure.baseline === 0 ? "baseline" : "range";
}

/** @param {Payload} structure */
function prepare(structure) {
  const { scores } = structure, atoms = scores.map((_, i) => i);
  const order = atoms.sort((i, j) => sizeOf(structure, j) - sizeOf(structure, i) || i - j);
  const range = scores.reduce(([low, high], score) => [Math.min(low, score), Math.max(high, score)], [Infinity, -Infinity]);
  return { ...structure, order, scores_range: range };
}

// by what the atoms stand in order: of what raises and lowers the value the size
/** @param {Payload} structure @param {number} atom */
function sizeOf(structure, atom) {
  return structure.baseline === 0 ? Math.abs(structure.scores[atom]) : structure.scores[atom];
}

/** @param {Structure} structure */
function formulaNodes(structure) {
  return structure.formula_parts.flatMap(([symbol, n]) => (n > 1 ? [symbol, element("sub", {}, String(n))] : [symbol]));
}

/** @param {Structure} s */
function facts(s) {
  const n = s.symbols.length;
  const kind = { formula: "formula only", molecule: "molecule", wire: "repeats in 1 direction", slab: "repeats in 2 directions", crystal: "crystal" }[s.periodicity];
  const parts = [`${n} atom${n === 1 ? "" : "s"}`, kind, `coloured by ${s.method}`];
  if (s.model) parts.push(`model ${s.model}`);
  return parts.join(" · ");
}

if ($("atomlens-data")) window.atomlens = new Page(JSON.parse($("atomlens-data").textContent));
