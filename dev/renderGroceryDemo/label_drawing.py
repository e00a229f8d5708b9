"""Pieces of printed labels, drawn with Pillow: text, bar codes, small print, fruit pictures.

Every function draws onto an RGBA image; positions and sizes are label pixels, colours 0..255 sRGB.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SMALL_PRINT = [
    "water",
    "milk",
    "sugar",
    "fruit",
    "natural",
    "salt",
    "protein",
    "total",
    "fat",
    "energy",
    "contains",
    "per",
    "serving",
    "vitamin",
    "daily",
    "value",
    "calcium",
    "keep",
    "cool",
    "best",
    "before",
    "see",
    "cap",
]


def font(size, bold=False, serif=False):
    """DejaVu from the system; Pillow's own scalable font where it is missing."""
    try:
        return ImageFont.truetype(f"DejaVuS{'erif' if serif else 'ans'}{'-Bold' if bold else ''}.ttf", size)
    except OSError:
        return ImageFont.load_default(size)


def new_label(width, height, background=(0, 0, 0, 0)):
    image = Image.new("RGBA", (width, height), background)
    return image, ImageDraw.Draw(image)


def as_array(image):
    """RGBA image -> (H, W, 4) uint8 array."""
    return np.asarray(image.convert("RGBA"))


def fitted_text(draw, x, y, text, width, size, fill, bold=True, serif=False):
    """Text centred on (x, y), made smaller until it is at most `width` wide."""
    while draw.textlength(text, font(size, bold, serif)) > width and size > 8:
        size -= 4
    draw.text((x, y), text, font=font(size, bold, serif), fill=fill, anchor="mm")


def barcode(draw, x, y, width, height, rng):
    draw.rectangle((x, y, x + width, y + height), fill="white")
    at = x + 6
    while at < x + width - 8:
        bar = rng.choice([1, 2, 2, 3])
        draw.rectangle((at, y + 6, at + bar, y + height - 14), fill=(20, 20, 20))
        at += bar + rng.choice([2, 3, 4])


def small_print(draw, x, y, width, lines, step, size, rng, fill):
    """`lines` ragged lines of ingredient words, `step` pixels apart."""
    face = font(size)
    for k in range(lines):
        text = ""
        while draw.textlength(text, face) < width * rng.uniform(0.7, 0.95):
            text += rng.choice(SMALL_PRINT) + " "
        draw.text((x, y + k * step), text, font=face, fill=fill)


def fruit(image, x, y, radius, light=(235, 120, 60), dark=(205, 50, 30)):
    """Shaded ball with a leaf: a peach, a tomato or a berry, by colour."""
    side = 2 * radius
    yy, xx = np.mgrid[0:side, 0:side]
    shade = np.clip(np.hypot(xx - radius * 0.65, yy - radius * 0.6) / (1.5 * radius), 0, 1)[..., None]
    rgb = np.array(light) * (1 - shade) + np.array(dark) * shade + 40 * np.clip(0.4 - shade, 0, 1)
    alpha = np.clip((1 - np.hypot(xx - radius, yy - radius) / radius) * radius / 2, 0, 1) * 255
    ball = Image.fromarray(np.dstack([rgb, alpha]).clip(0, 255).astype(np.uint8), "RGBA")
    image.alpha_composite(ball, (x - radius, y - radius))
    ImageDraw.Draw(image).ellipse(
        (x + radius // 5, y - radius * 5 // 4, x + radius, y - radius // 2), fill=(70, 120, 40, 255)
    )


def hills(draw, x, y, width, height, fill):
    """A range of three peaks standing on the line y."""
    for centre, size in ((0.25, 0.7), (0.55, 1.0), (0.82, 0.55)):
        draw.polygon(
            [
                (x + width * (centre - 0.28 * size), y),
                (x + width * centre, y - height * size),
                (x + width * (centre + 0.28 * size), y),
            ],
            fill=fill,
        )
