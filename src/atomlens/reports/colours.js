// Colours of scores and elements. The tables come from Python, so that pages and pictures agree.

const Colours = {
  // the ends of the scale and its colours for one structure and one mode
  /** @param {Structure} structure @param {Mode} mode @param {Tables} tables */
  scale(structure, mode, tables) {
    const around = mode === "baseline" && structure.baseline !== null;
    const [low, high] = structure.scale_ends[around ? "baseline" : "range"];
    return {
      low,
      high,
      colours: around ? tables.baseline : tables.score,
      flat: structure.all_equal || high <= low,
      rest: around ? 0.5 : 0,
    };
  },

  /** @param {Scale} scale @param {number} score */
  position(scale, score) {
    if (scale.flat) return scale.rest;
    return Math.min(1, Math.max(0, (score - scale.low) / (scale.high - scale.low)));
  },

  /** @param {Scale} scale @param {number} score */
  at(scale, score) {
    const last = scale.colours.length - 1;
    return scale.colours[Math.round(Colours.position(scale, score) * last)];
  },

  // the part of a scale between the lowest and the highest score, in 33 steps
  /** @param {Structure} structure @param {Scale} scale */
  part(structure, scale) {
    const [low, high] = structure.scores_range;
    return { low, high, colours: Array.from({ length: 33 }, (_, k) => Colours.at(scale, low + ((high - low) * k) / 32)) };
  },

  // dark or white, whichever stands out more
  /** @param {string} background */
  ink(background) {
    const channel = (i) => {
      const value = parseInt(background.slice(i, i + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5) > 0.27 ? "#14181d" : "#ffffff";
  },

  /** @param {string} name */
  css(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  },
};

// a number with three significant digits and a real minus sign
function shortNumber(value, digits = 3) {
  if (value === null || !Number.isFinite(value)) return "–";
  const size = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  const text = size < -4 || size > 6
    ? value.toExponential(digits - 1)
    : value.toFixed(Math.max(digits - 1 - size, 0));
  return text.replaceAll("-", "−");
}

// a fixed number of decimals, without a minus sign before zero
/** @param {number} decimals */
function fixed(value, decimals) {
  return value.toFixed(decimals).replace(/^-(?=[0.]*$)/, "").replace("-", "−");
}

function element(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "circle", "line", "text", "tspan", "rect", "title"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "style") node.style.cssText = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

// the parts of a sentence: what Python writes between backticks is code
/** @param {string} text */
function prose(text) {
  return text.split(/`([^`]+)`/).map((part, k) => (k % 2 ? element("code", {}, part) : part)).filter((part) => part !== "");
}

// the same where a browser takes plain text alone
/** @param {string} text */
function plainProse(text) {
  return text.replace(/`([^`]+)`/g, "$1");
}
