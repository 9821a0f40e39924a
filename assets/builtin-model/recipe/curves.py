"""Draws the loss of a training log: `python -m recipe.curves LOG... > loss.svg`.

Each LOG is what `recipe.run unet` printed; the logs follow one another along the samples seen.
"""
import re
import sys
from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 300, 56, 40


def points(text):
    """(samples, loss) of every line that says so."""
    return [(int(samples), float(loss)) for samples, loss in re.findall(r"unet step \d+ samples (\d+) .*loss ([\d.]+)", text)]


def svg(rows):
    """The curve of (samples, loss) rows with its axes, as an SVG picture."""
    most = rows[-1][0]
    low, high = (round(f(loss for _, loss in rows) + d, 2) for f, d in ((min, -0.01), (max, 0.01)))
    x = lambda samples: LEFT + (WIDTH - LEFT - 10) * samples / most
    y = lambda loss: 10 + (HEIGHT - BOTTOM - 10) * (high - loss) / (high - low)
    line = " ".join(f"{x(samples):.1f},{y(loss):.1f}" for samples, loss in rows)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for i in range(5):
        loss, samples = low + (high - low) * i / 4, most * i / 4
        parts.append(f'<path d="M{LEFT},{y(loss):.1f} H{WIDTH - 10}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(loss) + 4:.1f}" text-anchor="end">{loss:.3f}</text>')
        place = LEFT + (WIDTH - LEFT - 10) * i / 4
        parts.append(f'<text x="{place:.1f}" y="{HEIGHT - 22}" text-anchor="middle">{samples / 1000:.0f}k</text>')
    parts.append(f'<text x="{(WIDTH + LEFT) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">samples seen; v-loss, mean of 100 steps</text>')
    parts.append(f'<polyline points="{line}" fill="none" stroke="#b3352b" stroke-width="1.5"/></svg>')
    return "\n".join(parts)


if __name__ == "__main__":
    print(svg([row for log in sys.argv[1:] for row in points(Path(log).read_text())]))
