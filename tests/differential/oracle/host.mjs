// Runs CPython as WebAssembly and lets it execute programs of the differential language.
//
// usage: node host.mjs <folder of the installed package> <python file>...
// Speaks lines: answers "ready <version>" when CPython is up; then, for each request
// {"programs": file, "traces": file, "mutant": name or null, "messages": "kept" or "cpython"}
// reads the programs, writes the traces and answers "done", or "error <text>".

import { readFileSync, writeFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, ...sources] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(resolve(folder, "pyodide.mjs")).href);
const python = await loadPyodide({ indexURL: resolve(folder) + "/" });

python.FS.mkdirTree("/oracle");
for (const source of sources) {
  python.FS.writeFile("/oracle/" + basename(source), readFileSync(source));
}
python.runPython("import sys; sys.path.insert(0, '/oracle'); import serve");
const serve = python.pyimport("serve");
console.log("ready " + serve.start());

for await (const line of createInterface({ input: process.stdin })) {
  try {
    const request = JSON.parse(line);
    const text = readFileSync(request.programs, "utf8");
    const traces = serve.run(text, request.mutant ?? undefined, request.messages !== "cpython");
    writeFileSync(request.traces, traces);
    console.log("done");
  } catch (error) {
    console.log("error " + String(error.message).split("\n").slice(-4).join(" | "));
  }
}
