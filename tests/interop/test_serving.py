"""A model behind FastAPI, and one in a process that has onnxruntime alone."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import skops.io
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, WindowTransformer, forecast, to_onnx
from tests.pages import DOCS, code_and_outputs

INDEX = pd.date_range("2024-01-01", periods=120, freq="h")
X = pd.DataFrame({"level": 5 + np.sin(0.3 * np.arange(120))}, index=INDEX)


@pytest.fixture(scope="module")
def model():
    lstm = LSTMRegressor(8, epochs=3, random_state=0)
    model = make_pipeline(StandardScaler(), WindowTransformer(seq_length=6), lstm)
    return model.set_output(transform="pandas").fit(X[:80], X["level"][:80])


def test_requests_at_once_get_the_forecasts_of_their_own_rows(model):
    app = FastAPI()

    @app.get("/forecast")
    def after(stop: int) -> list[float]:  # in a thread, since it is not async
        return list(forecast(model, X[:stop], steps=3))

    client = TestClient(app)
    stops = [*range(86, 120)] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: client.get(f"/forecast?stop={n}").json(), stops))
    expected = {stop: list(forecast(model, X[:stop], steps=3)) for stop in set(stops)}
    assert answers == [expected[stop] for stop in stops]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def post(url, rows, *, wait):
    """The answer of a server that may still be starting."""
    request = urllib.request.Request(
        url, json.dumps(rows).encode(), {"Content-Type": "application/json"}
    )
    end = time.monotonic() + wait
    while True:
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:  # it does not listen yet
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def test_app_of_the_page_answers_behind_uvicorn(model, tmp_path):
    blocks = code_and_outputs(DOCS / "how-to" / "serve.md")
    (app,) = (code for code, _ in blocks if "FastAPI()" in code)
    (tmp_path / "app.py").write_text(app, encoding="utf-8")
    skops.io.dump(model, tmp_path / "model.skops")
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    rows = [
        {"time": when.isoformat(), "level": level}
        for when, level in X["level"][-6:].items()
    ]
    try:
        answer = post(f"http://127.0.0.1:{port}/forecast?steps=3", rows, wait=120)
    finally:
        server.kill()
        server.wait()
    expected = forecast(model, X, steps=3)
    assert [row["time"] for row in answer] == [when.isoformat() for when in expected.index]
    np.testing.assert_allclose([row["level"] for row in answer], expected, rtol=1e-12)


ALONE = """
import sys
for name in ("torch", "sklearn", "skorch", "pandas", "sklstm"):
    sys.modules[name] = None  # importing it is an error
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
about = session.get_modelmeta().custom_metadata_map
rows = np.load("rows.npy").astype(np.float32)
for _ in range(4):
    window = rows[np.newaxis, -int(about["seq_length"]):]
    (level,) = session.run(None, {"windows": window})
    print(float(level[0]))
    rows = np.append(rows, np.float32([level]), axis=0)
"""


def test_process_with_onnxruntime_alone_forecasts_the_same(model, tmp_path):
    to_onnx(model, tmp_path / "model.onnx")
    np.save(tmp_path / "rows.npy", X.to_numpy())
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    found = np.array(ended.stdout.split(), dtype=float)
    np.testing.assert_allclose(found, forecast(model, X, steps=4), rtol=1e-5)
