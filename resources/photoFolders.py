"""Photos for trainBackbone.py: folders of class folders, decoded once, and cropped and disturbed anew every epoch."""

import math
from pathlib import Path

import cv2
import numpy as np
import torch

MEAN = (0.485, 0.456, 0.406)  # torchvision's ImageNet statistics, RGB in [0, 1]: every backbone of the project
STD = (0.229, 0.224, 0.225)  # sees the same input, whichever weights it has
PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


def find_classes(folders):
    """Names of the class folders in `folders`, sorted, each once. Raises ValueError for a folder without any."""
    names = set()
    for folder in folders:
        found = {path.name for path in Path(folder).iterdir() if path.is_dir()} if Path(folder).is_dir() else set()
        if not found:
            raise ValueError(f"{folder}: no class folders here; expected FOLDER/CLASS/PHOTO.jpg")
        names |= found
    return sorted(names)


def load_photos(folders, classes, short_side):
    """Decode every photo once: a few thousand small photos fit in memory, and no epoch waits for a JPEG decoder.

    Returns (photos, labels): a list of uint8 RGB arrays (H, W, 3), none with a short side over `short_side` pixels,
    and an int64 tensor (N,) of indices into `classes`. Raises ValueError, naming the file or folder, for a photo that
    cannot be decoded, a class folder that is not in `classes`, and a folder without photos.
    """
    photos, labels = [], []
    for folder in folders:
        count = len(photos)
        for name in find_classes([folder]):
            if name not in classes:
                raise ValueError(f"{Path(folder) / name}: the training folders have no class of this name")
            for path in sorted((Path(folder) / name).iterdir()):
                if path.suffix.lower() not in PHOTO_SUFFIXES:
                    continue
                # imdecode rather than imread: it applies the EXIF orientation too, and takes any path on any system
                data = np.fromfile(path, np.uint8)
                photo = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
                if photo is None:
                    raise ValueError(f"{path}: cannot be read as an image")
                scale = short_side / min(photo.shape[:2])
                if scale < 1:
                    photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
                photos.append(cv2.cvtColor(photo, cv2.COLOR_BGR2RGB))
                labels.append(classes.index(name))
        if len(photos) == count:
            raise ValueError(f"{folder}: its class folders hold no photos ({', '.join(sorted(PHOTO_SUFFIXES))})")
    return photos, torch.tensor(labels)


def random_crop(photo, size, min_area, rng):
    """A random part of a photo (H, W, 3), at `size` x `size`: Inception's crop (Szegedy et al. 2015, section 6)."""
    height, width = photo.shape[:2]
    area = height * width * rng.uniform(min_area, 1)
    aspect = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
    w, h = min(width, round(math.sqrt(area * aspect))), min(height, round(math.sqrt(area / aspect)))
    x, y = rng.integers(width - w + 1), rng.integers(height - h + 1)
    how = cv2.INTER_AREA if w > size else cv2.INTER_LINEAR  # averaging when shrinking, or thin structures would alias
    crop = cv2.resize(photo[y : y + h, x : x + w], (size, size), interpolation=how)
    return cv2.flip(crop, 1) if rng.random() < 0.5 else crop


def disturb(image, rng):
    """Change light and colours of a uint8 image (H, W, 3), blur it, add noise, erase a part; returns the same shape.

    Saturation, contrast, brightness, hue and the colour of the light are all linear, so one 3x4 matrix does them in
    one pass. Strong on purpose: a refrigerator's light is not a shop's, and colour alone should not name a class.
    """
    size, grey = len(image), np.full((3, 3), 1 / 3)
    saturation = 0 if rng.random() < 0.1 else rng.uniform(0.4, 1.6)
    hue = cv2.Rodrigues(np.full((3, 1), rng.uniform(-0.3, 0.3) / math.sqrt(3)))[0]  # turns colours about the grey axis
    contrast, light = rng.uniform(0.5, 1.4), np.diag(np.exp(rng.normal(0, 0.1, 3)))
    matrix = contrast * light @ hue @ (saturation * np.eye(3) + (1 - saturation) * grey)
    offset = image.mean() * (rng.uniform(0.6, 1.3) - contrast)
    image = cv2.transform(image, np.column_stack([matrix, np.full(3, offset)]))
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.5))
    if rng.random() < 0.2:
        noise = rng.standard_normal((size, size, 1), np.float32) * rng.uniform(2, 15)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:  # random erasing, Zhong et al. 2017
        h, w = rng.integers(size // 5, size // 2, 2)
        y, x = rng.integers(size - h), rng.integers(size - w)
        image[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    return image


def normalise(photos):
    """A uint8 RGB array (B, H, W, 3) to the network input, a float32 tensor (B, 3, H, W), channels last in memory."""
    return ((torch.from_numpy(photos).float() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2)
