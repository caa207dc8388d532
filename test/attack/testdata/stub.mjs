// An upstream that reads the model as a Node server does: JSON.parse(text).
import { createServer } from "node:http";

const calls = [];
const server = createServer((req, res) => {
  const reply = (value) => {
    res.writeHead(200, { "content-type": "application/json" });
    res.end(JSON.stringify(value));
  };
  if (req.method === "GET") {
    return reply(req.url === "/calls" ? calls : { object: "list", data: [{ id: "qwen3-32b", object: "model" }] });
  }
  const chunks = [];
  req.on("data", (c) => chunks.push(c));
  req.on("end", () => {
    let model;
    try {
      model = JSON.parse(Buffer.concat(chunks).toString()).model;
    } catch (e) {
      model = "unreadable: " + e.message;
    }
    calls.push({ path: req.url, model });
    reply({ id: "m", type: "message", model, content: [{ type: "text", text: "ok" }] });
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
