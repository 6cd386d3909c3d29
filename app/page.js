// Citations open their source in the drawer; the conversation follows its newest line; folded steps stay as they were.
(() => {
  const opened = new Set();
  let before = null;

  function openEvidence(id, from) {
    const panel = document.getElementById("rd-panel");
    if (!panel) return;
    // Evidence of one answer alone (a what-if) is kept with its turn; the drawer shows a copy of it.
    for (const copy of panel.querySelectorAll(".rd-ev.rd-copy")) copy.remove();
    const kept = [...document.querySelectorAll("#rd-messages .rd-ev")].find((entry) => entry.dataset.id === id);
    if (kept) {
      panel.append(kept.cloneNode(true));
      panel.lastElementChild.classList.add("rd-copy");
    }
    for (const entry of panel.querySelectorAll(".rd-ev")) entry.hidden = entry.dataset.id !== id;
    for (const chip of document.querySelectorAll(".rd-chip")) chip.classList.toggle("on", chip.dataset.evidence === id);
    if (!panel.contains(from)) before = from;
    panel.hidden = false;
    document.getElementById("rd-body").classList.add("rd-drawn"); // the page makes room: its chips stay in reach
    panel.querySelector(".rd-close").focus({ preventScroll: true });
  }

  function closeEvidence() {
    const panel = document.getElementById("rd-panel");
    if (!panel || panel.hidden) return;
    panel.hidden = true;
    document.getElementById("rd-body").classList.remove("rd-drawn");
    for (const chip of document.querySelectorAll(".rd-chip.on")) chip.classList.remove("on");
    if (before && before.isConnected) before.focus();
  }

  async function showLines(button) {
    const { el, answer } = window.rd;
    const box = button.closest(".rd-ev").querySelector(".rd-lines");
    const caseId = encodeURIComponent(document.getElementById("rd-panel").dataset.case);
    try {
      const found = await answer(await fetch(`/v1/cases/${caseId}/evidence/${encodeURIComponent(button.dataset.lines)}/source`));
      const lines = found.lines.map((line) => el("li", { class: line.hit ? "rd-hit" : "", value: line.number }, line.text || " "));
      const head = `${found.file}${found.place ? `, ${found.place}` : ""}${found.about ? ` (${found.about})` : ""}`;
      box.replaceChildren(el("p", {}, head), el("ol", { tabindex: 0, "aria-label": `Lines of ${found.file}` }, ...lines));
    } catch (error) {
      box.replaceChildren(el("p", { class: "rd-bad" }, error.message));
    }
  }

  function openTab(name) {
    const tab = [...document.querySelectorAll('[role="tab"]')].find((t) => t.textContent.trim() === name);
    if (tab) tab.click();
  }

  function filterEvidence() {
    const words = document.querySelector(".rd-evidence-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const kind = document.querySelector(".rd-evidence-kind").value;
    let count = 0;
    for (const row of document.querySelectorAll(".rd-evidence tbody tr")) {
      const text = row.textContent.toLowerCase();
      row.hidden = !((!kind || row.dataset.kind === kind) && words.every((w) => text.includes(w)));
      count += !row.hidden;
    }
    document.querySelector(".rd-evidence-count").textContent = count === 1 ? "1 entry" : `${count} entries`;
  }

  document.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest && event.target.closest(selector);
    let hit;
    if ((hit = at("[data-evidence]"))) openEvidence(hit.dataset.evidence, hit);
    else if (at(".rd-close")) closeEvidence();
    else if ((hit = at("[data-lines]"))) showLines(hit);
    else if ((hit = at("[data-series]"))) {
      closeEvidence();
      openTab("Viewer");
      window.rd.openSlice(hit.dataset.series, hit.dataset.slice);
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeEvidence();
  });
  for (const type of ["input", "change"]) {
    document.addEventListener(type, (event) => {
      if (event.target.closest && event.target.closest(".rd-filter")) filterEvidence();
    });
  }
  document.addEventListener("toggle", (event) => {
    const key = event.target.dataset && event.target.dataset.keep;
    if (key) event.target.open ? opened.add(key) : event.target.isConnected && opened.delete(key);
  }, true);
  new MutationObserver(() => {
    for (const fold of document.querySelectorAll("details[data-keep]:not([open])")) if (opened.has(fold.dataset.keep)) fold.open = true;
    const turns = document.querySelector("#rd-messages .rd-turns");
    if (!turns || turns.dataset.length === String(turns.textContent.length)) return;
    turns.dataset.length = String(turns.textContent.length);
    turns.scrollTop = turns.scrollHeight;
  }).observe(document.documentElement, { childList: true, subtree: true, characterData: true });
})();
