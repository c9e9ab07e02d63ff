// Runs one ONNX file in ONNX Runtime inside a headless browser.
//
//   node run.mjs BROWSER MODEL INPUT OUTPUT DIMS
//
// INPUT holds the float32 values (little endian) of the model's only input, of
// the shape DIMS; those of its only output are written to OUTPUT and its shape
// is printed. The page and the files are served on 127.0.0.1 for as long as this
// runs; nothing else is loaded. Exit code 1 and a line on stderr when a model
// does not load or run, or the browser says nothing for a minute.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const [browser, model, input, output, dims] = process.argv.slice(2);
if (!dims) {
  console.error("usage: node run.mjs BROWSER MODEL INPUT OUTPUT DIMS");
  process.exit(2);
}
const dist = fileURLToPath(new URL("node_modules/onnxruntime-web/dist/", import.meta.url));

// What runs in the page.
async function page(dims) {
  const send = (what, body) => fetch(`/${what}`, { method: "POST", body });
  try {
    const ort = await import("/dist/ort.wasm.min.mjs");
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = "/dist/";
    const load = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
    const session = await ort.InferenceSession.create(await load("/model"), { executionProviders: ["wasm"] });
    const values = new Float32Array((await load("/input")).buffer);
    const feed = { [session.inputNames[0]]: new ort.Tensor("float32", values, dims) };
    const result = (await session.run(feed))[session.outputNames[0]];
    if (result.type !== "float32") throw new Error(`output is ${result.type}, want float32`);
    await send(`done?dims=${result.dims.join(",")}`, result.data.slice());
  } catch (fault) {
    await send("fault", String(fault));
  }
}

const html = `<!doctype html><script type="module">(${page})(${JSON.stringify(dims.split(",").map(Number))})</script>`;
const profile = mkdtempSync(join(tmpdir(), "evosr-browser-"));
let child;

function end(code, talk) {
  if (talk) console.error(talk);
  child?.kill("SIGKILL");
  try {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  } catch {
    // The browser may still be writing; the folder is one of the system's.
  }
  process.exit(code);
}

const server = createServer((request, response) => {
  const url = new URL(request.url, "http://127.0.0.1");
  const give = (type, body) => response.writeHead(200, { "Content-Type": type }).end(body);
  if (request.method === "POST") {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      response.end();
      const body = Buffer.concat(parts);
      if (url.pathname === "/fault") end(1, `${model}: ${body}`);
      writeFileSync(output, body);
      console.log(url.searchParams.get("dims"));
      end(0);
    });
  } else if (url.pathname === "/") give("text/html", html);
  else if (url.pathname === "/model") give("application/octet-stream", readFileSync(model));
  else if (url.pathname === "/input") give("application/octet-stream", readFileSync(input));
  else if (url.pathname.startsWith("/dist/")) {
    const name = normalize(url.pathname.slice("/dist/".length));
    if (name.includes("/") || name.startsWith(".")) return response.writeHead(404).end();
    give(name.endsWith(".wasm") ? "application/wasm" : "text/javascript", readFileSync(join(dist, name)));
  } else response.writeHead(404).end();
});
server.listen(0, "127.0.0.1", () => {
  const address = `http://127.0.0.1:${server.address().port}/`;
  child = spawn(browser, ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", `--user-data-dir=${profile}`, address], { stdio: "ignore" });
  child.on("error", (fault) => end(1, `${browser}: ${fault.message}`));
  child.on("exit", (code) => end(1, `${browser} ended with ${code} before the page did`));
});
setTimeout(() => end(1, "the page said nothing for a minute"), 60_000).unref();
