"""Compare the speed of `chainrule serve` with the same network behind FastAPI and ONNX Runtime.

One 28 x 28 picture per request, as JSON, over 32 connections; both servers run in one process each, taking turns. Our
server first runs alone for a minute: errors, latencies, memory. Needs wrk (apt-get install wrk) and onnxruntime.

Usage: python benchmarks/serving.py [SECONDS [ROUNDS]]
"""

import json
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

import chainrule as cr
from chainrule.bench.fair import begin_fairly
from chainrule.io.onnx_export import export_onnx
from chainrule.kernels import IMPLEMENTATION

RESULTS = Path(__file__).parent / "results" / "serving.json"
CONNECTIONS = 32

PEER = """
import sys
import fastapi, numpy as np, onnxruntime, uvicorn
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(sys.argv[3])
session = onnxruntime.InferenceSession(sys.argv[1], options)
[source] = session.get_inputs()
app = fastapi.FastAPI()


class Body(BaseModel):
    pixels: list[list[list[int]]]


@app.post("/api/predict")
async def predict(body: Body):
    x = np.array([body.pixels], np.uint8 if "uint8" in source.type else np.float32)
    probabilities = session.run(None, {source.name: x})[0][0]
    best = int(probabilities.argmax())
    return {"label": str(best), "confidence": float(probabilities[best]), "probabilities": probabilities.tolist()}


@app.get("/healthz")
async def health():
    return "ok"


uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
"""


@contextmanager
def running(command: list[str], port: int) -> Iterator[tuple[str, int]]:
    """Within the block, run a server and yield its address and process id."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                httpx.get(f"http://127.0.0.1:{port}/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def load(address: str, seconds: int, folder: Path) -> dict[str, float]:
    """Return requests per second, latencies in ms and errors under load."""
    script = folder / "post.lua"
    pixels = cr.data.mnist()[1].x[:50]
    bodies = ",\n".join(f"'{json.dumps({'pixels': picture.tolist()})}'" for picture in pixels)
    script.write_text(
        f"local bodies = {{{bodies}}}\nlocal at = 0\nwrk.method = 'POST'\n"
        "wrk.headers['Content-Type'] = 'application/json'\n"
        "request = function()\n  at = at % #bodies + 1\n  return wrk.format(nil, nil, nil, bodies[at])\nend\n"
        "done = function(summary, latency)\n  local e = summary.errors\n"
        "  io.write(string.format('RESULT %d %d %f %f %f %f\\n', summary.requests, summary.duration, "
        "latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000, "
        "e.connect + e.read + e.write + e.status + e.timeout))\nend\n"
    )
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), f"{address}/api/predict"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    requests, microseconds, half, most, longest, errors = map(float, re.search("RESULT (.*)", told)[1].split())
    return {"requests/s": requests / microseconds * 1e6, "p50": half, "p99": most, "max": longest, "errors": errors}


def memory(process: int) -> float:
    """Return the resident memory in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def main(seconds: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "peer.py").write_text(PEER)
        export_onnx(cr.pretrained("freehand"), folder / "freehand.onnx", softmax=True)
        ours = [sys.executable, "-m", "chainrule", "serve", "freehand", "--port", "8801", "--no-open"]
        peers = {
            threads: [sys.executable, str(folder / "peer.py"), str(folder / "freehand.onnx"), str(port), threads]
            for threads, port in (("1", 8802), ("2", 8803))
        }
        with running(ours, 8801) as (address, process):
            load(address, 3, folder)
            before = memory(process)
            long = load(address, seconds, folder)
            long["memory before, after, MB"] = [before, memory(process)]
            print("a minute:", long, flush=True)
            ratios: dict[str, list[float]] = {}
            for threads, command in peers.items():
                with running(command, 8801 + int(threads)) as (other, _):
                    load(other, 2, folder)
                    for _ in range(rounds):
                        theirs, own = load(other, 10, folder), load(address, 10, folder)
                        ratios.setdefault(threads, []).append(own["requests/s"] / theirs["requests/s"])
                        print(f"ONNX Runtime on {threads} threads:", theirs, "ours:", own, flush=True)
    for threads, values in ratios.items():
        print(f"requests a second, ours by theirs on {threads} threads: {np.median(values):.2f} "
              f"({min(values):.2f} to {max(values):.2f}, {len(values)} rounds)")  # fmt: skip
    about = {"chainrule": cr.__version__, "kernels": IMPLEMENTATION, "python": platform.python_version()}
    RESULTS.write_text(json.dumps(about | {"ours": long, "ratios by threads of ONNX Runtime": ratios}, indent=2) + "\n")


if __name__ == "__main__":
    begin_fairly(sys.argv)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60, int(sys.argv[2]) if len(sys.argv) > 2 else 5)
