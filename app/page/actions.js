// What the page posts to the API itself: uploads, reviews, feedback, what-if, deletion; and the table of a case's files.
(() => {
  const { el, answer } = window.rd;
  const at = (id) => `/v1/cases/${encodeURIComponent(id)}`;

  function post(url, body) {
    return fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }).then(answer);
  }

  function chooseCase(id, tries = 40) {
    const radio = [...document.querySelectorAll("#rd-cases input[type=radio]")].find((r) => r.value === id);
    if (radio) radio.click();
    else if (tries) setTimeout(() => chooseCase(id, tries - 1), 250);
  }

  // ---- upload ----

  function send(form, progress) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", "/v1/cases");
      request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
      request.onerror = () => reject(new Error("the upload was cut off; nothing was kept, send it again"));
      request.onload = () => {
        let body = null;
        try {
          body = JSON.parse(request.responseText);
        } catch (_) {
          return reject(new Error(`the server answered ${request.status}`));
        }
        request.status < 300 ? resolve(body) : reject(new Error(body.error ? body.error.message : `status ${request.status}`));
      };
      request.send(form);
    });
  }

  async function upload(form, files) {
    if (!files.length) return;
    const bar = form.querySelector("progress");
    const said = form.querySelector(".rd-upload-said");
    const data = new FormData();
    const zip = files.length === 1 && files[0].path.toLowerCase().endsWith(".zip");
    const nameless = form.elements.deidentify.checked; // then no title either: a folder's name may be the patient's
    if (nameless) data.append("deidentify", "true");
    if (zip) data.append("file", files[0].file, files[0].path);
    else {
      const top = files[0].path.split("/")[0];
      const inside = files[0].path.includes("/") && files.every((f) => f.path.startsWith(`${top}/`));
      for (const f of files) data.append("files", f.file, inside ? f.path.slice(top.length + 1) : f.path);
      if (!nameless) data.append("title", inside ? top : files.length === 1 ? files[0].path : `${files.length} files`);
    }
    bar.hidden = false;
    bar.value = 0;
    said.textContent = `Sending ${files.length} ${files.length === 1 ? "file" : "files"} …`;
    try {
      const made = await send(data, (share) => (bar.value = 100 * share));
      const left = (made.files || []).filter((f) => f.outcome !== "kept");
      said.replaceChildren(el("p", {}, `Kept as ${made.title}. The report is being written; the tab Files says what became of each file.`));
      if (left.length) said.append(el("ul", {}, ...left.map((f) => el("li", {}, `${f.name}: left out, ${f.reason}`))));
      await post(`${at(made.case_id)}/reports`, {});
      chooseCase(made.case_id);
    } catch (error) {
      said.replaceChildren(el("p", { class: "rd-bad", role: "alert" }, error.message));
    }
    bar.hidden = true;
  }

  async function inside(entry, path = "") {
    if (entry.isFile) return [{ file: await new Promise((ok, no) => entry.file(ok, no)), path: path + entry.name }];
    const reader = entry.createReader();
    const found = [];
    for (;;) {
      const some = await new Promise((ok, no) => reader.readEntries(ok, no));
      if (!some.length) return found;
      for (const one of some) found.push(...(await inside(one, `${path}${entry.name}/`)));
    }
  }

  document.addEventListener("change", (event) => {
    const form = event.target.closest && event.target.closest(".rd-upload");
    if (!form || event.target.type !== "file") return;
    const files = [...event.target.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
    upload(form, files).finally(() => (event.target.value = ""));
  });
  document.addEventListener("dragover", (event) => {
    if (event.target.closest && event.target.closest(".rd-upload")) event.preventDefault();
  });
  document.addEventListener("drop", async (event) => {
    const form = event.target.closest && event.target.closest(".rd-upload");
    if (!form) return;
    event.preventDefault();
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    upload(form, (await Promise.all(entries.map((e) => inside(e)))).flat());
  });

  // ---- files of the case ----

  async function listFiles(box) {
    box.dataset.ready = "yes";
    try {
      const list = await answer(await fetch(`${at(box.dataset.case)}/files`));
      const head = ["File", "Files", "Read as", "Outcome", "Why"].map((h) => el("th", { scope: "col" }, h));
      const rows = list.files.map((f) => el("tr", { class: f.outcome === "skipped" ? "rd-skipped" : "" }, el("th", { scope: "row" }, f.name), el("td", {}, f.files ? String(f.files) : ""), el("td", {}, f.read_as), el("td", {}, f.outcome), el("td", {}, f.reason)));
      const note = list.note ? el("p", { class: "rd-bad", role: "alert" }, list.note) : null;
      box.replaceChildren(...[note, el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows))].filter(Boolean));
    } catch (error) {
      box.replaceChildren(el("p", { class: "rd-bad", role: "alert" }, error.message));
    }
  }

  new MutationObserver(() => {
    for (const box of document.querySelectorAll(".rd-outcome:not([data-ready])")) if (box.offsetParent) listFiles(box);
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "style"] });

  // ---- delete ----

  function confirmDelete(button) {
    const said = el("p", { class: "rd-bad", role: "alert" });
    const sure = el("button", { type: "button", class: "rd-danger" }, "Delete it");
    const dialog = el("dialog", { class: "rd-dialog", "aria-labelledby": "rd-dialog-title" },
      el("h2", { id: "rd-dialog-title" }, "Delete this case?"),
      el("p", {}, `“${button.dataset.title}”: its files, reports, reviews and feedback are removed for good.`), said,
      el("p", { class: "rd-actions" }, sure, el("button", { type: "button", onclick: () => dialog.close() }, "Keep it")));
    sure.addEventListener("click", async () => {
      sure.disabled = true;
      try {
        const response = await fetch(at(button.dataset.delete), { method: "DELETE" });
        if (!response.ok) await answer(response);
        dialog.close();
        button.closest(".rd-sheet").replaceChildren(el("p", { class: "rd-empty-line", role: "status" }, "The case was deleted."));
      } catch (error) {
        said.textContent = error.message;
        sure.disabled = false;
      }
    });
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  // ---- reviews ----

  const WORDS = { accept: "Accepted", edit: "Edited", override: "Overridden" };

  function decide(button) {
    const item = button.closest("[data-claim]");
    item.querySelector("form")?.remove();
    if (button.dataset.decide === "accept") return save(item, { decision: "accept", reason: "", text: null });
    const edit = button.dataset.decide === "edit";
    const text = edit ? el("textarea", { rows: 2, required: true, maxlength: 4000 }) : null;
    if (text) text.value = item.querySelector(".rd-claim-text").textContent;
    const reason = el("input", { required: true, maxlength: 2000 });
    const form = el("form", { class: "rd-decide" },
      text ? el("label", {}, "It should read", text) : null, el("label", {}, "Reason", reason),
      el("p", { class: "rd-actions" }, el("button", { type: "submit", class: "rd-main" }, edit ? "Save the edit" : "Override it"), el("button", { type: "button", onclick: () => form.remove() }, "Cancel")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      save(item, { decision: button.dataset.decide, reason: reason.value, text: text ? text.value : null }, form);
    });
    item.append(form);
    (text || reason).focus();
  }

  async function save(item, decision, form = null) {
    const line = item.querySelector(".rd-decided");
    const job = item.closest("[data-job]").dataset.job;
    try {
      await post(`/v1/reports/${encodeURIComponent(job)}/reviews`, { claim_id: item.dataset.claim, ...decision });
      const changed = decision.text ? [": ", el("ins", {}, decision.text)] : [];
      const why = decision.reason ? [" ", el("q", {}, decision.reason)] : [];
      line.replaceChildren(el("b", {}, WORDS[decision.decision]), " just now", ...changed, ...why);
      item.dataset.decision = decision.decision;
      if (form) form.remove();
    } catch (error) {
      line.replaceChildren(el("span", { class: "rd-bad", role: "alert" }, error.message));
    }
    line.hidden = false;
  }

  // ---- feedback ----

  async function rate(button, comment = null) {
    const box = button.closest(".rd-rate");
    if (button.dataset.rate === "down" && comment === null) {
      const words = el("input", { maxlength: 2000, "aria-label": "What was wrong?", placeholder: "What was wrong?" });
      const form = el("form", { class: "rd-decide" }, words, el("button", { type: "submit" }, "Send"));
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        rate(button, words.value);
      });
      box.querySelector("form")?.remove();
      box.append(form);
      words.focus();
      return;
    }
    const { question, answer: said } = box.dataset;
    const id = document.getElementById("rd-panel").dataset.case;
    try {
      await post(`${at(id)}/feedback`, { question, answer: said, rating: button.dataset.rate, comment: comment || "" });
      box.replaceChildren(el("span", { role: "status" }, "Saved, thank you."));
    } catch (error) {
      box.append(el("span", { class: "rd-bad", role: "alert" }, error.message));
    }
  }

  // ---- what if ----

  function changes(form) {
    const of = (name) => form.elements[name].value.trim();
    const made = [];
    if (of("stage")) made.push({ kind: "stage", stage: of("stage") });
    if (of("ecog")) made.push({ kind: "ecog", ecog: Number(of("ecog")) });
    if (of("biomarker") && of("value")) {
      const text = of("value").replace(/\s*%$/, "");
      const value = text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
      const unit = typeof value === "string" ? null : { TMB: "mutations/Mb", "PD-L1": "%", ER: "%", PR: "%" }[of("biomarker")] || null;
      made.push({ kind: "biomarker", name: of("biomarker"), value, unit });
    }
    if (of("gene")) made.push({ kind: "variant", gene: of("gene"), protein: of("protein") || null });
    if (of("drug")) made.push({ kind: "treatment", drug: of("drug") });
    return made;
  }

  async function whatIf(form) {
    const box = form.parentElement.querySelector(".rd-whatif-result");
    const asked = changes(form);
    if (!asked.length) return void (box.textContent = "Change at least one thing.");
    box.textContent = "Predicting and matching again …";
    try {
      const found = await post(`${at(form.dataset.case)}/what-if`, { changes: asked });
      const items = found.evidence.map((e) => {
        const effect = e.fields.effect ? e.fields.effect.display : "";
        return el("li", { "data-effect": effect }, el("span", { class: "rd-tag" }, effect), " ", e.text);
      });
      box.replaceChildren(el("h4", {}, `If ${found.change}`), el("ul", { class: "rd-list" }, ...items));
      if (found.left_out.length) box.append(el("p", { class: "rd-note" }, `Not told: ${found.left_out.join("; ")}`));
    } catch (error) {
      box.replaceChildren(el("p", { class: "rd-bad", role: "alert" }, error.message));
    }
  }

  document.addEventListener("submit", (event) => {
    const form = event.target.closest(".rd-whatif");
    if (form || event.target.closest(".rd-upload")) event.preventDefault();
    if (form) whatIf(form);
  });
  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest && event.target.closest(selector);
    if (hit("[data-decide]")) decide(hit("[data-decide]"));
    else if (hit("[data-rate]")) rate(hit("[data-rate]"));
    else if (hit("[data-delete]")) confirmDelete(hit("[data-delete]"));
  });
})();
