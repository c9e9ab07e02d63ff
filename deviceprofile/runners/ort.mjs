// Times ONNX files in ONNX Runtime for `evosr profile --runner`.
//
//   node ort.mjs MODEL WIDTH HEIGHT THREADS     one measurement
//   node ort.mjs                                one for every line of standard
//                                               input: MODEL WIDTH HEIGHT THREADS
//
// A measurement is one line on standard output: the milliseconds of every timed
// frame, in order, separated by spaces. Frames before those warm up and are not
// printed. Where a measurement fails, the line is "error: " and why.
//
// The package onnxruntime-node must be installed in or above this file's folder,
// or in or above the working directory. EVOSR_ORT_MS is how long a measurement
// may take about, default 120 ms; the least is five frames.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

function load() {
  let failed;
  for (const from of [fileURLToPath(import.meta.url), path.join(process.cwd(), "runner.js")]) {
    try {
      return createRequire(from)("onnxruntime-node");
    } catch (err) {
      failed = err;
    }
  }
  throw failed;
}

const patience = Number(process.env.EVOSR_ORT_MS ?? 120);

async function measure(ort, model, width, height, threads) {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ["cpu"],
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  try {
    const colors = Number(session.inputMetadata?.[0]?.shape?.[1]) || 1;
    const values = new Float32Array(colors * width * height);
    for (let i = 0; i < values.length; i++) values[i] = 16 / 255 + ((i * 7919) % 220) / 255;
    const input = new ort.Tensor("float32", values, [1, colors, height, width]);
    const feed = { [session.inputNames[0]]: input };
    const frame = async () => {
      const start = process.hrtime.bigint();
      const out = await session.run(feed);
      const ms = Number(process.hrtime.bigint() - start) / 1e6;
      for (const t of Object.values(out)) t.dispose?.();
      return ms;
    };
    for (let i = 0; i < 2; i++) await frame();
    const times = [];
    for (let spent = 0; times.length < 5 || (spent < patience && times.length < 100); ) {
      const ms = await frame();
      times.push(ms);
      spent += ms;
    }
    return times;
  } finally {
    await session.release();
  }
}

async function answer(ort, words) {
  try {
    const [width, height, threads] = words.slice(-3).map(Number);
    const model = words.slice(0, -3).join(" ");
    if (!model || !(width > 0 && height > 0 && threads > 0)) throw new Error("want MODEL WIDTH HEIGHT THREADS");
    const times = await measure(ort, model, width, height, threads);
    return times.map((ms) => ms.toFixed(4)).join(" ");
  } catch (err) {
    return "error: " + String(err.message).replaceAll("\n", " ");
  }
}

let ort;
try {
  ort = load();
} catch {
  console.error("ort.mjs: onnxruntime-node is not installed here: npm install --ignore-scripts onnxruntime-node");
  process.exit(1);
}
const args = process.argv.slice(2);
if (args.length > 0) {
  const text = await answer(ort, args);
  const failed = text.startsWith("error: ");
  (failed ? console.error : console.log)(text);
  process.exit(failed ? 1 : 0);
}
for await (const line of createInterface({ input: process.stdin })) {
  console.log(await answer(ort, line.trim().split(" ")));
}
