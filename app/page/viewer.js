// The image viewer: slices fetched as PNG from the API, in any plane and window, two series beside each other.
// Not known here: how a slice is drawn (app/viewer.py). Nothing is registered; what links two series is said.
(() => {
  const KEPT = 80; // pictures kept per page
  const PLANES = ["axial", "coronal", "sagittal"];
  const pictures = new Map();

  function el(tag, props = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (name === "class") made.className = value;
      else if (value === true) made.setAttribute(name, "");
      else if (value !== false && value != null) made.setAttribute(name, value);
    }
    made.append(...children.filter((c) => c != null));
    return made;
  }

  async function answer(response) {
    const body = await response.json().catch(() => null);
    if (response.ok) return body;
    throw new Error(body && body.error ? body.error.message : `the server answered ${response.status}`);
  }

  async function picture(url) {
    if (pictures.has(url)) {
      const known = pictures.get(url);
      pictures.delete(url);
      pictures.set(url, known);
      return known;
    }
    const image = new Image();
    image.src = url;
    try {
      await image.decode();
    } catch (_) {
      await answer(await fetch(url)); // says why, where the server knows
      throw new Error("the picture could not be shown");
    }
    pictures.set(url, image);
    if (pictures.size > KEPT) pictures.delete(pictures.keys().next().value);
    return image;
  }

  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const near = (value) => Math.round(value * 100) / 100;
  const unitOf = (series) => (series.unit === "arbitrary" ? "" : ` ${series.unit}`);
  const named = (series) => `${series.title}${series.date ? `, ${series.date}` : ""}`;

  class Pane {
    constructor(viewer, series) {
      this.viewer = viewer;
      this.canvas = el("canvas", { tabindex: 0, role: "img", class: "rdv-canvas" });
      this.said = el("p", { class: "rdv-said", role: "status" });
      this.corners = ["tl", "tr", "bl", "br"].map((c) => el("span", { class: `rdv-corner rdv-${c}` }));
      this.edges = ["left", "right", "top", "bottom"].map((e) => el("span", { class: `rdv-edge rdv-${e}`, "aria-hidden": "true" }));
      this.bar = el("span", { class: "rdv-bar", "aria-hidden": "true" }, el("i"));
      this.stage = el("div", { class: "rdv-stage" }, this.canvas, ...this.corners, ...this.edges, this.bar, this.said);
      this.slider = el("input", { type: "range", min: 0, step: 1, oninput: () => this.go(Number(this.slider.value)) });
      this.root = el("figure", { class: "rdv-pane" }, this.stage, this.slider);
      this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
      this.stage.addEventListener("pointerdown", (event) => this.drag(event));
      this.choose(series);
    }

    choose(series, index = null) {
      this.series = series;
      this.window = { ...series.default };
      this.index = index ?? this.plane().key;
    }

    plane() {
      return this.series.planes[this.viewer.plane];
    }

    go(index, moved = true) {
      this.index = clamp(Math.round(index), 0, this.plane().count - 1);
      if (moved) this.viewer.link(this);
      this.draw();
    }

    wheel(event) {
      event.preventDefault();
      this.go(this.index + Math.sign(event.deltaY));
    }

    drag(event) {
      if (event.pointerType !== "mouse" || event.button !== 0) return;
      const from = { x: event.clientX, y: event.clientY, ...this.window };
      const scale = Math.max(1, from.window) / 300;
      const move = (e) => {
        const window = Math.max(scale, from.window + (e.clientX - from.x) * scale);
        this.viewer.setWindow(this, { key: "own", label: "own window", window: near(window), level: near(from.level + (e.clientY - from.y) * scale) });
      };
      const end = () => removeEventListener("pointermove", move);
      addEventListener("pointermove", move);
      addEventListener("pointerup", end, { once: true });
    }

    url(index = this.index) {
      const v = this.viewer;
      const asked = new URLSearchParams({ plane: v.plane, index, outline: v.outline });
      if (this.window.key !== "auto") {
        asked.set("window", this.window.window);
        asked.set("level", this.window.level);
      }
      const over = v.heat && this.series.heatmap ? "heat" : v.pet && this.series.overlays.length ? this.series.overlays[0] : "";
      if (over) {
        asked.set("overlay", over);
        asked.set("opacity", v.opacity);
        if (over !== "heat") asked.set("suv_max", v.suvMax);
      }
      return `/v1/cases/${encodeURIComponent(v.caseId)}/series/${encodeURIComponent(this.series.uid)}/slice?${asked}`;
    }

    async draw() {
      this.label();
      if (this.busy) return void (this.again = true);
      this.busy = true;
      do {
        this.again = false;
        const url = this.url();
        try {
          const image = await picture(url);
          if (url === this.url()) this.paint(image, url);
        } catch (error) {
          this.canvas.removeAttribute("data-url");
          this.said.textContent = error.message;
        }
      } while (this.again);
      this.busy = false;
      for (const step of [1, -1]) {
        const next = this.index + step;
        if (next >= 0 && next < this.plane().count) picture(this.url(next)).catch(() => {});
      }
    }

    paint(image, url) {
      this.said.textContent = "";
      this.canvas.width = image.naturalWidth;
      this.canvas.height = image.naturalHeight;
      this.canvas.getContext("2d").drawImage(image, 0, 0);
      this.canvas.dataset.url = url;
    }

    label() {
      const plane = this.plane();
      const number = `slice ${this.index + 1} of ${plane.count}`;
      this.slider.max = plane.count - 1;
      this.slider.value = this.index;
      this.slider.setAttribute("aria-label", `${this.viewer.plane} slice of ${named(this.series)}`);
      this.slider.setAttribute("aria-valuetext", number);
      this.canvas.setAttribute("aria-label", `${named(this.series)}, ${this.viewer.plane}, ${number}`);
      this.stage.style.setProperty("--rdv-ratio", plane.width_mm / plane.height_mm);
      const tilt = plane.tilt_degrees >= 3 ? `, tilted ${plane.tilt_degrees}°` : "";
      const w = this.window;
      const texts = [
        named(this.series),
        w.key === "auto" ? w.label : `W ${near(w.window)} L ${near(w.level)}${unitOf(this.series)}`,
        `${this.viewer.plane}${tilt}, ${number}`,
        `${near(plane.spacing_mm)} mm apart`,
      ];
      this.corners.forEach((corner, i) => (corner.textContent = texts[i]));
      ["left", "right", "top", "bottom"].forEach((side, i) => (this.edges[i].textContent = plane[side]));
      const length = [100, 50, 20, 10, 5].find((mm) => mm <= plane.width_mm / 3) || 1;
      this.bar.style.width = `${(100 * length) / plane.width_mm}%`;
      this.bar.firstChild.textContent = `${length} mm`;
      this.viewer.said(this);
    }
  }

  class Viewer {
    constructor(root, list) {
      Object.assign(this, { root, caseId: list.case_id, series: list.series, plane: "axial", outline: true, heat: false,
        pet: false, suvMax: 10, opacity: 0.6, linked: true, panes: [] });
      const first = list.series.find((s) => s.segments.length && s.modality !== "PT") || list.series[0];
      this.plane = first.first_plane;
      this.build();
      this.panes = [new Pane(this, first)];
      this.arrange();
    }

    build() {
      const options = (list) => list.map((s) => el("option", { value: s.uid }, named(s)));
      this.pick = el("select", { onchange: () => this.show(this.pick.value) }, ...options(this.series));
      this.planeButtons = PLANES.map((p, i) => el("button", { type: "button", "aria-pressed": "false", onclick: () => this.setPlane(p) }, ["Axial", "Coronal", "Sagittal"][i]));
      this.presets = el("span", { class: "rdv-group", role: "group", "aria-label": "Window" });
      const number = (name) => el("input", { type: "number", step: "any", "aria-label": name === "W" ? "window width" : "window level", onchange: () => this.typed() });
      this.width = number("W");
      this.level = number("L");
      const tick = (name, label, checked) => {
        const box = el("input", { type: "checkbox", checked, onchange: () => { this[name] = box.checked; this.arrange(); } });
        return [box, el("label", {}, box, ` ${label}`)];
      };
      [this.outlineBox, this.outlineLabel] = tick("outline", "Lesion outline", true);
      [this.heatBox, this.heatLabel] = tick("heat", "Heat map", false);
      [this.petBox, this.petLabel] = tick("pet", "PET over it", false);
      [this.linkBox, this.linkLabel] = tick("linked", "Linked", true);
      this.suv = el("input", { type: "number", min: 0.5, max: 100, step: 0.5, value: 10, onchange: () => { this.suvMax = clamp(Number(this.suv.value) || 10, 0.5, 100); this.redraw(); } });
      this.shade = el("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0.6, oninput: () => { this.opacity = Number(this.shade.value); this.redraw(); } });
      this.suvLabel = el("label", {}, "SUV to ", this.suv);
      this.shadeLabel = el("label", {}, "Opacity ", this.shade);
      this.beside = el("select", { onchange: () => this.setBeside(this.beside.value) });
      this.tools = el("div", { class: "rdv-tools", role: "toolbar", "aria-label": "Viewer" },
        el("label", {}, "Series ", this.pick),
        el("span", { class: "rdv-group", role: "group", "aria-label": "Plane" }, ...this.planeButtons),
        this.presets,
        el("span", { class: "rdv-group" }, el("label", {}, "W ", this.width), el("label", {}, "L ", this.level)),
        this.outlineLabel, this.heatLabel, this.petLabel, this.suvLabel, this.shadeLabel,
        el("label", {}, "Beside it ", this.beside), this.linkLabel);
      this.stages = el("div", { class: "rdv-panes" });
      this.notes = el("div", { class: "rdv-notes" });
      this.lesions = el("aside", { class: "rdv-lesions", "aria-label": "Lesions on this slice", "aria-live": "polite" });
      const keys = el("details", { class: "rd-fold" }, el("summary", {}, "Keys"), el("p", {}, "Arrows and wheel: slices; Page up and down: five; Home, End: first, last. 1 to 5: windows, 0: automatic. A, C, S: planes. O: outline. H: heat map. Dragging with the mouse: window and level."));
      this.root.replaceChildren(this.tools, el("div", { class: "rdv-body" }, el("div", {}, this.stages, this.notes, keys), this.lesions));
      this.root.addEventListener("keydown", (event) => this.key(event));
    }

    arrange() {
      const [main, second] = this.panes;
      const s = main.series;
      this.pick.value = s.uid;
      this.planeButtons.forEach((b, i) => b.setAttribute("aria-pressed", String(PLANES[i] === this.plane)));
      const windows = [{ ...s.default, label: "Auto" }, ...s.presets];
      this.presets.replaceChildren(...windows.map((p, i) => el("button", { type: "button", title: `key ${i}`, "aria-pressed": String(main.window.key === p.key), onclick: () => this.setWindow(main, i ? p : s.default) }, p.label)));
      this.heatBox.disabled = !s.heatmap;
      this.heatLabel.title = s.heatmap ? `explains: ${s.heatmap}` : "no heat map was computed for this series";
      this.petLabel.hidden = !s.overlays.length;
      this.suvLabel.hidden = !(this.pet && s.overlays.length && !this.heat);
      this.shadeLabel.hidden = !((this.pet && s.overlays.length) || (this.heat && s.heatmap));
      const others = this.series.filter((o) => o.uid !== s.uid).sort((a, b) => this.rank(b, s) - this.rank(a, s));
      this.beside.replaceChildren(el("option", { value: "" }, "nothing"), ...others.map((o) => el("option", { value: o.uid }, `${this.prior(o, s) ? "prior: " : ""}${named(o)}`)));
      this.beside.value = second && second.series.uid !== s.uid ? second.series.uid : "";
      this.linkLabel.hidden = !second;
      this.stages.replaceChildren(...this.panes.map((p) => p.root));
      this.stages.dataset.count = this.panes.length;
      this.redraw();
    }

    prior(other, current) {
      return Boolean(other.date && current.date && other.date < current.date && other.title === current.title);
    }

    rank(other, current) {
      return 2 * this.prior(other, current) + (other.modality === current.modality);
    }

    redraw() {
      for (const pane of this.panes) pane.draw();
    }

    show(uid, slice = null) {
      const series = this.series.find((s) => s.uid === uid);
      if (!series) return;
      if (slice != null) this.plane = series.first_plane;
      const second = this.panes[1];
      if (second && second.series.uid === uid) this.panes.pop();
      this.panes[0].choose(series, slice);
      this.arrange();
      this.link(this.panes[0]);
    }

    setBeside(uid) {
      const series = this.series.find((s) => s.uid === uid);
      this.panes = this.panes.slice(0, 1);
      if (series) this.panes.push(new Pane(this, series));
      this.link(this.panes[0]);
      this.arrange();
    }

    setPlane(plane) {
      this.plane = plane;
      for (const pane of this.panes) pane.index = pane.plane().key;
      this.link(this.panes[0]);
      this.arrange();
    }

    setWindow(from, window) {
      for (const pane of this.panes) {
        if (pane === from || (pane.series.unit === from.series.unit && pane.series.modality === from.series.modality)) {
          pane.window = window.key === "auto" ? { ...pane.series.default } : { ...window };
        }
      }
      this.arrange();
    }

    typed() {
      const window = Number(this.width.value), level = Number(this.level.value);
      if (window > 0 && Number.isFinite(level)) this.setWindow(this.panes[0], { key: "own", label: "own window", window, level });
    }

    link(from) {
      if (!this.linked || this.panes.length < 2) return;
      const to = this.panes.find((p) => p !== from);
      const [a, b] = [from.plane(), to.plane()];
      let at = a.first_mm + from.index * a.step_mm;
      if (!this.sameFrame()) at += b.first_mm + b.key * b.step_mm - (a.first_mm + a.key * a.step_mm);
      to.go((at - b.first_mm) / b.step_mm, false);
    }

    sameFrame() {
      const [a, b] = this.panes.map((p) => p.series.frame);
      return a != null && a === b;
    }

    said(pane) {
      if (pane !== this.panes[0]) return;
      this.width.value = near(pane.window.window);
      this.level.value = near(pane.window.level);
      const s = pane.series;
      const lines = [];
      if (s.verdict !== "ok") lines.push(`This series is ${s.verdict}: ${s.reasons.join("; ")}.`);
      if (this.heat && s.heatmap) lines.push(`Heat map: ${s.heatmap}. It is not proof; the evidence says which of its tests it failed.`);
      if (this.pet && s.overlays.length && !this.heat) lines.push(`PET laid over by position in one frame of reference, not registered; brightest from SUV ${this.suvMax}.`);
      if (this.panes.length > 1 && this.linked) {
        const both = this.panes.every((p) => p.plane().anchor);
        lines.push(this.sameFrame() ? "Slices are linked by position in one frame of reference." : `Slices are linked by millimetres from ${both ? "each lesion's largest slice" : "the middle of each stack or its lesion"}; the studies are not registered.`);
      }
      this.notes.replaceChildren(...lines.map((line) => el("p", {}, line)));
      this.measured(pane);
    }

    measured(pane) {
      const extents = pane.plane().segments;
      const here = pane.series.segments.filter((_, i) => extents[i] && extents[i][0] <= pane.index && pane.index <= extents[i][1]);
      const parts = [el("h3", {}, "On this slice")];
      for (const segment of here) {
        parts.push(el("p", { class: "rdv-lesion" }, el("b", {}, segment.label), segment.proposed ? el("span", { class: "rd-tag" }, "proposed by software") : null));
        const rows = segment.measures.filter(([name]) => name !== "Evidence");
        parts.push(el("dl", {}, ...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])));
        if (!rows.length) parts.push(el("p", {}, "The report holds no measurement of it."));
        const ids = segment.measures.filter(([name]) => name === "Evidence").flatMap(([, value]) => value.split(", "));
        parts.push(el("p", {}, ...ids.map((id) => el("button", { type: "button", class: "rd-chip", "data-evidence": id, "aria-label": `Open evidence ${id}` }, id))));
      }
      if (!here.length) parts.push(el("p", {}, pane.series.segments.length ? "No outlined lesion here." : "Nothing is outlined in this series."));
      if (!here.length && pane.plane().anchor) parts.push(el("button", { type: "button", onclick: () => pane.go(pane.plane().key) }, `Go to slice ${pane.plane().key + 1}`));
      this.lesions.replaceChildren(...parts);
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, button, summary")) return;
      const pane = this.panes.find((p) => p.root.contains(event.target)) || this.panes[0];
      const steps = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -5, PageDown: 5, Home: -1e6, End: 1e6 };
      const letter = event.key.toLowerCase();
      if (event.key in steps) pane.go(pane.index + steps[event.key]);
      else if (/^[0-5]$/.test(event.key)) {
        const chosen = event.key === "0" ? pane.series.default : pane.series.presets[Number(event.key) - 1];
        if (!chosen) return;
        this.setWindow(pane, chosen);
      } else if ("acs".includes(letter)) this.setPlane(PLANES["acs".indexOf(letter)]);
      else if (letter === "o") this.outlineBox.click();
      else if (letter === "h") this.heatBox.click();
      else return;
      event.preventDefault();
      pane.canvas.focus();
    }
  }

  async function mount(root) {
    root.dataset.ready = "reading";
    root.replaceChildren(el("p", { class: "rd-empty" }, "Reading the images …"));
    try {
      const list = await answer(await fetch(`/v1/cases/${encodeURIComponent(root.dataset.case)}/series`));
      if (!list.series.length) root.replaceChildren(el("p", { class: "rd-empty" }, list.note));
      else root.rdViewer = new Viewer(root, list);
      root.dataset.ready = "yes";
    } catch (error) {
      root.replaceChildren(el("p", { class: "rd-empty rd-bad", role: "alert" }, error.message));
      root.dataset.ready = "failed";
    }
    wanted();
  }

  function wanted() {
    const root = document.querySelector(".rd-viewer");
    if (!window.rdSlice || !root || !root.rdViewer) return;
    const { series, slice } = window.rdSlice;
    window.rdSlice = null;
    root.rdViewer.show(series, slice === "" ? null : Number(slice));
  }

  window.rd = { el, answer, openSlice: (series, slice) => { window.rdSlice = { series, slice }; wanted(); } };
  new MutationObserver(() => {
    // A viewer nobody looks at reads nothing: it mounts when its tab is shown.
    for (const root of document.querySelectorAll(".rd-viewer:not([data-ready])")) if (root.offsetParent) mount(root);
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "style", "hidden"] });
})();
