// Skeletons: which point is where, how sure, of whom.

import { choice, h, slider, Stage } from "./stage.js";

export const id = "pose";
export const task = "pose";
export const title = "Pose";
export const download = "coco308";

export async function show({ picture, ask, words }) {
  const result = await (await ask("json")).json();
  const [height, width] = result.size_hw;
  const people = result.arrays.keypoints.data;
  const scores = result.arrays.scores.data;
  const { names, colours_rgb: colours, links, sets } = words.legend;
  const chosen = { threshold: 0.3, set: new Set(sets[0][1]), near: null };

  const stage = new Stage(width, height, `${picture.name} with the skeletons of ${people.length} people`, { hover: find });
  const seen = (person, point) => chosen.set.has(point) && scores[person][point] >= chosen.threshold;
  const paint = ([r, g, b]) => `rgb(${r} ${g} ${b})`;

  function draw() {
    const context = stage.context;
    const size = Math.max(1, Math.hypot(width, height) / 500);
    stage.paint(picture);
    people.forEach((points, person) => {
      for (const { start, end, colour_rgb: colour } of links) {
        if (!seen(person, start) || !seen(person, end)) continue;
        context.strokeStyle = paint(colour);
        context.lineWidth = size;
        context.beginPath();
        context.moveTo(points[start][0] + 0.5, points[start][1] + 0.5);
        context.lineTo(points[end][0] + 0.5, points[end][1] + 0.5);
        context.stroke();
      }
      points.forEach(([x, y], point) => {
        if (!seen(person, point)) return;
        context.fillStyle = paint(colours[point]);
        context.beginPath();
        context.arc(x + 0.5, y + 0.5, size * 1.2, 0, 7);
        context.fill();
      });
    });
    if (chosen.near) stage.cross(chosen.near);
  }

  function find(at) {
    let best = { distance: 14 * stage.scale };
    if (at) {
      people.forEach((points, person) =>
        points.forEach(([x, y], point) => {
          const distance = Math.hypot(x + 0.5 - at.x, y + 0.5 - at.y);
          if (seen(person, point) && distance < best.distance) best = { distance, person, point, x: x + 0.5, y: y + 0.5 };
        }),
      );
    }
    chosen.near = best.point === undefined ? null : best;
    stage.readout.textContent = chosen.near
      ? `Person ${best.person + 1}: ${names[best.point]}, score ${scores[best.person][best.point].toFixed(2)}, ` +
        `at ${(best.x - 0.5).toFixed(1)}, ${(best.y - 0.5).toFixed(1)}`
      : "Point at a keypoint, or walk with the arrow keys, for its name and score.";
    draw();
  }

  const rows = h("tbody");
  function list() {
    rows.replaceChildren();
    people.forEach((points, person) =>
      points.forEach(([x, y], point) => {
        if (!seen(person, point)) return;
        const cells = [x.toFixed(1), y.toFixed(1), scores[person][point].toFixed(2)];
        rows.append(
          h("tr", {}, h("td", {}, `${person + 1}`), h("th", { scope: "row" }, names[point]), ...cells.map((c) => h("td", { class: "number" }, c))),
        );
      }),
    );
    count.textContent = `${people.length} people, ${rows.children.length} keypoints shown`;
    draw();
  }
  const count = h("p", { class: "note" });
  const threshold = slider("Least score", 0, 1, 0.01, chosen.threshold, (value) => ((chosen.threshold = value), list()));
  const set = choice("Keypoints", sets.map(([name]) => [name, name]), (name) => {
    chosen.set = new Set(sets.find(([known]) => known === name)[1]);
    list();
  });
  const head = h("tr", {}, ...["Person", "Keypoint", "x", "y", "Score"].map((text) => h("th", { scope: "col" }, text)));
  const table = h("details", {}, h("summary", {}, "Keypoints as a table"), h("table", {}, h("thead", {}, head), rows));
  const view = h("div", { class: "split" },
    h("div", { class: "main" }, stage.element, stage.readout),
    h("div", { class: "side" }, set.element, threshold.element, count, table));
  view.addEventListener("shown", () => (find(null), list()));
  return view;
}
