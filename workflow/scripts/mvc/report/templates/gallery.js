"use strict";
(() => {
  const data = JSON.parse(document.getElementById("details").textContent);
  const form = document.getElementById("filters");
  const dialog = document.getElementById("image");
  if (!form) return;
  const tiles = [...document.querySelectorAll(".tile")];
  const groups = [...document.querySelectorAll(".group")];
  const field = (name) => form.elements[name];

  // The filters, which the address remembers: #class=3&kind=real,finetuned&used=yes&clip=0.5
  function applyFilters() {
    const kinds = [...form.querySelectorAll("[name=kind]:checked")].map((box) => box.value);
    const wanted = field("class").value;
    const used = field("used") ? field("used").value : "";
    const least = field("clip") ? Number(field("clip").value) : 0;
    let shown = 0;
    for (const group of groups) {
      const inClass = wanted === "" || group.dataset.class === wanted;
      let some = false;
      for (const tile of group.querySelectorAll(".tile")) {
        const { kind, clip, kept } = tile.dataset;
        tile.hidden = !(inClass && kinds.includes(kind)
          && (used === "" || kept === used)
          && (least === 0 || (clip !== undefined && Number(clip) >= least)));
        if (!tile.hidden) { some = true; shown += 1; }
      }
      group.hidden = !some;
    }
    document.getElementById("least").textContent = least.toFixed(2);
    document.getElementById("shown").textContent = `${shown} of ${tiles.length} shown`;
    return { class: wanted, kind: kinds.join(), used, clip: least || "" };
  }

  function readAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    if (given.has("class")) field("class").value = given.get("class");
    if (given.has("used") && field("used")) field("used").value = given.get("used");
    if (given.has("clip") && field("clip")) field("clip").value = given.get("clip");
    if (given.has("kind")) {
      const kinds = given.get("kind").split(",");
      for (const box of form.querySelectorAll("[name=kind]")) box.checked = kinds.includes(box.value);
    }
    applyFilters();
    if (given.has("image")) openImage(given.get("image"));
  }

  form.addEventListener("input", () => {
    const given = Object.entries(applyFilters()).filter(([, value]) => value !== "");
    history.replaceState(null, "", `#${new URLSearchParams(given)}`);
  });
  form.addEventListener("submit", (event) => event.preventDefault());

  // What a click on an image shows. Texts are set as text, never as markup.
  function make(tag, settings, ...children) {
    const element = Object.assign(document.createElement(tag), settings);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  function makePicture(name, title, about) {
    const image = make("img", { src: `pictures/${name}`, alt: title });
    image.addEventListener("load", () => image.classList.toggle("pixels", image.naturalWidth <= 64));
    return make("figure", null, image, make("figcaption", null, make("b", null, title), make("br"), about));
  }

  function list(pairs) {
    const rows = pairs.filter(([, value]) => value);
    return make("dl", null, ...rows.flatMap(([key, value]) => [make("dt", null, key), make("dd", null, value)]));
  }

  function describeMixture(mix, captions) {
    const base = mix.base;
    const donors = [...new Set([...mix.parts, ...mix.fine].map((part) => part[0]))].filter((row) => row !== base);
    const colour = (row) => (row === base ? "part" : `part d${donors.indexOf(row) % 6}`);
    const text = (row) => captions[row].slice(1, -1).join("");
    const fine = new Map(mix.fine.map((edit) => [edit[1], edit]));
    const flow = make("p", { className: "mixture" });
    for (const [row, first, last] of mix.parts) {
      const part = make("span", { className: colour(row), title: row === base ? "base" : text(row) });
      let padding = 0;
      for (let place = first; place <= last; place += 1) {
        const token = captions[row][place];
        if (token === undefined) padding += 1;
        else if (fine.has(place)) part.append(make("span", {
          className: colour(fine.get(place)[0]).replace("part", "fine"), title: "edited in part",
        }, token));
        else part.append(token);
      }
      if (padding) part.append(`⟨padding × ${padding}⟩`);
      flow.append(part, " ");
    }
    const legend = make("ul", { className: "donors" },
      make("li", null, make("b", null, "Base: "), text(base)),
      ...donors.map((row, i) => make("li", { className: `d${i % 6}` }, make("b", null, `Donor ${i + 1}: `), text(row))));
    const edits = mix.fine.map(([row, place, first, last]) => make("li", { className: colour(row).slice(5) },
      `row ${place} (${(captions[row][place] || "padding").trim()}), elements ${first} to ${last}, `
      + (row === base ? "base" : `donor ${donors.indexOf(row) + 1}`)));
    const more = edits.length && make("details", null,
      make("summary", null, `${edits.length} fine edits, each of part of one token`),
      make("ul", { className: "donors" }, ...edits));
    return [flow, legend, more || null];
  }

  function openImage(id) {
    const detail = data.images[id];
    const tile = tiles.find((each) => each.dataset.id === id);
    if (!detail || !tile) return;
    const kind = tile.dataset.kindName;
    const body = [];
    const trio = [makePicture(tile.dataset.picture, kind, id)];
    if (detail.source) trio.push(makePicture(detail.source[0], "source image", detail.source[1]));
    if (detail.near) {
      trio.push(makePicture(detail.near[0], "nearest training image", `${detail.near[1]}, distance ${detail.near[2]}`));
    }
    body.push(make("div", { className: "trio" }, ...trio));
    const used = { yes: "yes; ", no: "no; " }[tile.dataset.kept];
    body.push(list([
      ["class", detail.class], ["used by classifiers", used && used + detail.why],
      ["CLIP probability", tile.dataset.clip], ["seed", detail.seed],
      ["guidance", detail.guidance], ["solver steps", detail.steps],
    ]));
    if (detail.mix) {
      body.push(make("h3", null, "Mixed caption"), ...describeMixture(detail.mix, data.captions));
    } else if (detail.caption) {
      body.push(make("h3", null, "Caption, not mixed"), make("p", { className: "mixture" }, detail.caption));
    }
    document.getElementById("image-title").textContent = `${detail.class}, ${kind}`;
    document.getElementById("image-body").replaceChildren(...body.filter((part) => part !== null));
    if (!dialog.open) dialog.showModal();
  }

  document.getElementById("groups").addEventListener("click", (event) => {
    const tile = event.target.closest(".tile");
    if (tile) openImage(tile.dataset.id);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
  window.addEventListener("hashchange", readAddress);
  readAddress();
})();
