"""A vectorised painter of antialiased shapes. Coordinates are 0..1, y grows downwards."""
import numpy as np

from .palette import F, rgb


class Painter:
    """Holds planar f32 [3, size, size]; colours are f32 [3] or planes that fit the shape's window."""

    def __init__(self, size):
        """A black picture."""
        self.size = size
        self.columns = (np.arange(size, dtype=F) + 0.5) / size
        self.x = self.columns[None, :]
        self.y = self.columns[:, None]
        self.image = np.zeros((3, size, size), F)

    def over(self, cover, colour, window=None):
        """Lays the colour over the picture (or a window of it) with coverage 0..1 [H, W]."""
        image = self.image if window is None else self.image[:, window[0], window[1]]
        colour = np.asarray(colour, F)
        if colour.ndim == 1:
            colour = colour[:, None, None]
        image += cover * (colour - image)

    def window(self, left, top, right, bottom):
        """Slices (rows, columns) around a box; None when it lies outside the picture."""
        size = self.size
        x0, x1 = max(0, int(left * size) - 1), min(size, int(right * size) + 2)
        y0, y1 = max(0, int(top * size) - 1), min(size, int(bottom * size) + 2)
        if x0 >= x1 or y0 >= y1:
            return None
        return slice(y0, y1), slice(x0, x1)

    def grid(self, window):
        """x [1, W] and y [H, 1] of a window."""
        return self.x[:, window[1]], self.y[window[0]]

    def disc(self, cx, cy, radius, colour, alpha=1.0, shade=None):
        """A disc; shade is (x, y, amount): brighter towards that side."""
        window = self.window(cx - radius, cy - radius, cx + radius, cy + radius)
        if window is None:
            return
        x, y = self.grid(window)
        dx, dy = x - cx, y - cy
        cover = np.clip((radius - np.sqrt(dx * dx + dy * dy)) * self.size + 0.5, 0, 1) * alpha
        colour = rgb(colour)
        if shade is not None:
            gain = 1 + shade[2] * np.clip((dx * shade[0] + dy * shade[1]) / radius, -1, 1)
            colour = np.clip(colour[:, None, None] * gain, 0, 1)
        self.over(cover, colour, window)

    def polygon(self, points, colour, alpha=1.0):
        """A convex polygon of (x, y) corners in either direction."""
        xs = [float(point[0]) for point in points]
        ys = [float(point[1]) for point in points]
        window = self.window(min(xs), min(ys), max(xs), max(ys))
        if window is None:
            return
        x, y = self.grid(window)
        count = len(xs)
        area = sum(xs[i] * ys[(i + 1) % count] - xs[(i + 1) % count] * ys[i] for i in range(count))
        if area < 0:
            xs.reverse()
            ys.reverse()
        inside = None
        for i in range(count):
            ax, ay = xs[i], ys[i]
            nx, ny = ay - ys[(i + 1) % count], xs[(i + 1) % count] - ax
            scale = self.size / ((nx * nx + ny * ny) ** 0.5 + 1e-9)
            nx *= scale
            ny *= scale
            edge = x * nx + (y * ny - (ax * nx + ay * ny))
            inside = edge if inside is None else np.minimum(inside, edge)
        self.over(np.clip(inside + 0.5, 0, 1) * alpha, colour, window)

    def rectangle(self, left, top, right, bottom, colour, alpha=1.0):
        """An upright rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour, alpha)

    def capsule(self, ax, ay, bx, by, radius, colour):
        """A thick line with round ends."""
        window = self.window(min(ax, bx) - radius, min(ay, by) - radius, max(ax, bx) + radius, max(ay, by) + radius)
        if window is None:
            return
        x, y = self.grid(window)
        px, py = x - ax, y - ay
        dx, dy = bx - ax, by - ay
        t = np.clip((px * dx + py * dy) / (dx * dx + dy * dy + 1e-9), 0, 1)
        distance = np.sqrt((px - t * dx) ** 2 + (py - t * dy) ** 2)
        self.over(np.clip((radius - distance) * self.size + 0.5, 0, 1), colour, window)

    def below(self, heights, colour):
        """Everything below the curve y = heights [size]."""
        slope = np.abs(np.gradient(heights)) * self.size
        cover = (self.y - heights[None, :]) * self.size / np.sqrt(1 + slope * slope)[None] + 0.5
        self.over(np.clip(cover, 0, 1), colour)
