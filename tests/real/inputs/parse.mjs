// Parses each script of a folder, and calls those that can neither loop nor recur: what comes of it is printed for each.
//     parse.mjs FOLDER
import * as std from "qjs:std";
import * as os from "qjs:os";

const [names] = os.readdir(scriptArgs[1]);
for (const name of names.filter((name) => name.endsWith(".js")).sort()) {
  const source = std.loadFile(`${scriptArgs[1]}/${name}`);
  let found;
  try {
    if (name.includes(".module.")) {
      found = `module ${typeof std.evalScript(source, { compile_only: true, compile_module: true })}`;
    } else {
      const run = new Function(source);
      found = /\b(for|while|function)\b|=>/.test(source) ? "function" : `returned ${String(run())}`;
    }
  } catch (thrown) {
    found = `threw ${String(thrown)}`;
  }
  print(name, found);
}
