// A graph of boxes in layers, drawn as SVG: dragged, zoomed, walked with the arrow keys.
// From  Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures", 1981: layers by
//       the longest way, then a few sweeps that put each box at the middle of its neighbours.

import { element } from "./sql.js";

const BOX = { width: 196, gapX: 26, gapY: 56, head: 24, line: 16, padding: 8 };
const SWEEPS = 6;
const SVG = "http://www.w3.org/2000/svg";

function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Where each box goes: nodes [{ id, title, lines }], edges [[from, to]]; `to` stands below `from`. */
export function layout(nodes, edges) {
  const into = new Map(nodes.map((node) => [node.id, []]));
  const out = new Map(nodes.map((node) => [node.id, []]));
  for (const [from, to] of edges) {
    if (!into.has(from) || !into.has(to)) continue;
    into.get(to).push(from);
    out.get(from).push(to);
  }
  const depth = new Map();
  const depthOf = (id, seen = new Set()) => {
    if (depth.has(id)) return depth.get(id);
    if (seen.has(id)) return 0;
    seen.add(id);
    const found = Math.max(-1, ...into.get(id).map((above) => depthOf(above, seen))) + 1;
    depth.set(id, found);
    return found;
  };
  const layers = [];
  for (const node of nodes) (layers[depthOf(node.id)] ??= []).push(node);
  const place = new Map();
  const number = (layer) => layer.forEach((node, i) => place.set(node.id, i));
  layers.forEach(number);
  const middle = (ids, otherwise) => (ids.length ? ids.reduce((sum, id) => sum + place.get(id), 0) / ids.length : otherwise);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : layers.toReversed()) {
      const at = new Map(layer.map((node) => [node, middle((down ? into : out).get(node.id), place.get(node.id))]));
      layer.sort((a, b) => at.get(a) - at.get(b));
      number(layer);
    }
  }
  const widest = Math.max(1, ...layers.map((layer) => layer.length)) * (BOX.width + BOX.gapX);
  const boxes = new Map();
  let y = 0;
  for (const layer of layers) {
    const heights = layer.map((node) => BOX.head + node.lines.length * BOX.line + BOX.padding);
    const left = (widest - layer.length * (BOX.width + BOX.gapX)) / 2;
    layer.forEach((node, i) =>
      boxes.set(node.id, { x: left + i * (BOX.width + BOX.gapX), y, width: BOX.width, height: heights[i] }),
    );
    y += Math.max(...heights) + BOX.gapY;
  }
  return { boxes, width: widest, height: Math.max(1, y - BOX.gapY) };
}

const LEAST = 0.45; // of a label's size: some 6 px

const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

export class Graph {
  #svg = drawn("svg", { tabindex: "0", role: "application", "aria-label": "Graph; arrow keys move, + and - zoom" });
  #all = drawn("g");
  #view = { x: 0, y: 0, scale: 1 };
  #size = { width: 1, height: 1 };
  #shape = "";
  #chosen = null;

  constructor(onchoose = () => {}) {
    this.host = element("div", { class: "graph" });
    this.host.append(this.#svg);
    this.#svg.append(
      drawn("defs", {}, drawn("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" },
        drawn("path", { d: "M0 0L8 4L0 8z", fill: "currentColor", opacity: "0.6" }))),
      this.#all,
    );
    this.onchoose = onchoose;
    this.#gestures();
  }

  /** Draw: nodes may have `kind` ("hot", "named"). The sight stays where it is while the graph has the same boxes. */
  draw(nodes, edges) {
    const { boxes, width, height } = layout(nodes, edges);
    this.#size = { width, height };
    const lines = edges.filter(([a, b]) => boxes.has(a) && boxes.has(b)).map(([from, to]) => {
      const [a, b] = [boxes.get(from), boxes.get(to)];
      const [x, y, u, v] = [a.x + a.width / 2, a.y + a.height, b.x + b.width / 2, b.y - 2];
      const bend = Math.max(24, (v - y) / 2);
      return drawn("path", { class: "edge", d: `M${x} ${y}C${x} ${y + bend} ${u} ${v - bend} ${u} ${v}`, "marker-end": "url(#arrow)" });
    });
    const shapes = nodes.map((node) => {
      const box = boxes.get(node.id);
      const group = drawn("g", {
        class: `node ${node.kind ?? ""}`, transform: `translate(${box.x} ${box.y})`, tabindex: "0", role: "button",
        "aria-selected": String(node.id === this.#chosen), "data-id": node.id,
      }, drawn("title", {}, [node.title, ...node.lines].join("\n")), drawn("rect", { width: box.width, height: box.height }),
      drawn("text", { x: 10, y: 17 }, cut(node.title, 22)),
      ...node.lines.map((line, i) => drawn("text", { class: "line", x: 10, y: BOX.head + 11 + i * BOX.line }, cut(line, 27))));
      const choose = () => this.choose(node.id);
      group.addEventListener("click", choose);
      group.addEventListener("keydown", (event) => event.key === "Enter" && choose());
      return group;
    });
    this.#all.replaceChildren(...lines, ...shapes);
    const shape = nodes.map((node) => node.id).join();
    if (shape !== this.#shape) {
      this.#shape = shape;
      requestAnimationFrame(() => this.fit());
    }
  }

  choose(id) {
    this.#chosen = id;
    for (const group of this.#all.querySelectorAll(".node")) group.setAttribute("aria-selected", String(group.dataset.id === String(id)));
    this.onchoose(id);
  }

  /** All of it in sight, never larger than life, nor so small that nobody can read it: then its top. */
  fit() {
    const { clientWidth, clientHeight } = this.#svg;
    if (!clientWidth) return;
    const whole = Math.min(1, (clientWidth - 40) / this.#size.width, (clientHeight - 40) / this.#size.height);
    const scale = Math.max(LEAST, whole);
    this.#view = { scale, x: (clientWidth - this.#size.width * scale) / 2, y: Math.max(20, (clientHeight - this.#size.height * scale) / 2) };
    this.#move();
  }

  #move() {
    const { x, y, scale } = this.#view;
    this.#all.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);
  }

  #zoom(by, x = this.#svg.clientWidth / 2, y = this.#svg.clientHeight / 2) {
    const view = this.#view;
    const scale = Math.max(0.1, Math.min(2.5, view.scale * by));
    view.x = x - ((x - view.x) * scale) / view.scale;
    view.y = y - ((y - view.y) * scale) / view.scale;
    view.scale = scale;
    this.#move();
  }

  #gestures() {
    const svg = this.#svg;
    svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.#zoom(Math.exp(-event.deltaY / 500), event.offsetX, event.offsetY);
    }, { passive: false });
    svg.addEventListener("pointerdown", (event) => {
      const [x, y, view] = [event.clientX, event.clientY, { ...this.#view }];
      const drag = (move) => {
        this.#view = { ...view, x: view.x + move.clientX - x, y: view.y + move.clientY - y };
        this.#move();
      };
      const end = () => {
        removeEventListener("pointermove", drag);
        removeEventListener("pointerup", end);
      };
      addEventListener("pointermove", drag);
      addEventListener("pointerup", end);
    });
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
      if (step) {
        this.#view.x += step[0];
        this.#view.y += step[1];
        this.#move();
      } else if (event.key === "+" || event.key === "-") {
        this.#zoom(event.key === "+" ? 1.2 : 1 / 1.2);
      } else if (event.key === "0") {
        this.fit();
      } else {
        return;
      }
      event.preventDefault();
    });
  }
}
