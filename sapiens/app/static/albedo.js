// Albedo: the colours of surfaces beside the picture with its light.

import { compare, h } from "./stage.js";

export const id = "albedo";
export const task = "albedo";
export const title = "Albedo";
export const download = "picture";

export async function show({ picture, ask }) {
  const map = await createImageBitmap(await (await ask("picture")).blob());
  const both = compare(map.width, map.height, `${picture.name} before, and its colours without light and shade`, (stage, side) =>
    side === 0 ? stage.paint(picture) : stage.context.drawImage(map, 0, 0),
  );
  const view = h("div", {}, both.element);
  view.addEventListener("shown", both.draw);
  return view;
}
