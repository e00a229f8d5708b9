"""The labels of the eight products: (H, W, 4) uint8 arrays. Words are generic; there is no brand, real or invented."""

from label_drawing import as_array, barcode, fitted_text, fruit, hills, new_label, small_print

INK = (45, 45, 48)


def joghurt(rng):
    """Wraps once around the tub; the middle of the picture is the front."""
    taste, light, dark = rng.choice(
        [
            ("PEACH", (240, 150, 70), (215, 80, 35)),
            ("CHERRY", (205, 40, 55), (120, 10, 25)),
            ("APRICOT", (245, 175, 70), (220, 120, 40)),
        ]
    )
    stripe = rng.choice([(40, 84, 140), (60, 120, 70), (35, 38, 45)])
    image, draw = new_label(2048, 700, rng.choice([(246, 241, 231, 255), (250, 249, 246, 255)]))
    draw.rectangle((0, 0, 2048, 46), fill=stripe)
    fitted_text(draw, 1024, 175, "JOGHURT", 560, 140, stripe, serif=True)
    fitted_text(draw, 1024, 295, taste, 400, 84, INK)
    for x, y, r in ((1110, 510, 105), (950, 540, 85), (1240, 450, 66)):
        fruit(image, x, y, r, light, dark)
    draw.text((740, 620), "500 g", fill=INK, font_size=44)
    for x in (60, 1480):
        draw.rectangle((x, 130, x + 260, 620), outline=INK, width=4)
        small_print(draw, x + 12, 150, 235, 14, 32, 20, rng, (70, 70, 70))
    small_print(draw, 350, 160, 250, 10, 28, 19, rng, (90, 90, 90))
    barcode(draw, 1790, 430, 190, 150, rng)
    return as_array(image)


def ketchup(rng):
    paper, ink = rng.choice(
        [((242, 240, 232), (150, 16, 18)), ((250, 232, 190), (130, 14, 14)), ((30, 70, 45), (245, 240, 225))]
    )
    image, draw = new_label(640, 760)
    draw.rounded_rectangle((10, 10, 630, 750), 50, fill=paper, outline=ink, width=10)
    fruit(image, 320, 190, 120, (230, 60, 40), (150, 15, 15))
    draw.rectangle((10, 340, 630, 500), fill=(175, 24, 22))
    fitted_text(draw, 320, 420, "KETCHUP", 500, 130, (250, 246, 236))
    fitted_text(draw, 320, 580, "TOMATO", 400, 90, ink, serif=True)
    fitted_text(draw, 320, 670, "450 g", 300, 54, ink)
    return as_array(image)


def mustard(rng):
    paper, ink, band = rng.choice(
        [
            ((26, 24, 22), (240, 205, 80), (150, 30, 20)),
            ((245, 240, 225), (60, 50, 20), (70, 100, 40)),
            ((120, 22, 18), (248, 225, 150), (40, 34, 28)),
        ]
    )
    image, draw = new_label(900, 520)
    draw.rounded_rectangle((8, 8, 892, 512), 50, fill=paper, outline=(200, 160, 60), width=12)
    draw.rectangle((20, 340, 880, 450), fill=band)
    fitted_text(draw, 450, 190, "MUSTARD", 640, 190, ink)
    fitted_text(draw, 450, 395, rng.choice(["MEDIUM HOT", "MILD YELLOW", "WITH HONEY"]), 560, 80, (250, 240, 205))
    return as_array(image)


def water(rng):
    """Wraps once around the bottle; two fronts, so that one of them shows from any side."""
    paper, ink, hill = rng.choice(
        [
            ((236, 240, 242), (22, 60, 120), (110, 150, 190)),
            ((24, 66, 130), (240, 244, 248), (130, 170, 215)),
            ((228, 238, 226), (30, 96, 90), (120, 170, 140)),
        ]
    )
    image, draw = new_label(1600, 480, (*paper, 255))
    draw.rectangle((0, 0, 1600, 24), fill=ink)
    draw.rectangle((0, 456, 1600, 480), fill=ink)
    for x in (400, 1200):
        hills(draw, x - 230, 420, 460, 190, hill)
        fitted_text(draw, x, 130, "WATER", 520, 160, ink)
        fitted_text(draw, x, 255, rng.choice(["SPARKLING", "MOUNTAIN SPRING"]), 480, 60, ink)
    barcode(draw, 730, 150, 140, 200, rng)
    small_print(draw, 10, 80, 120, 10, 34, 20, rng, ink)
    return as_array(image)


def egg_box(rng, count, ink):
    """Top of the carton."""
    image, draw = new_label(1100, 430, rng.choice([(214, 206, 186, 255), (240, 234, 214, 255), (226, 208, 150, 255)]))
    draw.rectangle((0, 0, 1100, 80), fill=ink)
    fitted_text(draw, 550, 41, rng.choice(["FREE RANGE", "FROM THE BARN", "SIZE M"]), 900, 52, (244, 242, 228))
    fitted_text(draw, 330, 190, rng.choice(["FARM EGGS", "FRESH EGGS"]), 560, 110, (66, 52, 40), serif=True)
    fitted_text(draw, 330, 300, f"{2 * count} EGGS", 400, 70, ink)
    draw.ellipse((660, 120, 900, 400), fill=(60, 58, 54))
    for x, y in ((690, 190), (785, 240)):
        draw.ellipse((x, y, x + 100, y + 125), fill=(232, 198, 160))
    barcode(draw, 920, 240, 150, 150, rng)
    return as_array(image)


def egg_box_front(rng, count, ink):
    """Narrow strip on the front of the lid."""
    image, draw = new_label(1100, 160, (*ink, 255))
    fitted_text(draw, 550, 80, f"{2 * count} FARM EGGS", 1000, 100, (246, 240, 220))
    return as_array(image)


def mushroom(rng):
    band = rng.choice([(40, 110, 185), (60, 120, 60), (35, 60, 110)])
    image, draw = new_label(700, 420, (240, 241, 242, 255))
    draw.rectangle((0, 0, 700, 150), fill=band)
    fitted_text(draw, 350, 76, "MUSHROOMS", 640, 110, (255, 255, 255))
    fitted_text(draw, 220, 205, rng.choice(["WHITE", "FRESH"]), 320, 70, (60, 70, 60), serif=True)
    small_print(draw, 34, 270, 330, 5, 28, 20, rng, (70, 70, 70))
    barcode(draw, 440, 210, 220, 170, rng)
    return as_array(image)


def fruit_sticker(rng):
    image, draw = new_label(128, 128)
    draw.ellipse((2, 2, 125, 125), fill=rng.choice([(240, 240, 235), (240, 215, 40), (40, 90, 160)]))
    draw.ellipse((20, 20, 107, 107), fill=(250, 250, 245))
    fitted_text(draw, 64, 64, "FRESH", 80, 30, (40, 110, 60))
    return as_array(image)


def rating_plate(rng):
    """The grey small print on the side wall of the refrigerator."""
    image, draw = new_label(500, 620)
    for x, y, width, lines, size in (
        (10, 10, 230, 14, 17),
        (260, 30, 220, 9, 17),
        (260, 280, 220, 5, 28),
        (10, 400, 230, 5, 17),
    ):
        small_print(draw, x, y, width, lines, 26 if size < 20 else 34, size, rng, (60, 58, 55, 230))
    draw.ellipse((300, 470, 350, 520), outline=(60, 58, 55, 230), width=5)
    return as_array(image)


def words(text, width, height, paper, ink):
    """Plain label with one line of text, for the products that belong to no class."""
    image, draw = new_label(width, height, (*paper, 255))
    draw.rectangle((0, int(height * 0.3), width, int(height * 0.7)), fill=ink)
    for x in (0, width // 2, width):  # the middle is the front of a product
        fitted_text(draw, x, height // 2, text, int(width * 0.42), int(height * 0.3), paper)
    return as_array(image)
