"""Image sets for SVMs: features that are drawn at random around a mean of each class."""

import numpy as np

from fastRCNN.svm import TrainingImage

NR_CLASSES = 3


def image_set(seed=0, nr_images=5, nr_rois=70, nr_features=20):
    """A tenth of the ROIs show an object, a tenth half of one (0 for its class), the others are background; some
    objects are far from typical, so that the classes overlap. One image has no ROI."""
    random = np.random.default_rng(seed)
    typical = random.normal(size=(NR_CLASSES, nr_features))
    images = []
    for _ in range(nr_images):
        features = random.normal(size=(nr_rois, nr_features))
        targets = -np.ones((nr_rois, NR_CLASSES), np.int8)
        for roi in range(nr_rois // 5):
            class_id = random.integers(NR_CLASSES)
            example = roi < nr_rois // 10
            features[roi] += typical[class_id] * (random.uniform(0.5, 1.5) if example else 0.5)
            targets[roi, class_id] = 1 if example else 0
        images.append(TrainingImage(features.astype(np.float32), targets))
    return images + [TrainingImage(np.zeros((0, nr_features), np.float32), np.zeros((0, NR_CLASSES), np.int8))]
