// The picture on the page: pointer, touch and arrow keys all move one cursor over its pixels.

/** Make an element: h("p", {class: "note"}, "text", child). Functions become listeners. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

let serial = 0;

/** A labelled range input; `change` gets its number, at once and whenever it moves. */
export function slider(label, min, max, step, value, change) {
  const id = `slider-${serial++}`;
  const input = h("input", { id, type: "range", min: `${min}`, max: `${max}`, step: `${step}`, value: `${value}` });
  input.addEventListener("input", () => change(input.valueAsNumber));
  return { element: h("span", { class: "row" }, h("label", { for: id }, label), input), input };
}

/** A labelled select; `options` are [value, text]. */
export function choice(label, options, change) {
  const id = `choice-${serial++}`;
  const select = h("select", { id }, ...options.map(([value, text]) => h("option", { value }, text)));
  select.addEventListener("change", () => change(select.value));
  return { element: h("span", { class: "row" }, h("label", { for: id }, label), select), select };
}

// "application" makes screen readers hand the arrow keys over instead of reading on with them.
export class Stage {
  /**
   * @param width, height in pixels of the picture
   * @param label what a screen reader says it is
   * @param hover called with the pixel under the cursor, or null
   * @param pick called with the pixel that was clicked, or chosen with Enter
   * @param drag called with (dx, dy) in pixels of the picture instead of hover while a button is down
   */
  constructor(width, height, label, { hover, pick, drag } = {}) {
    this.canvas = h("canvas", { width, height, tabindex: "0", role: "application", "aria-label": label });
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.readout = h("output", { class: "readout", "aria-live": "polite" });
    this.element = h("div", { class: "stage" }, this.canvas);
    this.cursor = { x: width / 2, y: height / 2 };
    this.handlers = { hover, pick, drag };
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerdown", (event) => this.press(event));
    this.canvas.addEventListener("pointerup", (event) => this.release(event));
    this.canvas.addEventListener("pointerleave", () => hover?.(null));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /** Pixels of the picture per pixel of the screen. */
  get scale() {
    return this.canvas.width / Math.max(1, this.canvas.clientWidth);
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const limit = (value, size) => Math.min(size - 1e-3, Math.max(0, value));
    return {
      x: limit(((event.clientX - box.left) / box.width) * this.canvas.width, this.canvas.width),
      y: limit(((event.clientY - box.top) / box.height) * this.canvas.height, this.canvas.height),
    };
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pressed = this.at(event);
    this.moved = false;
    if (this.handlers.drag && !this.handlers.pick) this.handlers.drag(0, 0, this.pressed);
  }

  move(event) {
    const before = this.cursor;
    this.cursor = this.at(event);
    if (this.pressed) {
      const [dx, dy] = [this.cursor.x - before.x, this.cursor.y - before.y];
      const far = Math.hypot(this.cursor.x - this.pressed.x, this.cursor.y - this.pressed.y);
      this.moved ||= far > 4 * this.scale;
      if (this.handlers.drag) return this.handlers.drag(dx, dy, this.cursor);
    }
    this.handlers.hover?.(this.cursor);
  }

  release(event) {
    if (this.pressed && !this.moved) this.handlers.pick?.(this.at(event));
    this.pressed = null;
  }

  key(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key];
    if (way) {
      event.preventDefault();
      const step = Math.max(1, Math.round((event.shiftKey ? 0.1 : 0.01) * Math.max(this.canvas.width, this.canvas.height)));
      const [dx, dy] = way.map((value) => value * step);
      this.cursor.x = Math.min(this.canvas.width - 1, Math.max(0, this.cursor.x + dx));
      this.cursor.y = Math.min(this.canvas.height - 1, Math.max(0, this.cursor.y + dy));
      if (this.handlers.hover) this.handlers.hover(this.cursor);
      else this.handlers.drag?.(dx, dy, this.cursor);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.handlers.pick?.(this.cursor);
    }
  }

  /** The picture itself, or grey where the browser cannot decode it. */
  paint(picture) {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (picture.bitmap) this.context.drawImage(picture.bitmap, 0, 0, this.canvas.width, this.canvas.height);
    else {
      this.context.fillStyle = "#808080";
      this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    }
  }

  cross(point) {
    const size = 6 * this.scale;
    this.context.lineWidth = 2 * this.scale;
    for (const [colour, shift] of [["#000", 0], ["#fff", this.scale]]) {
      this.context.strokeStyle = colour;
      this.context.beginPath();
      this.context.moveTo(point.x - size + shift, point.y + shift);
      this.context.lineTo(point.x + size + shift, point.y + shift);
      this.context.moveTo(point.x + shift, point.y - size + shift);
      this.context.lineTo(point.x + shift, point.y + size + shift);
      this.context.stroke();
    }
  }
}

/** Two pictures with a movable edge between them: the first left of it, the second right of it. */
export function compare(width, height, label, paint) {
  const move = (x) => {
    edge.input.value = `${(100 * x) / width}`;
    draw();
  };
  const stage = new Stage(width, height, label, { drag: (dx, dy, at) => move(at.x) });
  const draw = () => {
    const x = (edge.input.valueAsNumber / 100) * width;
    for (const [side, from, to] of [[0, 0, x], [1, x, width]]) {
      stage.context.save();
      stage.context.beginPath();
      stage.context.rect(from, 0, to - from, height);
      stage.context.clip();
      paint(stage, side);
      stage.context.restore();
    }
    stage.context.fillStyle = "#fff";
    stage.context.fillRect(x - stage.scale, 0, 2 * stage.scale, height);
  };
  const edge = slider("Before / after", 0, 100, 0.5, 50, draw);
  return { stage, draw, element: h("div", {}, stage.element, edge.element) };
}
