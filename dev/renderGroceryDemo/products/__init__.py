"""Products by name: BUILDERS[name](rng) -> Product. CLASSES are annotated, DISTRACTORS never."""

from products import bottles, distractors, mushroom, packages, produce

BUILDERS = {
    "orange": produce.orange,
    "eggBox": packages.egg_box,
    "joghurt": packages.joghurt,
    "ketchup": bottles.ketchup,
    "squash": produce.squash,
    "mushroom": mushroom.mushroom,
    "water": bottles.water,
    "mustard": bottles.mustard,
}
CLASSES = tuple(BUILDERS)

BUILDERS |= {
    "milkCarton": distractors.milk_carton,
    "jamJar": distractors.jam_jar,
    "tinCan": distractors.tin_can,
    "storageBox": distractors.storage_box,
    "apple": distractors.apple,
    "lemon": distractors.lemon,
    "cucumber": distractors.cucumber,
    "cheese": distractors.cheese,
    "lettuce": distractors.lettuce,
}
DISTRACTORS = tuple(name for name in BUILDERS if name not in CLASSES)
DRAWER_FOOD = ("apple", "lemon", "cucumber", "lettuce")
DOOR_FOOD = ("milkCarton", "jamJar", "tinCan", "milkCarton")
