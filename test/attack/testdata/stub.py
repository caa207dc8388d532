"""An upstream that reads the model as a Python server does: json.loads(bytes)."""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lock, calls = threading.Lock(), []


class Stub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/calls":
            with lock:
                return self.reply(calls)
        self.reply({"object": "list", "data": [{"id": "qwen3-32b", "object": "model"}]})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            model = json.loads(body)["model"]
        except Exception as e:
            model = "unreadable: %s" % e
        with lock:
            calls.append({"path": self.path, "model": model})
        self.reply({"id": "m", "type": "message", "model": model, "content": [{"type": "text", "text": "ok"}]})

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
print(server.server_address[1], flush=True)
server.serve_forever()
