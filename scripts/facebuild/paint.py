"""Paints one identity's texture: skin, brows, lips, hair, eyes, teeth and the mouth inside."""

import zlib

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from facebuild import atlas
from facebuild.canvas import Canvas, mix, noise, smooth_step
from facebuild.cast import Look, Person
from facebuild.coarse import TONGUE
from facebuild.parts import EYE_RINGS
from kmspeaker.face.landmarks import BROWS

# Height of the hairline by angle around the head from the nose to the nape: degrees, mm.
HAIRLINE = np.array(
    [
        *((0, 62), (22, 64), (36, 59), (48, 50), (58, 38), (68, 22), (74, 4), (78, -10), (88, -14)),
        *((93, -8), (98, -1), (114, -2), (122, -18), (135, -42), (180, -58)),
    ]
)
HEAD_AXIS = -50.0  # z about which that angle turns, mm
IRIS, PUPIL = 23.5, 8.5  # degrees of the eyeball


def paint(canvas: Canvas, places: np.ndarray, name: str, person: Person) -> Image.Image:
    """The identity's texture; ``places`` are the landmarks on the average head, (468, 3)."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    look = person.look
    colours = _skin(canvas, places, look, random)
    colours = _lips(canvas, places, look, colours, random)
    colours = _lids(canvas, places, person, colours)
    colours = _brows(canvas, places, look, colours, random)
    if person.sex == "man":
        colours = _stubble(canvas, places, look, colours, random)
    colours = _hair(canvas, look, colours, random)
    colours = _mouth(canvas, colours, random)
    colours = _eyes(canvas, look, colours, random)
    # Steps of two levels cannot be seen in this grain and save a third of the file.
    return Image.fromarray((np.clip(np.round(colours / 2), 0, 127) * 2).astype(np.uint8))


def hair_density(position: np.ndarray, receding: float) -> np.ndarray:
    """How much hair grows at points (..., 3) of the average head, 0 to 1."""
    x, y, z = np.moveaxis(position, -1, 0)
    angle = np.degrees(np.arctan2(np.abs(x), z - HEAD_AXIS))
    line = np.interp(angle, *HAIRLINE.T) + receding * np.interp(
        angle, (0, 30, 60, 75), (1, 1.2, 0.6, 0)
    )
    return smooth_step(y - line, -3.0, 11.0)


def _skin(
    canvas: Canvas, places: np.ndarray, look: Look, random: np.random.Generator
) -> np.ndarray:
    size = len(canvas.part)
    colours = np.broadcast_to(np.array(look.skin, float), (size, size, 3)).copy()
    darkness = 1 - np.mean(look.skin) / 255
    red = look.flush * (
        0.5 * canvas.blob(places[205], (17, 15, 20))
        + 0.75 * canvas.blob(places[4], (11, 10, 14))
        + 0.35 * canvas.blob(places[152], (15, 11, 20))
        + 0.3 * canvas.ears
    )
    red *= 1 + 0.18 * noise(random, size, 14)
    blood = np.array(look.skin) * [1.02, 0.80, 0.78]
    colours = mix(colours, blood, np.clip(0.75 * red, 0, 1))
    forehead = canvas.blob(np.array([0, 45, 30.0]), (45, 24, 40))
    colours = mix(colours, np.array(look.skin) * [1.02, 1.03, 1.0], 0.5 * forehead)
    sockets = canvas.blob((places[133] + places[159]) / 2 + [0, 3, 0], (13, 8, 16))
    under = canvas.blob(places[230], (12, 4.5, 12))
    colours = mix(colours, np.array(look.skin) * [0.84, 0.76, 0.76], 0.45 * sockets + 0.4 * under)
    colours *= (1 + 0.016 * noise(random, size, 20) + 0.014 * noise(random, size, 5))[..., None]
    pores = noise(random, size, 0.8) * canvas.within(atlas.HEAD)
    colours *= (1 + 0.012 * pores)[..., None]
    if look.freckles:
        spots = smooth_step(noise(random, size, 1.3), 2.0, 2.6)
        where = canvas.blob(places[50], (20, 13, 30)) + canvas.blob(places[4], (14, 16, 20))
        colours = mix(
            colours,
            np.array(look.skin) * [0.76, 0.62, 0.52],
            0.6 * look.freckles * spots * np.clip(where, 0, 1),
        )
    if look.lines:
        colours *= (1 - 0.16 * look.lines * _wrinkles(canvas, places, random))[..., None]
    # What sees little sky is darker and redder: nostrils, the corners of the lids, behind the ears.
    hidden = np.clip(1 - canvas.shade, 0, 1) ** 1.2 * (1.05 - 0.3 * darkness)
    return colours * (1 - hidden[..., None] * [0.42, 0.55, 0.58])


def _wrinkles(canvas: Canvas, places: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Lines of the forehead, the outer eye and the nasolabial fold."""
    lines, widths = [], []
    for height in (34, 41, 48, 55):
        x = np.linspace(-36, 36, 40)
        wave = 1.5 * np.sin(x / 9 + random.uniform(0, 6)) + random.normal(0, 0.6)
        lines.append(np.stack([x, height + wave - 0.002 * x**2], 1))
        widths.append(1.3)
    for side in (-1, 1):
        outer = places[263][:2] * [1, 1] if side > 0 else places[263][:2] * [-1, 1]
        for slope in (-0.55, -0.2, 0.15, 0.45):
            t = np.linspace(3, 13, 8)
            lines.append(outer + np.stack([side * t, slope * t - 0.02 * t**2], 1))
            widths.append(0.9)
        fold = np.stack([places[i][:2] for i in (358, 423, 426, 436)]) * [side, 1]
        lines.append(fold)
        widths.append(2.2)
    drawn = canvas.strokes(lines, widths)
    return np.clip(1.6 * gaussian_filter(drawn, 1.3), 0, 1)


def _lips(
    canvas: Canvas, places: np.ndarray, look: Look, colours: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    amount = gaussian_filter(smooth_step(canvas.lips, 0.25, 0.75), 1.2)
    creases = noise(random, len(canvas.part), 1.0)
    creases = gaussian_filter(creases, (5, 0.6))  # lips crease upright
    lip = np.array(look.lips) * (1 + 0.035 * creases / creases.std())[..., None]
    upper = smooth_step(canvas.y, places[13][1] - 0.5, places[13][1] + 1.5)
    lip *= (1 - 0.10 * upper)[..., None]
    shine = canvas.blob(places[17] + [0, 3, 0], (9, 2.6, 9))
    lip = mix(lip, (255, 235, 230), 0.10 * shine)
    colours = mix(colours, lip, 0.82 * amount)
    rim = np.exp(-((np.abs(canvas.lips - 0.5) / 0.2) ** 2))
    return colours * (1 - 0.05 * gaussian_filter(rim, 1))[..., None]


def _lids(canvas: Canvas, places: np.ndarray, person: Person, colours: np.ndarray) -> np.ndarray:
    near = canvas.z > -5
    lids = gaussian_filter(smooth_step(canvas.lids, 0.2, 0.8), 2.0) * near
    colours = colours * (1 - lids[..., None] * [0.05, 0.09, 0.09])
    corner = canvas.blob(places[133] + [0, 0, -1], (2.6, 2.2, 3.5))
    colours = mix(colours, np.array([200, 134, 124]), 0.5 * corner)
    for box in atlas.SOCKETS:
        wet = canvas.within(box)
        pink = np.array(person.look.skin) * 0.6 + np.array([188, 132, 124]) * 0.3
        colours = mix(colours, pink, 0.75 * wet)
    line = np.exp(-((canvas.lash_line / (0.55 + 0.45 * person.lashes)) ** 2)) * near
    upper = smooth_step(canvas.y, -4.0, 0.0)
    strength = (0.35 + 0.45 * upper) * (0.55 + 0.4 * person.lashes)
    colours = mix(colours, (30, 20, 18), np.clip(line * strength, 0, 1))
    colours[canvas.within(atlas.LASH)] = (
        np.array(person.look.brow_colour or person.look.hair) * 0.35
    )
    return colours


def _brows(
    canvas: Canvas, places: np.ndarray, look: Look, colours: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Single hairs over a soft ground; upright at the nose, flat towards the temple."""
    top = places[list(BROWS[14:9:-1]), :2]  # of the left brow, from the nose to the temple
    bottom = places[list(BROWS[19:14:-1]), :2]
    knots = np.linspace(0, 1, 5)
    lines, widths = [], []
    for side in (-1, 1):
        for _ in range(int(330 * (0.6 + 0.4 * look.brows))):
            s = random.uniform(-0.02, 1.02)
            thick = look.brows * np.interp(s, (0, 0.12, 0.55, 1.0), (0.5, 0.8, 0.75, 0.2))
            t = 0.6 + thick * 0.85 * random.uniform(-1, 1)
            root = _along(bottom, knots, s) * (1 - t) + _along(top, knots, s) * t
            onwards = _along(top, knots, s + 0.05) - _along(top, knots, s - 0.05)
            lean = np.interp(s, (0, 0.25, 0.7, 1), (0.25, 0.65, 0.97, 1.0)) + random.normal(0, 0.06)
            upright = np.array([0.25, 1.0]) if t < 0.75 else np.array([0.6, 0.35])
            way = lean * onwards / np.linalg.norm(onwards) + (1 - lean) * upright
            way[1] += 0.35 * (0.5 - t) * (s > 0.3)
            length = random.uniform(3.2, 5.6) * np.interp(s, (0, 0.3, 1), (0.8, 1.0, 0.75))
            bend = np.linspace(0, 1, 5)[:, None]
            hair = root + length * way * bend + [0.0, -0.35] * bend**2
            lines.append(hair * [side, 1])
            widths.append(random.uniform(0.5, 0.9))
    drawn = canvas.strokes(lines, widths)
    ground = gaussian_filter(drawn, 4)
    colour = np.array(look.brow_colour or look.hair, float) * (0.9 if look.brow_colour else 0.8)
    colours = mix(colours, colour, np.clip(0.8 * ground, 0, 0.5))
    return mix(colours, colour * 0.85, np.clip(0.8 * drawn, 0, 0.85))


def _along(points: np.ndarray, knots: np.ndarray, s: float) -> np.ndarray:
    """A point on a polyline, extended straight beyond its ends."""
    inside = np.clip(s, 0, 1)
    at = np.array([np.interp(inside, knots, points[:, k]) for k in range(2)])
    if s < 0:
        return at + (s / knots[1]) * (points[1] - points[0])
    if s > 1:
        return at + (s - 1) / knots[1] * (points[-1] - points[-2])
    return at


def _stubble(
    canvas: Canvas, places: np.ndarray, look: Look, colours: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    x, y, z = canvas.x, canvas.y, canvas.z
    size = len(canvas.part)
    mouth = places[13]
    edge = places[2][1], mouth[1]
    line = np.interp(
        np.abs(x),
        (0, 14, 24, 34, 48, 62, 70, 76),
        np.r_[edge[0] - 1, edge[0] - 3, edge[1] + np.r_[7, 3, 6, 26, 50, 62]],
    )
    edge = smooth_step(line - y + 1.2 * noise(random, size, 5), -1, 5)
    throat = smooth_step(y, -122, -100) * smooth_step(z, -72, -50)
    lips = gaussian_filter(smooth_step(canvas.lips, 0.1, 0.6), 2.5)
    bare = 0.6 * (1 - look.beard)  # beside the lower lip
    soul = np.exp(-(((np.abs(x) - 13) / 4) ** 2) - ((y - mouth[1] + 14) / 5) ** 2)
    where = edge * throat * np.clip(1 - 1.6 * lips, 0, 1) * (1 - bare * soul)
    where *= canvas.within(atlas.HEAD)
    dots = smooth_step(noise(random, size, 0.75), 0.4, 1.6)
    hair = np.array(look.hair, float) * 0.7
    shadow = np.array(look.skin) * 0.5 + hair * 0.5
    colours = mix(colours, shadow, 0.38 * look.stubble * where)
    colours = mix(colours, hair, 0.5 * look.stubble * where * dots)
    if look.beard:
        fur = 0.8 + 0.2 * smooth_step(noise(random, size, 1.0), -1, 1)
        colours = mix(colours, hair, look.beard * smooth_step(where, 0.25, 0.8) * fur)
    return colours


def _hair(
    canvas: Canvas, look: Look, colours: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    size = len(canvas.part)
    strands = gaussian_filter(noise(random, size, 0.7), (2.0, 0.5))
    strands = strands / strands.std()
    density = hair_density(canvas.position, look.receding)
    density *= canvas.within(atlas.HEAD) * (1 - canvas.ears)
    # Towards the hairline single strands show, as many as the hair is dense.
    cover = smooth_step(density + 0.9 * density * (1 - density) * strands, 0.15, 0.85)
    tone = (
        np.array(look.hair, float)
        * (1 + 0.16 * strands + 0.06 * noise(random, size, 12))[..., None]
    )
    tone += 5 * np.clip(strands, 0, 2)[..., None]
    return mix(colours, tone, look.hair_cover * cover)


def _mouth(canvas: Canvas, colours: np.ndarray, random: np.random.Generator) -> np.ndarray:
    size = len(canvas.part)
    cavity = canvas.within(atlas.CAVITY)
    deep = smooth_step(canvas.z, -35, 22)
    flesh = mix(np.broadcast_to([52.0, 18, 20], colours.shape), (158, 78, 74), deep)
    flesh *= (1 + 0.03 * noise(random, size, 3))[..., None]
    colours = np.where(cavity[..., None], flesh, colours)
    tongue = canvas.part == TONGUE
    front = smooth_step(canvas.z, -45, 5)
    groove = np.exp(-((canvas.x / 2.2) ** 2)) * (canvas.y > -80)
    meat = mix(np.broadcast_to([112.0, 46, 50], colours.shape), (192, 104, 104), front)
    meat *= (1 - 0.10 * groove + 0.04 * noise(random, size, 1.0))[..., None]
    colours = np.where(tongue[..., None], meat, colours)
    u, v = _unit(canvas, atlas.TOOTH)
    enamel = mix(
        np.broadcast_to([214.0, 192, 160], colours.shape),
        (240, 232, 216),
        smooth_step(v, 0.0, 0.45),
    )
    enamel = mix(enamel, (224, 224, 222), 0.6 * smooth_step(v, 0.8, 1.0))
    enamel *= (1 - 0.30 * np.abs(2 * u - 1) ** 5)[..., None]
    colours = np.where(canvas.within(atlas.TOOTH)[..., None], enamel, colours)
    _, v = _unit(canvas, atlas.GUM)
    gum = mix(
        np.broadcast_to([150.0, 74, 74], colours.shape), (196, 112, 108), smooth_step(v, 0.3, 0.6)
    )
    return np.where(canvas.within(atlas.GUM)[..., None], gum, colours)


def _eyes(
    canvas: Canvas, look: Look, colours: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    u, v = _unit(canvas, atlas.EYE)
    radius = np.hypot(u - 0.5, v - 0.5)
    angle = np.degrees(EYE_RINGS[-1]) * (radius / 0.5) ** (1 / 0.7)
    turn = np.arctan2(v - 0.5, u - 0.5)
    fibres = _fibres(turn, angle, random)
    white = mix(
        np.broadcast_to([229.0, 223, 217], colours.shape),
        (214, 174, 164),
        0.75 * smooth_step(angle, 38, 75),
    )
    veins = smooth_step(noise(random, len(canvas.part), 1.6), 1.6, 2.4) * smooth_step(angle, 40, 60)
    white = mix(white, (206, 130, 122), 0.25 * veins)
    base = np.array(look.iris, float)
    warm = base * 0.6 + np.array([150, 110, 60]) * (0.4 if base.mean() > 70 else 0.25)
    iris = base * (1 + 0.30 * fibres)[..., None]
    iris = mix(iris, warm * 1.1, 0.55 * np.exp(-(((angle - 11.5) / 2.4) ** 2)))
    iris *= (1 - 0.62 * smooth_step(angle, IRIS - 4.5, IRIS - 0.3))[..., None]
    iris *= (0.82 + 0.28 * smooth_step(-np.sin(turn), -0.4, 1.0))[..., None]  # light gathers below
    eye = mix(iris, white, smooth_step(angle, IRIS - 0.8, IRIS + 1.0))
    eye = mix(eye, (8, 7, 8), 1 - smooth_step(angle, PUPIL - 0.7, PUPIL + 0.7))
    light = np.exp(-(((u - 0.5 + 0.052) / 0.020) ** 2) - ((v - 0.5 - 0.062) / 0.024) ** 2)
    eye = mix(eye, (255, 255, 255), np.clip(1.3 * light - 0.15, 0, 0.9))
    eye *= (1 - 0.16 * smooth_step(np.sin(turn) * smooth_step(angle, 6, 30), 0.1, 0.9))[..., None]
    return np.where(canvas.within(atlas.EYE)[..., None], eye, colours)


def _fibres(turn: np.ndarray, angle: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Rays of the iris."""
    total = np.zeros_like(turn)
    for waves in (23, 37, 61, 89):
        total += np.sin(waves * turn + random.uniform(0, 6.3) + 0.12 * angle * random.normal()) / 2
    return total * smooth_step(angle, 8, 13)


def _unit(canvas: Canvas, box: tuple[float, float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Place within a box of the texture, 0 to 1 each way."""
    u = (canvas.uv[..., 0] - box[0]) / (box[2] - box[0])
    v = (canvas.uv[..., 1] - box[1]) / (box[3] - box[1])
    return u, v
