// Shows /api/v1/openapi.json: operations by tag, schemas, examples, and a form to try them.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(key, "");
    else if (value !== undefined && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

// Paragraphs and `code`; texts are never read as HTML.
function prose(text) {
  const box = element("div");
  for (const paragraph of (text || "").split(/\n\s*\n/)) {
    if (!paragraph.trim()) continue;
    const parts = paragraph.split("`");
    box.append(element("p", {}, ...parts.map((part, index) => (index % 2 ? element("code", {}, part) : part))));
  }
  return box;
}

function json(value) {
  return element("pre", {}, JSON.stringify(value, null, 2));
}

const refName = (schema) => schema?.$ref?.split("/").pop();

function typeOf(schema) {
  if (!schema) return "any";
  const name = refName(schema);
  if (name) return element("a", { href: `#schema-${name}` }, name);
  const variants = schema.oneOf || schema.anyOf || schema.allOf;
  if (variants) {
    const shown = variants.filter((variant) => variant.type !== "null");
    const box = element("span");
    shown.forEach((variant, index) => box.append(index ? " or " : "", typeOf(variant)));
    return box;
  }
  const types = [].concat(schema.type || "any").filter((type) => type !== "null");
  if (types[0] === "array") return element("span", {}, "array of ", typeOf(schema.items));
  if (types[0] === "object" && typeof schema.additionalProperties === "object") {
    return element("span", {}, "map of ", typeOf(schema.additionalProperties));
  }
  let text = types.join(" or ") + (schema.format ? ` (${schema.format})` : "");
  if (schema.enum) text += `: ${schema.enum.join(", ")}`;
  return element("span", {}, text);
}

function table(heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", {}, text)));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell ?? ""))));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
}

function schemaTable(schema) {
  const required = new Set(schema.required || []);
  const rows = Object.entries(schema.properties || {}).map(([name, property]) => [
    element("code", {}, name),
    typeOf(property),
    required.has(name) ? "required" : "",
    prose(property.description),
  ]);
  return rows.length ? table(["Field", "Type", "", "Meaning"], rows) : element("p", {}, typeOf(schema));
}

function contentOf(content) {
  const box = element("div");
  for (const [type, media] of Object.entries(content || {})) {
    box.append(element("p", { class: "quiet" }, `${type} `, type.includes("json") ? typeOf(media.schema) : ""));
    if (media.example !== undefined) box.append(json(media.example));
  }
  return box;
}

// The form that sends a request with the key from the page's head. The key stays in memory.
function tryIt(path, method, operation) {
  const form = element("form");
  const fields = [];
  for (const parameter of operation.parameters || []) {
    const input = element("input", { name: parameter.name, autocomplete: "off" });
    if (parameter.required) input.required = true;
    fields.push([parameter, input]);
  }
  if (fields.length) {
    form.append(table(["Parameter", "Value"], fields.map(([parameter, input]) => [
      element("label", {}, `${parameter.name} `, element("span", { class: "quiet" }, parameter.in)), input,
    ])));
  }
  const media = operation.requestBody?.content?.["application/json"];
  const body = media && element("textarea", { "aria-label": "Body", spellcheck: "false" }, JSON.stringify(media.example ?? {}, null, 2));
  const output = element("div", { "aria-live": "polite" });
  const button = element("button", { type: "submit" }, "Send request");
  form.append(...(body ? [body] : []), element("p", {}, button), output);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let target = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const [parameter, input] of fields) {
      if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (!input.value) continue;
      else if (parameter.in === "query") query.set(parameter.name, input.value);
      else headers[parameter.name] = input.value;
    }
    const key = document.getElementById("key").value.trim();
    if (key) headers.authorization = `Bearer ${key}`;
    if (body) headers["content-type"] = "application/json";
    const suffix = query.size ? `?${query}` : "";
    button.disabled = true;
    try {
      const started = performance.now();
      const answer = await fetch(target + suffix, { method: method.toUpperCase(), headers, body: body?.value });
      const text = await answer.text();
      const duration = Math.round(performance.now() - started);
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
      output.replaceChildren(element("p", {}, `${answer.status} ${answer.statusText}, ${duration} ms`), element("pre", {}, shown));
    } catch (error) {
      output.replaceChildren(element("p", {}, `The request failed: ${error.message}`));
    } finally {
      button.disabled = false;
    }
  });
  return form;
}

function operationBox(path, method, operation) {
  const box = element("details", { class: "operation", id: operation.operationId });
  box.append(element("summary", {},
    element("span", { class: `method ${method}` }, method.toUpperCase()),
    element("code", {}, path),
    element("span", {}, operation.summary || "")));
  // Filled when it is opened for the first time: the page is light until then.
  box.addEventListener("toggle", () => {
    if (!box.open || box.children.length > 1) return;
    const inside = element("div", {}, prose(operation.description));
    if (operation["x-capability"]) {
      inside.append(element("p", { class: "quiet" }, `Capability: ${operation["x-capability"]}. Operation: ${operation.operationId}.`));
    }
    if (operation.parameters?.length) {
      inside.append(element("h3", {}, "Parameters"), table(["Name", "In", "Type", "", "Meaning"],
        operation.parameters.map((parameter) => [
          element("code", {}, parameter.name), parameter.in, typeOf(parameter.schema),
          parameter.required ? "required" : "", prose(parameter.description),
        ])));
    }
    if (operation.requestBody) {
      inside.append(element("h3", {}, "Body"), contentOf(operation.requestBody.content));
    }
    for (const [status, response] of Object.entries(operation.responses)) {
      const answer = element("details", { open: status < "300" }, element("summary", {}, `${status} ${response.description || ""}`));
      answer.append(contentOf(response.content));
      inside.append(answer);
    }
    inside.append(element("h3", {}, "Try it"), tryIt(path, method, operation));
    box.append(inside);
  });
  return box;
}

function show(openapi) {
  const main = document.getElementById("main");
  const contents = document.getElementById("contents");
  document.getElementById("title").textContent = `${openapi.info.title} ${openapi.info.version}`;
  document.title = `${openapi.info.title} API reference`;
  main.replaceChildren(prose(openapi.info.description));
  const entries = [];
  for (const tag of openapi.tags || []) {
    const boxes = [];
    for (const [path, item] of Object.entries(openapi.paths)) {
      for (const method of METHODS) {
        const operation = item[method];
        if (operation?.tags?.includes(tag.name)) boxes.push([path, method, operation]);
      }
    }
    if (!boxes.length) continue;
    main.append(element("h2", {}, tag.name), prose(tag.description));
    contents.append(element("h2", {}, tag.name));
    for (const [path, method, operation] of boxes) {
      const box = operationBox(path, method, operation);
      const link = element("a", { href: `#${operation.operationId}` }, operation.summary || operation.operationId);
      link.addEventListener("click", () => { box.open = true; });
      main.append(box);
      contents.append(link);
      entries.push({ box, link, text: `${path} ${operation.operationId} ${operation.summary}`.toLowerCase() });
    }
  }
  main.append(element("h2", {}, "Schemas"));
  for (const [name, schema] of Object.entries(openapi.components?.schemas || {})) {
    const box = element("details", { class: "operation", id: `schema-${name}` }, element("summary", {}, element("code", {}, name)));
    box.append(element("div", {}, prose(schema.description), schemaTable(schema)));
    main.append(box);
  }
  document.getElementById("search").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const { box, link, text } of entries) box.hidden = link.hidden = !text.includes(wanted);
  });
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) { target.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", open);
  open();
}

fetch("/api/v1/openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`))))
  .then(show)
  .catch((error) => { document.getElementById("state").textContent = `The document could not be loaded: ${error.message}`; });
