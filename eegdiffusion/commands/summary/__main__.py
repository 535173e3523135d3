"""Say where the results are: ``python -m eegdiffusion.commands.summary``."""

from pathlib import Path


def main() -> None:
    print(
        f"""
Report   {Path("reports/report.html").resolve()}
MLflow   make mlflow    (then open http://127.0.0.1:5000)
Airflow  make airflow   (then open http://127.0.0.1:8080)
Metrics  .venv/bin/dvc metrics show
"""
    )


if __name__ == "__main__":
    main()
