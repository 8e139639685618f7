// The structure in 3D: 3Dmol.js draws spheres, sticks and cell; labels, rings and picking are ours.

const CAMERA_DISTANCE = 150; // of 3Dmol.js
const HALF_VIEW = Math.tan((10 * Math.PI) / 180); // half of its 20 degrees
const MANY_ATOMS = 400; // beyond, only the highest atoms carry a label
const CROWD = 2000; // beyond, spheres stand without bonds and are larger
const N_TOP_LABELS = 12;

class Stage {
  static canDraw() {
    if (typeof $3Dmol === "undefined") return false;
    try {
      const canvas = document.createElement("canvas");
      return Boolean(canvas.getContext("webgl2") || canvas.getContext("webgl"));
    } catch {
      return false;
    }
  }

  /** @param {HTMLElement} root @param {Events} events */
  constructor(root, events) {
    this.root = root;
    this.events = events;
    /** @type {HTMLCanvasElement} */
    this.overlay = root.querySelector(".overlay");
    /** @type {StageOptions} */
    this.options = { mode: "range", labels: "symbols", sizes: false, cell: true, links: false };
    this.hot = null;
    this.chosen = null;
    this.viewer = $3Dmol.createViewer(root.querySelector(".gl"), {
      id: `${root.id}-canvas`, backgroundColor: Colours.css("--stage") || "#ffffff", antialias: true,
      disableFog: true, // it changes the colours, and these stand for numbers
    });
    this.lighten();
    this.outline();
    this.viewer.setViewChangeCallback(() => this.drawOverlay());
    this.listen();
    new ResizeObserver(() => this.refit()).observe(root);
  }

  // 3Dmol.js has one lamp and no light from elsewhere, which turns every colour black at the rim;
  // its shaders pass here before they are compiled and get some light from all sides
  lighten() {
    const gl = this.viewer.getRenderer().getContext();
    if (!gl) return;
    const compile = gl.shaderSource.bind(gl);
    gl.shaderSource = (shader, source) =>
      compile(shader, source.replaceAll("max( dotProduct, 0.0 )", "( 0.5 + 0.5 * max( dotProduct, 0.0 ) )"));
  }

  outline() {
    this.viewer.setViewStyle({ style: "outline", width: 0.025, color: Colours.css("--rim") });
  }

  // ---- what is shown

  /** @param {Structure} structure @param {Tables} tables */
  show(structure, tables) {
    this.structure = structure;
    this.tables = tables;
    const scene = structure.scene;
    const index = scene.atom_index ?? structure.symbols.map((_, i) => i);
    const positions = scene.positions ?? structure.positions;
    /** @type {Drawn[]} */
    this.drawn = index.map((atom, k) => ({ atom, x: positions[k][0], y: positions[k][1], z: positions[k][2] }));
    const bonds = this.drawn.map(() => []);
    for (const [i, j] of scene.bonds) { bonds[i].push(j); bonds[j].push(i); }
    this.viewer.removeAllModels();
    this.model = this.viewer.addModel();
    this.model.addAtoms(this.drawn.map((d, k) => ({
      elem: structure.symbols[d.atom], x: d.x, y: d.y, z: d.z, serial: k, index: k, drawn: k,
      bonds: bonds[k], bondOrder: bonds[k].map(() => 1),
    })));
    this.hasBonds = scene.bonds.length > 0;
    this.hot = this.chosen = null;
    this.style();
    this.paintCell();
    this.quietly(() => this.resetView()); // before the one costly rendering
    this.viewer.render();
    this.drawOverlay();
  }

  paint() {
    this.style();
    this.paintCell();
    this.viewer.render();
    this.drawOverlay();
  }

  style() {
    const { structure, options } = this;
    this.colours = Colours.scale(structure, options.mode, this.tables);
    const stick = Colours.css("--stick");
    const style = { sphere: { radius: 0.4, color: "#888888" } };
    if (this.hasBonds) style.stick = { radius: this.showsLinks() ? 0.03 : 0.11, color: stick };
    this.model.setStyle({}, style);
    for (const atom of this.model.selectedAtoms({})) {
      const d = this.drawn[atom.drawn];
      d.colour = this.colourOf(d.atom);
      d.radius = this.radiusOf(d.atom);
      Object.assign(atom.style.sphere, { radius: d.radius, color: d.colour });
    }
  }

  showsLinks() { return this.options.links && this.structure.links.length > 0; }

  paintCell() {
    this.viewer.removeAllShapes();
    if (this.showsLinks()) paintLinks(this);
    if (!this.options.cell) return;
    const color = Colours.css("--cell-line");
    const point = ([x, y, z]) => ({ x, y, z });
    const dashes = { dashed: true, dashLength: 0.34, gapLength: 0.22 }; // so that no line looks like a bond
    for (const [start, end] of this.structure.scene.cell_edges) {
      this.viewer.addCylinder({ start: point(start), end: point(end), radius: 0.035, color, ...dashes });
    }
  }

  /** @param {number} atom */
  colourOf(atom) {
    if (this.options.mode === "elements") return this.tables.elements[this.structure.symbols[atom]].colour;
    return Colours.at(this.colours, this.structure.scores[atom]);
  }

  /** @param {number} atom */
  radiusOf(atom) {
    const radius = this.tables.elements[this.structure.symbols[atom]].radius * (this.drawn.length > CROWD ? 1.4 : 1);
    if (!this.options.sizes) return radius;
    const range = Colours.scale(this.structure, "range", this.tables);
    return radius * (0.55 + 0.95 * Colours.position(range, this.structure.scores[atom]));
  }

  /** @param {Partial<StageOptions>} options */
  set(options) {
    Object.assign(this.options, options);
    if (this.structure) this.paint();
  }

  retheme() {
    this.viewer.setBackgroundColor(Colours.css("--stage"), 1);
    this.outline();
    if (this.structure) this.paint();
  }

  /** @param {boolean} on */
  spin(on) {
    this.spinning = on;
    this.viewer.spin(on ? "vy" : false, 0.6);
  }

  // fill the stage with the structure as Python turned it
  resetView() {
    const { clientWidth: width, clientHeight: height } = this.root;
    if (!width || !height) return;
    const q = this.structure.scene.quaternion;
    const points = this.drawn.map((d) => ({ p: turn(q, d.x, d.y, d.z), r: d.radius }));
    if (this.options.cell) {
      for (const end of this.structure.scene.cell_edges.flat()) points.push({ p: turn(q, ...end), r: 0.1 });
      for (const [, end] of this.structure.scene.axes) points.push({ p: turn(q, ...end), r: 0.35 });
    }
    const low = [0, 1, 2].map((k) => Math.min(...points.map(({ p, r }) => p[k] - r)));
    const high = [0, 1, 2].map((k) => Math.max(...points.map(({ p, r }) => p[k] + r)));
    const middle = low.map((value, k) => (value + high[k]) / 2);
    const margin = 0.3;
    const half = Math.max((high[1] - low[1]) / 2 + margin, ((high[0] - low[0]) / 2 + margin) * (height / width), 2.2);
    const distance = half / HALF_VIEW + (high[2] - low[2]) / 2;
    const [x, y, z] = turn([-q[0], -q[1], -q[2], q[3]], ...middle);
    this.quietly(() => this.viewer.zoomTo()); // sets the clipping planes
    this.viewer.setView([-x, -y, -z, CAMERA_DISTANCE - distance, ...q]);
    this.fitted = String(this.viewer.getView());
    this.drawOverlay();
  }

  // the stage grows and shrinks with what stands beside it: what nobody has turned fills it again
  refit() {
    if (this.structure && String(this.viewer.getView()) === this.fitted) this.resetView();
    else this.drawOverlay();
  }

  /**
   * 3Dmol.js draws at each step; without a graphics card that takes a tenth of a second each.
   * @param {() => void} steps of which nothing is drawn
   */
  quietly(steps) {
    const renderer = this.viewer.getRenderer(), draw = renderer.render;
    renderer.render = () => {};
    try {
      steps();
    } finally {
      renderer.render = draw;
    }
  }

  // ---- where things are on the screen

  project() {
    const { clientWidth: width, clientHeight: height } = this.root;
    const [px, py, pz, rz, qx, qy, qz, qw] = this.viewer.getView();
    return (x, y, z) => {
      const [a, b, c] = turn([qx, qy, qz, qw], x + px, y + py, z + pz);
      const scale = height / 2 / (HALF_VIEW * (CAMERA_DISTANCE - rz - c));
      return { x: width / 2 + a * scale, y: height / 2 - b * scale, depth: c, scale };
    };
  }

  seen() {
    const project = this.project();
    return this.drawn.map((d) => {
      const s = project(d.x, d.y, d.z);
      return { ...s, r: d.radius * s.scale, d };
    });
  }

  atomAt(x, y, slack) {
    let best = null;
    for (const s of this.seen()) {
      const gap = Math.hypot(s.x - x, s.y - y) - s.r;
      if (gap <= 0 && (!best || best.gap > 0 || s.depth > best.depth)) best = { gap, depth: s.depth, atom: s.d.atom };
      else if (gap > 0 && gap <= slack && (!best || (best.gap > 0 && gap < best.gap))) best = { gap, depth: s.depth, atom: s.d.atom };
    }
    return best ? best.atom : null;
  }

  // ---- mouse, touch and keys

  listen() {
    const { root } = this;
    const place = (event) => {
      const box = root.getBoundingClientRect();
      return [event.clientX - box.left - root.clientLeft, event.clientY - box.top - root.clientTop];
    };
    let pressed = null;
    root.addEventListener("pointerdown", (event) => { pressed = place(event); root.focus({ preventScroll: true }); });
    root.addEventListener("pointermove", (event) => {
      if (!this.structure || event.pointerType === "touch" || event.buttons) return;
      this.events.hover(this.atomAt(...place(event), 2));
    });
    root.addEventListener("pointerleave", () => this.events.hover(null));
    window.addEventListener("pointerup", (event) => {
      if (!pressed || !this.structure) return;
      const [x, y] = place(event);
      const still = Math.hypot(x - pressed[0], y - pressed[1]) < 5;
      pressed = null;
      if (still) this.events.choose(this.atomAt(x, y, event.pointerType === "touch" ? 10 : 2));
    });
    // let the page scroll until the stage is in use
    root.addEventListener("wheel", (event) => {
      if (document.activeElement !== root && !event.ctrlKey) event.stopPropagation();
    }, { capture: true });
    root.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const turns = { ArrowLeft: [-8, "vy"], ArrowRight: [8, "vy"], ArrowUp: [-8, "vx"], ArrowDown: [8, "vx"] };
    if (turns[event.key]) this.viewer.rotate(...turns[event.key]);
    else if (event.key === "+" || event.key === "=") this.viewer.zoom(1.15);
    else if (event.key === "-") this.viewer.zoom(1 / 1.15);
    else if (event.key === "0") this.resetView();
    else if (event.key === "Escape") this.events.choose(null);
    else return;
    event.preventDefault();
  }

  /** @param {number | null} hot @param {number | null} chosen */
  mark(hot, chosen) {
    this.hot = hot;
    this.chosen = chosen;
    this.root.classList.toggle("pointing", hot !== null);
    this.drawOverlay();
  }

  // ---- labels and rings, drawn over the picture

  drawOverlay() {
    if (!this.structure) return;
    const { clientWidth: width, clientHeight: height } = this.root;
    const ratio = window.devicePixelRatio || 1;
    const canvas = this.overlay;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    this.drawMarks(pen, Colours.css("--ink"), Colours.css("--stage"));
  }

  /** @param {CanvasRenderingContext2D} pen @param {string} ink @param {string} paper */
  drawMarks(pen, ink, paper) {
    const seen = this.seen();
    drawLabels(pen, this.structure, this.options, seen, ink, paper);
    if (this.options.cell) {
      const project = this.project();
      for (const [name, [x, y, z]] of this.structure.scene.axes) {
        const s = project(x, y, z);
        if (!seen.some((o) => o.depth > s.depth && Math.hypot(o.x - s.x, o.y - s.y) < o.r + 4)) writeHaloed(pen, name, s.x, s.y, 14, ink, paper, "italic");
      }
    }
    drawRings(pen, this.structure, seen, this.hot, this.chosen, ink, paper);
  }
}
