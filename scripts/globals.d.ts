// What the scripts of the pages find around them, for `tsc`; nothing of this is shipped. No script may
// be named like this file: the compiler would take it for that script's declarations and not read it.

declare const $3Dmol: any;

interface Window {
  atomlens: Page;
  app: App;
}

// What the application of web/ answers; see shelf.py, answers.py and library.py.

interface HeldStructure {
  id: string;
  name: string;
  formula: string;
  formula_plain: string;
  n_atoms: number;
  kind: string;
  parent: string;
  change: string;
  origin: number[];
  order?: number;
}

interface Given {
  value: number;
  std: number | null;
  low: number | null;
  high: number | null;
  text: string;
  interval_text: string;
  label?: string;
  spectrum?: number[];
  spectrum_std?: (number | null)[];
}

interface AnswerRow {
  structure: string;
  error: string;
  warning: string;
  unlike: number | null;
  seen_in: string;
  taken_for?: string;
  values: Record<string, Given>;
}

interface TargetDescription {
  name: string;
  text: string;
  unit: string;
  is_spectrum: boolean;
  grid: number[];
  grid_name: string;
  grid_unit: string;
}

interface ModelDescription {
  targets: TargetDescription[];
  methods: string[];
  n_models: number;
  std_source: string;
}

// What `page_payload` of reports/payload.py writes into a page. A test holds the names together.

type Point = [number, number, number];
type Mode = "range" | "baseline" | "elements";

interface Tables {
  score: string[];
  baseline: string[];
  elements: Record<string, { colour: string; radius: number }>;
}

interface Scene {
  atom_index: number[] | null;
  positions: Point[] | null;
  bonds: [number, number][];
  cell_edges: [Point, Point][];
  axes: [string, Point][];
  quaternion: [number, number, number, number];
}

interface Payload {
  name: string;
  formula: string;
  formula_plain: string;
  formula_parts: [string, number][];
  periodicity: "formula" | "molecule" | "wire" | "slab" | "crystal";
  is_formula: boolean;
  target: string;
  target_text: string;
  unit: string;
  method: string;
  model: string;
  prediction: number | null;
  prediction_text: string;
  std: number | null;
  std_words: string;
  sum_words: string;
  links_words: string;
  made_by: string;
  /** 90 % interval and `unlike`, in words */
  beside_words: string;
  /** as the extxyz of `explain` has them */
  facts: Record<string, string | number>;
  seen_words: string;
  warning: string;
  baseline: number | null;
  meaning: [string, string];
  symbols: string[];
  positions: Point[];
  cell: Point[] | null;
  pbc: [boolean, boolean, boolean];
  scores: number[];
  scores_std: number[] | null;
  score_unit: string;
  all_equal: boolean;
  scale_ends: { range: [number, number]; baseline: [number, number] | null };
  little_difference: string;
  drawing: Drawing | null;
  scene: Scene | null;
  links: [number, number, number][];
}

// A molecule on paper: `members` are the atoms behind each drawn one, itself first.
interface Drawing {
  width: number;
  height: number;
  radius: number;
  bonds: string;
  labels: string;
  members: number[][];
  places: [number, number][];
  groups: { name: string; atoms: number[]; score: number }[];
  scores: number[];
  all_equal: boolean;
  scale_ends: [number, number];
}

// A structure as `flatOf` of flat.js folds it: one entry for each drawn atom.
interface Flat extends Structure {
  drawing: Drawing;
  owner: Map<number, number>;
}

interface PageData {
  scales: Tables;
  structures: Payload[];
}

// A payload as `prepare` of page.js completes it.
interface Structure extends Payload {
  order: number[];
  scores_range: number[];
  picture?: string | null;
}

interface Scale {
  low: number;
  high: number;
  colours: string[];
  flat: boolean;
  rest: number;
}

interface Events {
  hover(atom: number | null): void;
  choose(atom: number | null): void;
  chosen(): number | null;
}

interface StageOptions {
  mode: Mode;
  labels: string;
  sizes: boolean;
  cell: boolean;
  links: boolean;
}

// An atom, or a copy of it beside the cell, as it is drawn.
interface Drawn {
  atom: number;
  x: number;
  y: number;
  z: number;
  colour?: string;
  radius?: number;
}

// The same where it stands on the screen.
interface Seen {
  x: number;
  y: number;
  depth: number;
  scale: number;
  r: number;
  d: Drawn;
}

interface Legend extends HTMLElement {
  pointTo: ((atom: number | null) => void) | null;
}

// Everything that the scripts look up in page.html is an HTML element, and its kind is known there.
interface Element {
  title: string;
  checked: boolean;
  focus(options?: FocusOptions): void;
  hidden: boolean;
  disabled: boolean;
  dataset: DOMStringMap;
  tabIndex: number;
  value: string;
  offsetTop: number;
  offsetLeft: number;
  offsetWidth: number;
  offsetHeight: number;
}
interface HTMLElement {
  tBodies: any;
  tHead: any;
  files: any;
  max: any;
  requestSubmit(): void;
  value: string;
  src: string;
  alt: string;
  pointTo: ((atom: number | null) => void) | null;
}
interface EventTarget {
  matches(selectors: string): boolean;
  closest(selectors: string): Element | null;
}
