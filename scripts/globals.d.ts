// What the scripts of the pages find around them, for `tsc`; nothing of this is shipped. No script may
// be named like this file: the compiler would take it for that script's declarations and not read it.

declare const $3Dmol: any;

interface Window {
  atomlens: Page;
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
}

// A molecule on paper: `members` are the atoms behind each drawn one, itself first.
interface Drawing {
  width: number;
  height: number;
  radius: number;
  lines: string;
  members: number[][];
  places: [number, number][];
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
  value: string;
  src: string;
  alt: string;
  pointTo: ((atom: number | null) => void) | null;
}
interface EventTarget {
  closest(selectors: string): Element | null;
}
