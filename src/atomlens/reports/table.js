// The table of atoms: sorted by a click on a heading, walked with the arrow keys.

const FIRST_ROWS = 500;

class AtomTable {
  /** @param {HTMLTableElement} table @param {HTMLElement} more @param {Events} events */
  constructor(table, more, events) {
    this.table = table;
    this.more = more;
    this.events = events;
    this.sort = { key: "size", down: true };
    const body = table.tBodies[0];
    const atomOf = (event) => {
      const row = event.target.closest("tr");
      return row ? Number(row.dataset.atom) : null;
    };
    body.addEventListener("pointerover", (event) => events.hover(atomOf(event)));
    body.addEventListener("pointerleave", () => events.hover(null));
    body.addEventListener("focusin", (event) => events.hover(atomOf(event)));
    body.addEventListener("click", (event) => events.choose(atomOf(event)));
    body.addEventListener("keydown", (event) => this.key(event));
    more.addEventListener("click", () => { this.all = true; this.fill(); });
  }

  /** @param {Structure} structure @param {(atom: number) => string} colourOf */
  show(structure, colourOf) {
    this.structure = structure;
    this.colourOf = colourOf;
    this.all = false;
    this.columns = [["index", "#"], ["symbol", "element"]];
    this.columns.push(["score", "score"]);
    if (structure.scores_std) this.columns.push(["std", "± std"]);
    if (structure.baseline) this.columns.push(["ratio", "× even"]);
    if (!structure.is_formula) this.columns.push(["x", "x / Å"], ["y", "y / Å"], ["z", "z / Å"]);
    this.fill();
  }

  /** @param {number} atom */
  value(key, atom) {
    const s = this.structure;
    if (key === "index") return atom;
    if (key === "symbol") return s.symbols[atom];
    if (key === "size") return sizeOf(s, atom);
    if (key === "score") return s.scores[atom];
    if (key === "std") return s.scores_std[atom];
    if (key === "ratio") return s.scores[atom] / s.baseline;
    return s.positions[atom]["xyz".indexOf(key)];
  }

  /** @param {number} atom */
  text(key, atom) {
    const value = this.value(key, atom);
    if (key === "index") return String(value);
    if (key === "symbol") return value;
    if (key === "ratio") return `${shortNumber(value)}×`;
    if (key === "score") return shortNumber(value);
    if (key === "std") return shortNumber(value, 2);
    return fixed(value, 2);
  }

  // scores stand by size first, then from the highest, then from the lowest
  sortBy(key) {
    const falls = key === "score" || key === "std" || key === "ratio", signed = this.structure.baseline === 0;
    const now = this.sort.key === "size" && !signed ? "score" : this.sort.key;
    const down = now === key ? !this.sort.down : falls;
    this.sort = { key: signed && key === "score" && now === key && down ? "size" : key, down };
    this.fill();
  }

  ordered() {
    const { key, down } = this.sort;
    const usable = this.columns.some(([name]) => name === key) ? key : "size";
    const sign = down ? -1 : 1;
    return this.structure.symbols.map((_, i) => i).sort((i, j) => {
      const a = this.value(usable, i), b = this.value(usable, j);
      return a < b ? -sign : a > b ? sign : i - j;
    });
  }

  fill() {
    this.table.tHead.replaceChildren(element("tr", {}, ...this.columns.map(([key, title]) => {
      const bySize = this.sort.key === "size" && key === "score" && this.structure.baseline === 0;
      const here = this.sort.key === key || (this.sort.key === "size" && key === "score");
      const sorted = here && (bySize ? "other" : this.sort.down ? "descending" : "ascending");
      const button = element("button", { type: "button", title: bySize && "Largest first, whatever the sign" }, title);
      button.addEventListener("click", () => this.sortBy(key));
      return element("th", { scope: "col", "aria-sort": sorted, "data-key": key, class: isPlace(key) && "place" }, button);
    })));
    const order = this.ordered();
    const shown = this.all ? order : order.slice(0, FIRST_ROWS);
    this.rows = new Map();
    this.table.tBodies[0].replaceChildren(...shown.map((atom, k) => {
      const row = element("tr", { tabindex: k === 0 ? 0 : -1, "data-atom": atom }, ...this.columns.map(([key]) =>
        key === "symbol"
          ? element("td", { class: "element" }, element("i", { style: `background:${this.colourOf(atom)}` }), this.text(key, atom))
          : element("td", { class: isPlace(key) && "place" }, this.text(key, atom))));
      this.rows.set(atom, row);
      return row;
    }));
    this.more.hidden = shown.length === order.length;
    this.more.textContent = `Show all ${order.length} atoms`;
    this.mark(null, this.events.chosen());
  }

  /** @param {(atom: number) => string} colourOf */
  recolour(colourOf) {
    this.colourOf = colourOf;
    for (const [atom, row] of this.rows) row.querySelector("i").style.background = colourOf(atom);
  }

  /** @param {number | null} hot @param {number | null} chosen */
  mark(hot, chosen) {
    for (const row of this.table.querySelectorAll("tr.hot, tr.chosen")) row.classList.remove("hot", "chosen");
    this.rows.get(hot)?.classList.add("hot");
    const row = this.rows.get(chosen);
    row?.classList.add("chosen");
    for (const [atom, one] of this.rows) if (one.ariaSelected === "true" && atom !== chosen) one.removeAttribute("aria-selected");
    row?.setAttribute("aria-selected", "true");
  }

  // bring an atom's row into the visible part of the table without moving the page
  /** @param {number} atom */
  reveal(atom) {
    if (!this.rows.has(atom)) { this.all = true; this.fill(); }
    const row = this.rows.get(atom), box = this.table.parentElement;
    if (!row) return;
    const top = row.offsetTop - this.table.tHead.offsetHeight;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight) {
      box.scrollTop = row.offsetTop + row.offsetHeight - box.clientHeight;
    }
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const row = event.target.closest("tr");
    if (!row) return;
    const steps = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling,
      Home: row.parentElement.firstElementChild, End: row.parentElement.lastElementChild };
    if (event.key in steps) {
      const next = steps[event.key];
      if (next) { row.tabIndex = -1; next.tabIndex = 0; next.focus({ preventScroll: true }); this.reveal(Number(next.dataset.atom)); }
    } else if (event.key === "Enter" || event.key === " ") this.events.choose(Number(row.dataset.atom));
    else if (event.key === "Escape") this.events.choose(null);
    else return;
    event.preventDefault();
  }
}

/** @param {string} key */
function isPlace(key) { return key === "x" || key === "y" || key === "z"; }
