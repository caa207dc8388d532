// Runs steps one after the other and prints what each returned or threw, as one
// JSON object by the steps' names.
export async function run(steps) {
  const results = {};
  for (const [name, step] of Object.entries(steps)) {
    const start = performance.now();
    try {
      results[name] = await step();
    } catch (e) {
      results[name] = {
        class: e.constructor.name,
        status: e.status,
        type: e.type,
        code: e.code == null ? undefined : String(e.code), // vLLM has numbers
        requestID: e.requestID,
        message: String(e.message),
        ms: Math.round(performance.now() - start),
      };
    }
  }
  process.stdout.write(JSON.stringify(results) + '\n');
}
