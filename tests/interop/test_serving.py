"""A model behind FastAPI, and one in a process that has onnxruntime alone."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, WindowTransformer, forecast, to_onnx

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
