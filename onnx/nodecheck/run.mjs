// Runs ONNX files on one CPU thread of ONNX Runtime.
//
//   node run.mjs MODEL INPUT OUTPUT DIMS [MODEL INPUT OUTPUT DIMS]...
//   node run.mjs - < LIST
//
// LIST has the same words, one a line: node does not survive very long command
// lines.
//
// INPUT holds the float32 values (little endian) of the model's only input, of
// the shape DIMS, such as 1,1,180,320; those of its only output are written to
// OUTPUT. The output's shape is printed, a line a run. Where a MODEL repeats the
// one before it, its session is kept. Exit code 1 and a line on stderr when a
// model does not load or run.

import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import ort from "onnxruntime-node";

let args = process.argv.slice(2);
if (args.length === 1 && args[0] === "-") {
  const parts = []; // readFileSync fails where the pipe has nothing yet
  for await (const part of process.stdin) parts.push(part);
  args = Buffer.concat(parts).toString("utf8").trimEnd().split("\n");
}
if (args.length === 0 || args.length % 4 !== 0) {
  console.error("usage: node run.mjs MODEL INPUT OUTPUT DIMS [MODEL INPUT OUTPUT DIMS]... (or - and a list on standard input)");
  process.exit(2);
}

let loaded, session;
for (let i = 0; i < args.length; i += 4) {
  const [model, input, output, dims] = args.slice(i, i + 4);
  try {
    if (model !== loaded) {
      await session?.release();
      session = await ort.InferenceSession.create(model, {
        executionProviders: ["cpu"],
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
      });
      loaded = model;
    }
    if (session.inputNames.length !== 1 || session.outputNames.length !== 1) {
      throw new Error(`inputs ${session.inputNames}, outputs ${session.outputNames}, want one of each`);
    }
    const bytes = readFileSync(input);
    const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    const feed = new ort.Tensor("float32", values, dims.split(",").map(Number));
    const result = (await session.run({ [session.inputNames[0]]: feed }))[session.outputNames[0]];
    if (result.type !== "float32") throw new Error(`output is ${result.type}, want float32`);
    writeFileSync(output, new Uint8Array(result.data.buffer, result.data.byteOffset, result.data.byteLength));
    console.log(result.dims.join(","));
  } catch (err) {
    console.error(`${model}: ${err.message}`);
    process.exit(1);
  }
}
