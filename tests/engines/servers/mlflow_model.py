"""An MLflow model that says where it is by files, and waits for others: `python mlflow_model.py FOLDER`."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas


def wait_for(name: str) -> None:
    while not (Path(os.environ["GATE"]) / name).exists():
        time.sleep(0.02)


class Doubler(mlflow.pyfunc.PythonModel):
    """Twice the number; below 0 it raises, above 1000 it waits for the file that the number names."""

    def load_context(self, context: Any) -> None:
        (Path(os.environ["GATE"]) / f"loading-{os.getpid()}").touch()
        wait_for("load")

    def predict(self, context: Any, model_input: pandas.DataFrame, params: Any = None) -> list[float]:
        number = float(model_input["x"].iloc[0])
        if number < 0:
            raise ValueError("a number below 0")
        if number > 1000:
            (Path(os.environ["GATE"]) / f"running-{number:g}").touch()
            wait_for(f"{number:g}")
        return [2 * float(each) for each in model_input["x"]]


if __name__ == "__main__":
    # Said, not found out: MLflow would load the model for that, and it would wait.
    mlflow.pyfunc.save_model(sys.argv[1], python_model=Doubler(), pip_requirements=["mlflow"])
