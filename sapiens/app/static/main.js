// The page: one picture, one tab at a time, and what the server makes of it.

import { getExample, getModels, getTask, predict, ServerError, setToken, takeToken } from "./client.js";
import { openPicture, watchSources } from "./pictures.js";
import * as albedo from "./albedo.js";
import * as features from "./features.js";
import * as matting from "./matting.js";
import * as normals from "./normals.js";
import * as points from "./points.js";
import * as pose from "./pose.js";
import * as segmentation from "./segmentation.js";
import { h } from "./stage.js";

const TABS = [pose, segmentation, normals, points, matting, albedo, features];
const KINDS = {
  json: "numbers (JSON)", picture: "picture (PNG)", npz: "arrays (npz)", npy: "array (npy)", openpose: "OpenPose JSON",
  coco: "COCO 17 keypoints (JSON)", coco133: "COCO-WholeBody 133 (JSON)", coco308: "308 keypoints, COCO style (JSON)",
  predictions: "predictions file (JSON)", labels: "part numbers (PNG)", ply: "point cloud (PLY)", glb: "point cloud (GLB)",
  mesh: "mesh (GLB)", depth: "depth (npy)", alpha: "alpha (16-bit PNG)", cutout: "cut-out, straight colours (PNG)",
  premultiplied: "cut-out, premultiplied colours (PNG)",
};
const $ = (id) => document.getElementById(id);

const state = { tab: pose, picture: null, before: null, models: [], words: new Map(), work: null };

const settings = () => ({ size: $("size").value, mask: words()?.takes_mask && $("mask").checked ? "seg" : "" });
const words = () => state.words.get(state.tab.task);

function say(text) {
  $("status").textContent = text;
}

/** Tell what went wrong: an error, or a sentence where nothing is broken. */
function fail(error) {
  const told = error instanceof ServerError ? error.message : `The page failed: ${error.message}`;
  $("error").textContent = typeof error === "string" ? error : told;
  $("error").hidden = false;
  say("");
}

/** Run what a picture, a tab or a setting asks for; whatever was at work is given up. */
async function show() {
  state.work?.abort();
  const work = (state.work = new AbortController());
  const { tab, picture } = state;
  $("error").hidden = true;
  $("view").dataset.shown = "";
  if (!picture) return;
  const started = performance.now();
  busy(true);
  say(`${tab.title}: working on ${picture.name}`);
  try {
    const ask = (form, { of = picture, arrays } = {}) => predict(tab.task, of, settings(), form, work.signal, arrays);
    const view = await tab.show({ picture, before: state.before, ask, words: words() });
    work.signal.throwIfAborted();
    $("view").replaceChildren(view);
    view.dispatchEvent(new Event("shown"));
    $("downloads").hidden = false;
    say(`${tab.title}: done in ${((performance.now() - started) / 1000).toFixed(1)} s`);
    $("view").dataset.shown = `${tab.id} ${picture.serial} ${$("size").value} ${settings().mask}`;
  } catch (error) {
    if (error.name !== "AbortError") {
      $("view").replaceChildren();
      $("downloads").hidden = true;
      fail(error);
    } else if (state.work === work) say("Cancelled");
  } finally {
    if (state.work === work) busy(false);
  }
}

function busy(on) {
  $("progress").hidden = $("cancel").hidden = !on;
  $("panel").setAttribute("aria-busy", `${on}`);
}

async function choose(tab, focus = false) {
  state.tab = tab;
  for (const button of $("tabs").children) {
    const on = button.id === `tab-${tab.id}`;
    button.setAttribute("aria-selected", `${on}`);
    button.tabIndex = on ? 0 : -1;
    if (on && focus) button.focus();
  }
  $("panel").setAttribute("aria-labelledby", `tab-${tab.id}`);
  $("view").replaceChildren();
  $("downloads").hidden = true;
  try {
    if (!words()) state.words.set(tab.task, await getTask(tab.task));
  } catch (error) {
    return fail(error);
  }
  const sizes = state.models.filter((model) => model.task === tab.task);
  $("size").replaceChildren(...sizes.map((model) => h("option", { value: model.size }, model.name)));
  $("mask-label").hidden = !words().takes_mask;
  $("mask").checked = words().takes_mask;
  $("kind").replaceChildren(
    ...Object.keys(words().answers).map((kind) => h("option", { value: kind }, KINDS[kind] ?? kind)),
  );
  if (tab.download) $("kind").value = tab.download;
  note();
  return show();
}

function note() {
  const model = state.models.find((one) => one.task === state.tab.task && one.size === $("size").value);
  $("model-note").textContent = model?.note ? `This is ${model.note}.` : "";
  if (!model) $("model-note").textContent = "No weights for this task are on the server's machine.";
}

async function setPicture(blob, name) {
  const picture = await openPicture(blob, name);
  state.before = state.picture;
  state.picture = picture;
  return show();
}

async function save() {
  const kind = $("kind").value;
  try {
    say("Preparing the download");
    const response = await predict(state.tab.task, state.picture, settings(), kind);
    const told = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "");
    const address = URL.createObjectURL(await response.blob());
    const stem = state.picture.name.replace(/\.[^.]*$/, "");
    h("a", { href: address, download: told?.[1] ?? `${stem}_${state.tab.task}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    say("Saved");
  } catch (error) {
    fail(error);
  }
}

function buildTabs() {
  $("tabs").replaceChildren(
    ...TABS.map((tab) =>
      h("button", { id: `tab-${tab.id}`, role: "tab", type: "button", "aria-controls": "panel", click: () => choose(tab) }, tab.title),
    ),
  );
  $("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const last = TABS.length - 1;
    const now = TABS.indexOf(state.tab);
    const next = { Home: 0, End: last }[event.key] ?? (step && (now + step + TABS.length) % TABS.length);
    if (next === undefined) return;
    event.preventDefault();
    choose(TABS[next], true);
  });
}

async function signIn() {
  for (;;) {
    try {
      state.models = await getModels();
      return;
    } catch (error) {
      if (error.status !== 401) throw error;
      $("ask-token").showModal();
      await new Promise((resolve) => $("ask-token").addEventListener("close", resolve, { once: true }));
      setToken($("token").value);
    }
  }
}

async function start() {
  takeToken();
  buildTabs();
  $("size").addEventListener("change", () => (note(), show()));
  $("mask").addEventListener("change", show);
  $("cancel").addEventListener("click", () => state.work?.abort());
  $("download").addEventListener("click", save);
  for (const button of document.querySelectorAll(".example")) {
    const file = button.dataset.file;
    button.addEventListener("click", async () => setPicture(await getExample(file), file).catch(fail));
  }
  watchSources((blob, name) => setPicture(blob, name).catch(fail), fail);
  try {
    await signIn();
    await choose(pose);
    document.body.dataset.ready = "true";
  } catch (error) {
    fail(error);
  }
}

start();
