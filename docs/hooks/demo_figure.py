"""The README's figure: scores by model, and images made from EEG beside those that were seen, of the demo's report.

``python docs/hooks/demo_figure.py`` puts ``docs/images/demo_report.png`` together after the demo has run.
"""

from pathlib import Path

from PIL import Image

FIGURES = Path("reports/figures")
TARGET = Path("docs/images/demo_report.png")
SHOWN = ("metrics.png", "images1_full.png")
"""Figures of the report, from left to right."""

HEIGHT, MARGIN, WIDTH = 520, 16, 1280


def main() -> None:
    """Put the figures beside each other and write the sheet."""
    images = []
    for name in SHOWN:
        with Image.open(FIGURES / name) as image:
            images.append(image.convert("RGB"))
    scaled = [image.resize((round(image.width * HEIGHT / image.height), HEIGHT), Image.LANCZOS) for image in images]
    width = sum(image.width for image in scaled) + MARGIN * (len(scaled) + 1)
    sheet = Image.new("RGB", (width, HEIGHT + 2 * MARGIN), "white")
    left = MARGIN
    for image in scaled:
        sheet.paste(image, (left, MARGIN))
        left += image.width + MARGIN
    sheet.thumbnail((WIDTH, WIDTH), Image.LANCZOS)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(128).save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
