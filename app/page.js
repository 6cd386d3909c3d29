// Citations open their source in the panel beside the chat; the conversation follows its newest line.
(() => {
  function open(id) {
    const panel = document.getElementById("rd-panel");
    if (!panel) return;
    // Evidence of one answer alone (a what-if) is kept with its turn; the panel shows a copy of it.
    for (const copy of panel.querySelectorAll(".rd-ev.rd-copy")) copy.remove();
    const kept = [...document.querySelectorAll("#rd-messages .rd-ev")].find((entry) => entry.dataset.id === id);
    if (kept) panel.append(kept.cloneNode(true));
    if (kept) panel.lastElementChild.classList.add("rd-copy");
    for (const entry of panel.querySelectorAll(".rd-ev")) entry.hidden = entry.dataset.id !== id;
    const hint = panel.querySelector(".rd-hint");
    if (hint) hint.hidden = true;
    for (const chip of document.querySelectorAll(".rd-chip")) chip.classList.toggle("on", chip.dataset.evidence === id);
    if (matchMedia("(max-width: 900px)").matches) panel.scrollIntoView({ behavior: "smooth", block: "start" });
  }
  document.addEventListener("click", (event) => {
    const chip = event.target.closest && event.target.closest("[data-evidence]");
    if (chip) open(chip.dataset.evidence);
  });
  new MutationObserver(() => {
    const turns = document.querySelector("#rd-messages .rd-turns");
    if (!turns || turns.dataset.length === String(turns.textContent.length)) return;
    turns.dataset.length = String(turns.textContent.length);
    turns.scrollTop = turns.scrollHeight;
  }).observe(document.documentElement, { childList: true, subtree: true, characterData: true });
})();
