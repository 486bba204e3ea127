"""Line charts with nothing but Pillow: drawn at twice the size and scaled down."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FINER = 2
PAPER, INK, FAINT = (255, 255, 255), (38, 43, 52), (222, 226, 232)
COLOURS = ((37, 99, 235), (234, 88, 12), (22, 163, 74), (147, 51, 234), (100, 116, 139))

Point = tuple[float, float]


class Sheet:
    """A white picture to draw on, in pixels of the finished picture."""

    def __init__(self, width: int, height: int) -> None:
        self._picture = Image.new("RGB", (width * FINER, height * FINER), PAPER)
        self._draw = ImageDraw.Draw(self._picture)

    def line(self, points: Sequence[Point], colour: tuple[int, int, int], width: float) -> None:
        if len(points) > 1:
            fine = [(x * FINER, y * FINER) for x, y in points]
            self._draw.line(fine, fill=colour, width=round(width * FINER), joint="curve")

    def polygon(self, points: Sequence[Point], colour: tuple[int, int, int]) -> None:
        self._draw.polygon([(x * FINER, y * FINER) for x, y in points], fill=colour)

    def text(
        self, place: Point, text: str, *, size: int = 13, anchor: str = "la", colour=INK
    ) -> None:
        font = ImageFont.load_default(size * FINER)
        x, y = place
        self._draw.text((x * FINER, y * FINER), text, fill=colour, font=font, anchor=anchor)

    def width(self, text: str, *, size: int = 13) -> float:
        return ImageFont.load_default(size * FINER).getlength(text) / FINER

    def finished(self) -> Image.Image:
        width, height = self._picture.size
        return self._picture.resize((width // FINER, height // FINER), Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class Chart:
    """A frame with axes on a sheet."""

    sheet: Sheet
    box: tuple[int, int, int, int]
    """Left, top, right and bottom of the frame, without the numbers at its sides."""
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    logarithmic: bool = False
    """Whether y is a logarithm to base 10, to be named by its number."""

    def axes(self, title: str, x_name: str) -> None:
        """Numbers, faint lines, and what is shown."""
        left, top, right, bottom = self.box
        for value in self._y_numbers():
            y = self.place(self.x_range[0], value)[1]
            name = f"{10**value:g}" if self.logarithmic else f"{value:g}"
            self.sheet.line([(left, y), (right, y)], FAINT, 1)
            self.sheet.text((left - 6, y), name, anchor="rm", size=12)
        for value in round_numbers(*self.x_range, about=8):
            x = self.place(value, self.y_range[0])[0]
            self.sheet.text((x, bottom + 5), f"{value:g}", anchor="ma", size=12)
        self.sheet.line([(left, bottom), (right, bottom)], INK, 1)
        self.sheet.text((left, top - 8), title, anchor="ld", size=14)
        self.sheet.text((right, bottom + 20), x_name, anchor="ra", size=12)

    def curve(
        self, x: np.ndarray, y: np.ndarray, colour: tuple[int, int, int], width: float = 1.6
    ) -> None:
        self.sheet.line([self.place(a, b) for a, b in zip(x, y, strict=True)], colour, width)

    def legend(self, names: Sequence[str], colours: Sequence[tuple[int, int, int]]) -> None:
        """Names from the right, above the frame."""
        x, y = self.box[2], self.box[1] - 14
        for name, colour in reversed(list(zip(names, colours, strict=True))):
            self.sheet.text((x, y), name, anchor="rm", size=13)
            x -= self.sheet.width(name) + 7
            self.sheet.line([(x - 18, y), (x, y)], colour, 3)
            x -= 36

    def place(self, x: float, y: float) -> Point:
        left, top, right, bottom = self.box
        across = (x - self.x_range[0]) / (self.x_range[1] - self.x_range[0])
        up = (y - self.y_range[0]) / (self.y_range[1] - self.y_range[0])
        return left + (right - left) * across, bottom - (bottom - top) * min(max(up, 0.0), 1.0)

    def _y_numbers(self) -> list[float]:
        low, high = self.y_range
        if not self.logarithmic:
            return round_numbers(low, high)
        decades = range(int(np.floor(low)), int(np.ceil(high)) + 1)
        numbers = [float(np.log10(m) + decade) for decade in decades for m in (1, 2, 5)]
        return [number for number in numbers if low <= number <= high]


def round_numbers(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between two, about so many."""
    rough = (high - low) / about
    power = 10 ** np.floor(np.log10(rough))
    step = power * min((1, 2, 5, 10), key=lambda factor: abs(factor * power - rough))
    first = int(np.ceil(low / step - 1e-9))
    return [float(step * k) for k in range(first, int(np.floor(high / step + 1e-9)) + 1)]
