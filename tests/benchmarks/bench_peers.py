"""Against what a user would pick instead, where ``sklstm[benchmarks]`` is installed."""

import importlib.util
import json
import os
import subprocess
import sys

from tests.benchmarks.timing import print_ratios

# Each peer runs in a process of its own, by turns with sklstm's: Keras has one backend a
# process, and libraries bring threads that the others would feel.
JOBS = {
    "tutorial: 90 windows of 10 steps, 50 units": {
        "n_windows": 90,
        "seq_length": 10,
        "units": 50,
        "epochs": 50,
        "batch_size": 16,
    },
    "10,000 windows of 24 steps, 64 units": {
        "n_windows": 10_000,
        "seq_length": 24,
        "units": 64,
        "epochs": 2,
        "batch_size": 32,
    },
}
PEERS = {
    "sklstm": ["sklstm"],
    "skorch": ["skorch"],
    "Keras on torch": ["keras"],
    "Keras on TensorFlow": ["keras", "tensorflow"],
    "skforecast ForecasterRnn": ["keras", "skforecast"],
}


def run_sklstm(windows, targets, *, epochs, batch_size, units, **_):
    """Last training loss."""
    from sklstm import LSTMRegressor

    regressor = LSTMRegressor(
        units, epochs=epochs, batch_size=batch_size, normalize_y=False, random_state=0
    )
    return lambda: regressor.fit(windows, targets).history_[-1]["train_loss"]


def run_skorch(windows, targets, *, epochs, batch_size, units, **_):
    """Last training loss."""
    from tests.benchmarks.loops import train_with_skorch

    def run():
        net = train_with_skorch(
            windows, targets, units=units, epochs=epochs, batch_size=batch_size
        )
        return net.history[-1, "train_loss"]

    return run


def run_keras(windows, targets, *, epochs, batch_size, units, **_):
    """Last training loss, of the tutorial's model."""
    import keras

    def run():
        model = keras.Sequential([keras.layers.LSTM(units), keras.layers.Dense(1)])
        model.compile(optimizer="adam", loss="mse")
        fitted = model.fit(
            windows, targets, epochs=epochs, batch_size=batch_size, verbose=0
        )
        return fitted.history["loss"][-1]

    return run


def run_skforecast(windows, targets, *, epochs, batch_size, units, seq_length, **_):
    """Last training loss of a forecaster on the series that the windows come from."""
    import keras
    import pandas as pd
    from skforecast.deep_learning import ForecasterRnn, create_and_compile_model

    values = [*windows[0, :, 0], *targets]
    frame = pd.DataFrame({"y": values}, index=pd.date_range("2020", periods=len(values)))
    # It takes the dates' own step; one day is as good as any.
    frame.index.freq = "D"

    def run():
        model = create_and_compile_model(
            series=frame,
            lags=seq_length,
            steps=1,
            levels=["y"],
            recurrent_layer="LSTM",
            recurrent_units=units,
            dense_units=None,
            compile_kwargs={"optimizer": keras.optimizers.Adam(), "loss": "mse"},
        )
        forecaster = ForecasterRnn(
            estimator=model,
            levels=["y"],
            lags=seq_length,
            transformer_series=None,
            fit_kwargs={"epochs": epochs, "batch_size": batch_size, "verbose": 0},
        )
        forecaster.fit(frame)
        return forecaster.history_["loss"][-1]

    return run


RUNNERS = {
    "sklstm": run_sklstm,
    "skorch": run_skorch,
    "Keras on torch": run_keras,
    "Keras on TensorFlow": run_keras,
    "skforecast ForecasterRnn": run_skforecast,
}


def time_in_this_process(peer, job):
    """Seconds of three fits after one to warm up, and the loss of the last."""
    import time

    from tests.benchmarks.series import windows_of

    windows, targets = windows_of(job["n_windows"], job["seq_length"])
    run, seconds = RUNNERS[peer](windows, targets, **job), []
    loss = run()
    for _ in range(3):
        start = time.perf_counter()
        loss = run()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds, "loss": float(loss)}))


def peers():
    """A table for each job, of the peers that are installed."""
    for title, job in JOBS.items():
        seconds, losses = {}, {}
        for peer, libraries in PEERS.items():
            if not all(importlib.util.find_spec(library) for library in libraries):
                print(f"{peer} is not installed.")
                continue
            backend = "tensorflow" if "tensorflow" in libraries else "torch"
            found = subprocess.run(
                [sys.executable, "-m", "tests.benchmarks.bench_peers", peer, title],
                env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
                capture_output=True,
                text=True,
                check=False,
            )
            if found.returncode:
                print(f"{peer} failed: {found.stderr.strip().splitlines()[-1]}")
                continue
            result = json.loads(found.stdout.strip().splitlines()[-1])
            seconds[peer], losses[peer] = result["seconds"], result["loss"]
        least = {"Keras on TensorFlow": ">8" if job["n_windows"] < 1000 else ">3"}
        print_ratios(title, seconds, unit="s", limits=least)
        print("last loss: " + ", ".join(f"{peer} {x:.4f}" for peer, x in losses.items()))


if __name__ == "__main__":
    time_in_this_process(sys.argv[1], JOBS[sys.argv[2]])
