"""What a phone does with the light: linear HDR picture -> JPEG look. This makes more for realism than more samples."""

import numpy as np
from PIL import Image, ImageFilter

# Automatic exposure: the median of the picture's middle, before the filmic curve, is at most this (about 0.76 in the
# JPEG); otherwise white walls in daylight turn into a pale haze.
BRIGHTEST_MIDDLE = 0.40


def blur(picture, sigma):
    """Gaussian blur of a float (H, W, C) array by Fourier transform; edges mirrored."""
    pad = min(int(3 * sigma) + 1, min(picture.shape[:2]) - 1)
    wide = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric")
    fy, fx = np.fft.fftfreq(wide.shape[0])[:, None], np.fft.rfftfreq(wide.shape[1])[None]
    response = np.exp(-2 * (np.pi * sigma) ** 2 * (fy**2 + fx**2))[..., None]
    soft = np.fft.irfft2(np.fft.rfft2(wide, axes=(0, 1)) * response, s=wide.shape[:2], axes=(0, 1))
    return soft[pad:-pad, pad:-pad].astype(np.float32)


def tone_map(linear, exposure):
    """Local (HDR-style) exposure, then a filmic curve (rational fit of ACES by K. Narkowicz), then the sRGB curve."""
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    around = np.exp(blur(np.log(np.clip(luminance, 0.01, 4))[..., None], linear.shape[1] * 0.06))
    a = linear * np.clip(0.55 / around, 0.4, 5) ** 0.33
    height, width = luminance.shape
    middle = a[height * 15 // 100 : height * 9 // 10, width // 5 : width * 4 // 5] @ np.array([0.2126, 0.7152, 0.0722])
    a = a * min(exposure, BRIGHTEST_MIDDLE / np.median(middle))
    a = np.clip((a * (2.51 * a + 0.03)) / (a * (2.43 * a + 0.59) + 0.14), 0, 1)
    return np.where(a <= 0.0031308, 12.92 * a, 1.055 * a ** (1 / 2.4) - 0.055)


def sensor_noise(rng, shape):
    """Luminance grain per pixel and colour grain per 2x2 pixels, standard deviation about 1."""
    height, width = shape
    source = np.random.default_rng(rng.randrange(2**31))
    grain = source.normal(0, 1, (height, width, 1))
    colour = source.normal(0, 1, (height // 2 + 1, width // 2 + 1, 3)).repeat(2, 0).repeat(2, 1)[:height, :width]
    return grain * 0.8 + colour * 0.3


def photograph(linear, rng, lamp_colour):
    """(H, W, 3) linear float32 -> PIL image. Bloom, white balance, tone mapping, vignette, noise, sharpening."""
    height, width = linear.shape[:2]
    scale = width / 750
    bright = np.clip(linear, 0, 30)
    a = np.clip(linear, 0, 6)
    for sigma, share in ((3, 0.02), (14, 0.03), (60, 0.03)):  # light scattered in the lens
        a = a + blur(bright, sigma * scale) * share
    # Phones correct part of a warm lamp's cast, not all of it.
    correction = np.array(lamp_colour) ** -rng.uniform(0.0, 0.6)
    a = a * (correction / correction.mean()).astype(np.float32)
    a = tone_map(a, rng.uniform(0.64, 0.88))
    grey = a.mean(2, keepdims=True)
    a = grey + (a - grey) * rng.uniform(1.04, 1.16)
    yy, xx = np.mgrid[0:height, 0:width]
    radius = ((xx - width / 2) ** 2 + (yy - height / 2) ** 2) / (width**2 / 4 + height**2 / 4)
    a *= (1 - rng.uniform(0.05, 0.16) * radius)[..., None]
    a = a + rng.uniform(0.6, 1.3) * (0.004 + 0.009 * (1 - a.mean(2, keepdims=True))) * sensor_noise(
        rng, (height, width)
    )
    picture = Image.fromarray((a.clip(0, 1) * 255 + 0.5).astype(np.uint8))
    return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.6))).filter(ImageFilter.UnsharpMask(1.2, 45, 2))
