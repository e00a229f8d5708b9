"""Every knob of the pipeline, shared by all scripts. Edit a value here, or set it for one run on the command line:

    python3 1_computeRois.py --set datasetName=grocery cntk_nrRois=2000

What counts, from weak to strong: the defaults, the block of the data set at the end of this file, the preset, what
`--keep` wrote into data/<dataset>/parameters.txt (helpers/config/kept.py), `--set`.

A line declares a parameter, once: `name: type = default  # meaning, unit [where the default comes from]`. "original" is
Microsoft's CNTK tutorial, "R-CNN", "Fast R-CNN" and "VOC" are the papers, "measured" means chosen by cross-validation
with a script in benchmarks/ (see docs/results.md). The types are those of helpers/config/types.py; a third number in
`Whole[...]` and `Number[...]` is the greatest value that a model or data set of somebody else may ask for.

`Group(...)` names the steps that work with the parameters below it, up to the next group: when one is changed, they
have to run again (helpers/config/groups.py). kept=False: a data set may not keep them; stored=False: a model does not.
"""

import os

from fastRCNN.backbones import BACKBONES
from fastRCNN.selective_search import ENGINES
from helpers.config.groups import DETECTIONS, FEATURES, INPUTS, ROIS, SVMS, TRAINING, Group
from helpers.config.types import (
    Above,
    Choice,
    Either,
    Entries,
    Flag,
    Folder,
    Fraction,
    Name,
    Number,
    Overlap,
    Positive,
    Row,
    Score,
    Several,
    Text,
    Whole,
)  # fmt: skip

# fmt: off
_with_svms = dict(classifier="svm")  # conditions of groups:
_validated = dict(nn_validationFraction=bool)  # training measures itself, as step 5 does

# ---------------------------------------------------------------------------------------------------------------------
# Data set
# ---------------------------------------------------------------------------------------------------------------------
_which: Group = Group(kept=False)
datasetName: Name = "groceryDemo"               # a folder below dataRootDir, and a block at the end of this file
# the folder, where it is not called after the data set; "": it is
datasetFolder: Text[r"[\w-]*", "the name of a folder below dataRootDir, or nothing"] = ""

_what: Group = Group()
# further values at once, see `presets` at the end of this file; "": none
preset: Text[r"\w*", "the name of one of the presets below, or nothing"] = ""
# "svm": pre-trained network + linear SVM; "nn": the network itself is trained
classifier: Choice["svm", "nn"] = "svm"
imageSet: Choice["test", "train"] = "test"      # the images that steps 5 look at
# "folders": the one above; "voc", "coco": theirs, read in place
datasetLayout: Choice["folders", "voc", "coco"] = "folders"

_classes: Group = Group(INPUTS)
# of each data set: in its block at the end of this file, else from its own files
classes: Several[Text[r"[^\t\r\n,]+", "a class name without tabs and commas"]]

_experiment: Group = Group(FEATURES.when(classifier="nn"), DETECTIONS)
experimentName: Name = "exp1"                   # becomes part of the names of the trained files

_random: Group = Group(TRAINING, SVMS)
seed: Whole[0, 2**32 - 1] = 3                   # start of every random sequence [original: svm_rngSeed]

_machine: Group = Group(kept=False, stored=False)
rootDir: Folder = os.path.dirname(os.path.abspath(__file__))  # the folder of this file
# data sets: <dataRootDir>/<datasetName>/{positive,testImages,negative}/
dataRootDir: Folder = os.path.join(rootDir, "data")
procRootDir: Folder = os.path.join(rootDir, "proc")  # intermediate files: <procRootDir>/<datasetName>/
resultsRootDir: Folder = os.path.join(rootDir, "results")  # tables, plots, pictures: <resultsRootDir>/<datasetName>/
# where steps 0 and 1 compute: here, or with "dask" and "ray" on a cluster
parallel_backend: Choice["loky", "threading", "dask", "ray"] = "loky"
# of the cluster's scheduler, "tcp://10.0.0.1:8786"; "": a cluster on this machine
parallel_address: Text[r"\S*", "the address of a scheduler, or nothing"] = ""

_VocList = Text[r"[\w-]+/[\w-]+", "YEAR/LIST, such as VOC2007/trainval"]
_voc: Group = Group(INPUTS.when(datasetLayout="voc"))
# lists of images to train on, YEAR/LIST; add "VOC2012/trainval" for 07+12
voc_trainSets: Several[_VocList, 1] = ("VOC2007/trainval",)
voc_testSets: Several[_VocList, 1] = ("VOC2007/test",)  # lists of images to test on
# learn from objects that VOC calls difficult; else they are no background either [VOC]
train_useDifficult: Flag = False

_coco: Group = Group(INPUTS.when(datasetLayout="coco"))
coco_trainSet: Name = "train2017"  # the folder of the images to train on; boxes: annotations/instances_train2017.json
coco_testSet: Name = "val2017"                  # the folder of the images to test on, likewise
coco_imagesWithout: Choice["negative", "leaveOut"] = "negative"  # images without them (test images as well)

_CocoCategory = Either[Whole[1, 10**9], Text[r".+", "a category's name"]]
_found: Group = Group()  # what follows from them, classes and ROIs, is compared itself
# what is looked for, names or numbers as tools/listCocoCategories.py shows; (): all
coco_categories: Several[_CocoCategory] = ("person", "car")
voc_publishedRois: Flag = True  # step 1 takes the ROIs published with Fast R-CNN, where tools/getData.py put them

# ---------------------------------------------------------------------------------------------------------------------
# Generation of regions of interest (ROIs), step 1. Relative lengths are in units of the image's longer side
# ---------------------------------------------------------------------------------------------------------------------
_rois: Group = Group(ROIS)
# an entry of fastRCNN/selective_search.py [measured: benchmarks/roi_engines.py]
roi_engine: Choice[ENGINES] = "fast"
# pixels of the longer side during selective search; opencv-fast wants 400 [measured; original 200]
roi_maxImgDim: Whole[20, 10_000, 2000] = 250
roi_minDimRel: Fraction = 0.01                  # least width and height of a ROI, relative [original]
roi_maxDimRel: Fraction = 1.0                   # greatest width and height of a ROI, relative [original]
roi_minNrPixelsRel: Fraction = 0.0              # least area of a ROI, in units of the longer side squared [original]
roi_maxNrPixelsRel: Fraction = 1.0              # greatest area of a ROI, likewise [original]
roi_maxAspectRatio: Number[1, 1000] = 4.0       # greatest ratio of the longer to the shorter side of a ROI [original]
ss_nmsThreshold: Fraction = 0.85  # of proposals that overlap more than this (IoU), only one is kept [original]
grid_nrScales: Whole[0, 30] = 7  # sizes of grid ROIs, from the greatest allowed one down; 0: no grid [original]
grid_aspectRatios: Several[Number[0.001, 1000], 0, 100] = (1.0, 2.0, 0.5)  # width / height of grid ROIs [original]
grid_downscaleRatioPerIteration: Number[1.01, 100] = 1.5  # ratio of each size to the next smaller one [original]
grid_stepRel: Number[0.05, 1] = 0.5             # distance of neighbours, in units of their width and height [original]

_fast: Group = Group(ROIS.when(roi_engine="fast"))
ss_colours: Several[Choice["lab", "hsv", "rgi"]] = ("lab", "hsv")  # colour spaces to segment in [measured]
ss_ks: Several[Whole[1, 1_000_000]] = (80, 200, 500)  # Felzenszwalb's k of each segmentation [measured]

_opencv: Group = Group(ROIS.when(roi_engine=("opencv-fast", "opencv-quality")))
ss_base_k: Whole[1, 1_000_000] = 150            # first Felzenszwalb's k [OpenCV]
ss_inc_k: Whole[1, 1_000_000] = 150             # step to the next k [OpenCV]
ss_opencvSigma: Number[0.01, 100] = 0.8         # blur before segmentation in pixels [OpenCV]

_package: Group = Group(ROIS.when(roi_engine="selectivesearch"))
ss_scale: Number[0.001, 1_000_000] = 100        # Felzenszwalb's k: how readily regions merge [original]
ss_sigma: Number[0, 100] = 1.2                  # blur before segmentation in pixels [original]

_dlib: Group = Group(ROIS.when(roi_engine="dlib"))
# first, last and number of Felzenszwalb's k [original]
ss_kvals: Row[Whole[1, 1_000_000], Whole[1, 1_000_000], Whole[1, 100]] = (50, 500, 6)
ss_max_merging_iterations: Whole[1, 1000, 100] = 20  # rounds of merging [original]

_both: Group = Group(ROIS.when(roi_engine=("selectivesearch", "dlib")))
ss_minSize: Whole[1, 1_000_000] = 20            # least region in pixels of the scaled image [original]

# ---------------------------------------------------------------------------------------------------------------------
# Network, steps 2 and 3
# ---------------------------------------------------------------------------------------------------------------------
_inputs: Group = Group(INPUTS)
# ROIs of an image; further ones are cut off, text files padded with zeros. Up to three quarters of a training
# image's are its ground-truth boxes [measured; original 200]
cntk_nrRois: Whole[1, 100_000, 20_000] = 500
cntk_padWidth: Whole[32, 10_000, 4000] = 1000   # pixels of the square that the image is scaled to fit into [original]
cntk_padHeight: Whole[32, 10_000, 4000] = 1000  # [original]
# a ROI with this IoU or more with an object is a positive [measured; original 0.5]
train_posOverlapThres: Fraction = 0.6

_network: Group = Group(TRAINING, FEATURES.when(**_with_svms))
network: Choice[BACKBONES] = "efficientnet_lite0"  # an entry of fastRCNN/backbones.py
# "max" [Fast R-CNN], "align" [Mask R-CNN]; "auto": which suits the network
network_roiPooling: Choice["auto", "align", "max"] = "auto"
# a ROI is described by itself and by its context region, so many times as wide and high; 1: by itself alone
# [Gidaris and Komodakis 2015; measured]
network_contextFactor: Number[1, 10, 4] = 1.8
# pixels that the scaled image's shorter side may have; 0: whatever fits the square
network_maxShorterSide: Whole[0, 10_000, 4000] = 0
train_mirrored: Flag = True                     # train on the mirror images as well [measured; Fast R-CNN]

_weights: Group = Group(stored=False)  # the weights themselves are compared
# "auto": ImageNet weights, of efficientnet_lite0 from a package, of torchvision's networks from resources/, torch's
# cache or a download; "random": none (for tests); or the path of a state dict (.pth, .safetensors)
networkWeights: Text[r".+", '"auto", "random" or the path of a file'] = "auto"

_threads: Group = Group(TRAINING, FEATURES.when(**_with_svms), kept=False, stored=False)
# threads that compute an image, whatever the environment allows: other numbers give other last digits; "auto":
# the physical cores of this machine
network_threads: Either[Choice["auto"], Whole[1, 1024]] = "auto"

_batch: Group = Group(FEATURES, TRAINING.when(**_validated), kept=False)
# ROIs that go through the head at once; bounds the memory. Other numbers give other last digits
network_roiBatchSize: Whole[1, 100_000, 4000] = 500

_engine: Group = Group(FEATURES, kept=False, stored=False)
# what runs the trunk on a CPU: other engines give other last digits; "onnx" needs requirements-export.txt, "openvino"
# requirements-openvino.txt. benchmarks/runtimes.py says which is fastest on this machine
network_runtime: Choice["torch", "onnx", "openvino"] = "torch"

_precision: Group = Group(FEATURES, stored=False)
# numbers of the trunk; "bfloat16" where the processor has it in hardware: half the digits of float16, and faster
network_precision: Choice["float32", "bfloat16"] = "float32"

_device: Group = Group(kept=False, stored=False)
network_device: Choice["auto", "cpu", "cuda", "mps"] = "auto"  # "auto": a GPU where there is one

# ---------------------------------------------------------------------------------------------------------------------
# Training of the SVMs, step 4
# ---------------------------------------------------------------------------------------------------------------------
_svms: Group = Group(SVMS)
train_negOverlapThres: Fraction = 0.3           # a ROI with less IoU with all objects of a class is a negative [R-CNN]
svm_C: Positive = 0.01                          # weight of the margin errors [measured; original and R-CNN 0.001]
svm_B: Positive = 10.0                          # intercept scaling [original]
svm_nrEpochs: Whole[1, 10_000] = 20  # rounds of hard-negative mining at most; it ends when none is left [original 5]
svm_retrainLimit: Whole[1, 10**9] = 2000  # new ROIs that a round of mining adds at most, the hardest first [original]
svm_evictThreshold: Number[-1e9, -1] = -1.1     # negatives that score less and carry no weight are forgotten [original]
# weight of positives: "balanced", or a number [original: "auto"]
svm_posWeight: Either[Choice["balanced"], Positive] = "balanced"
svm_targetNorm: Positive = 20.0                 # mean L2 norm that features are scaled to [original, R-CNN]
svm_loss: Choice["l1", "l2"] = "l1"             # "l1": hinge, "l2": squared hinge [original]
# ROIs with this IoU or more with an object are learned from [measured; R-CNN 0.6]
boxRegression_minOverlap: Overlap = 0.5
boxRegression_ridge: Positive = 300.0           # weight of the squared norm, lambda [measured; R-CNN 1000]

_original: Group = Group()  # where the original lets one choose, and here there is one of
svm_penality: Choice["l2"] = "l2"               # penalty norm; the original's spelling [original]

_both_trainings: Group = Group(TRAINING, SVMS)
boxRegression: Flag = True                      # learn to shift and stretch ROIs onto the object [R-CNN, appendix C]

# ---------------------------------------------------------------------------------------------------------------------
# Training of the network itself, step 3 with classifier = "nn"
# ---------------------------------------------------------------------------------------------------------------------
_training: Group = Group(TRAINING)
# the first layer that learns: torchvision's name of one of the trunk's ("features.9"), "head": the trunk stays
# as it is; "auto": the last blocks of convolutions
nn_trainFromLayer: Text[r"[\w.]+", '"auto", "head" or the name of a layer of the trunk'] = "auto"
nn_imagesPerBatch: Whole[1, 10_000] = 2         # images of a step, of all processes together [Fast R-CNN]
nn_roisPerImage: Whole[1, 100_000] = 64         # ROIs of each of them [Fast R-CNN]
nn_foregroundFraction: Fraction = 0.25          # share of them that are positives, at most [Fast R-CNN]
nn_posOverlapThres: Overlap = 0.5               # a ROI with this IoU or more with an object is a positive [Fast R-CNN]
nn_negOverlapMin: Fraction = 0.0  # background with this IoU or more is preferred [measured; Fast R-CNN 0.1]
# weight of the box-regression loss, lambda; boxRegression = False: none [Fast R-CNN]
nn_locationWeight: Number[0, 1000] = 1.0
nn_optimizer: Choice["sgd", "adamw"] = "sgd"    # "sgd": with momentum [Fast R-CNN]
# pairs (epochs, learning rate), one after the other [measured]
nn_learningRates: Several[Row[Whole[1, 100_000], Above[0, 100]], 1] = ((20, 0.001), (5, 0.0001))
nn_momentum: Number[0, 0.9999] = 0.9            # of SGD, and AdamW's first beta [Fast R-CNN]
nn_weightDecay: Number[0, 1] = 0.0005           # [Fast R-CNN]
nn_warmupIterations: Whole[0, 10**9] = 100      # the learning rate grows linearly over the first so many steps
nn_clipNorm: Positive = 10.0                    # greatest L2 norm of a step's gradient
# share of the annotated training images that is held out to measure on; 0: none
nn_validationFraction: Number[0, 0.9] = 0.0
nn_validationEvery: Whole[1, 100_000] = 5       # epochs from one measurement to the next
nn_patience: Whole[1, 100_000] = 6              # measurements without a better mAP after which training stops
# ranks of the fully connected layers after training, (1024, 256) [Fast R-CNN]; (): all
svd_rank: Several[Whole[1, 100_000], 0, 10] = ()

_cache: Group = Group()
nn_cacheTrunk: Flag = True                      # keep the frozen layers' maps of all images on disk while training

# ---------------------------------------------------------------------------------------------------------------------
# Post-processing and evaluation, steps 5 and 6
# ---------------------------------------------------------------------------------------------------------------------
_suppression: Group = Group(DETECTIONS, TRAINING.when(**_validated))
nmsThreshold: Fraction = 0.3  # of detections of a class that overlap more (IoU), only the best stays [original]
nms_boxVoting: Flag = True  # move each detection to the weighted mean of the boxes around it [measured]
nms_votingOverlap: Overlap = 0.5                # IoU of the boxes that count as being around it [measured]
# detections of an image at most; "auto": 100 [COCO], or twice the objects of the training image with the most
# of them, where that is more
nms_maxDetections: Either[Choice["auto"], Whole[1, 1_000_000, 10_000]] = "auto"

_shown: Group = Group(DETECTIONS)
# least score drawn; a number: of `classifier` [original: 0.5, None]
vis_decisionThresholds: Either[Entries[("svm", "nn"), Score], Score] = {"svm": 0.0, "nn": 0.5}

_measured: Group = Group(TRAINING.when(**_validated))
eval_overlapThreshold: Overlap = 0.5            # least IoU of a hit [VOC]

_report: Group = Group()
eval_use11Points: Flag = False                  # False: area under the curve [VOC 2010 on]; True: 11 recalls [VOC 2007]
eval_wantedPrecision: Fraction = 0.9  # the threshold table marks the lowest score threshold with this precision
vis_maxPictures: Whole[1, 10**9, 10_000] = 200  # pictures that step 5 draws at most, evenly spread over the images

# ---------------------------------------------------------------------------------------------------------------------
# One block a data set: `classes` and whatever else differs from the defaults above
# ---------------------------------------------------------------------------------------------------------------------
datasets = {
    # 30 rendered images of refrigerators that ship with the project
    "groceryDemo": dict(
        classes=("orange", "eggBox", "joghurt", "ketchup", "squash", "mushroom", "water", "mustard"),
        cntk_nrRois=1000,
        roi_minDimRel=0.03,
        roi_maxDimRel=0.25,
        roi_minNrPixelsRel=0.0015,
        roi_maxNrPixelsRel=0.03,
    ),
    # 25 photos of a refrigerator, the original tutorial's data. Limits around the boxes of 20 training photos: sides
    # 0.035 to 0.23, areas 0.0019 to 0.0151, aspect ratios up to 4 (python3 0_checkDataset.py prints them)
    "grocery": dict(
        classes=("orange", "eggBox", "joghurt", "ketchup", "squash", "mushroom", "water", "mustard"),
        roi_minDimRel=0.03,
        roi_maxDimRel=0.25,
        roi_minNrPixelsRel=0.0015,
        roi_maxNrPixelsRel=0.03,
    ),
    # COCO in its own layout, see coco_categories above; the classes and the limits of ROIs follow from them
    "coco": dict(datasetLayout="coco"),
    # PASCAL VOC 2007 in its own layout [4000 ROIs and "nn": original; 11 points: VOC 2007]
    "pascalVoc": dict(
        datasetLayout="voc",
        datasetFolder="VOCdevkit",
        classes=(
            "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
            "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
        ),
        classifier="nn",
        cntk_nrRois=4000,
        eval_use11Points=True,
    ),
}

# ---------------------------------------------------------------------------------------------------------------------
# Presets: what a paper set, whatever the data set is
# ---------------------------------------------------------------------------------------------------------------------
_fast_rcnn = dict(  # Fast R-CNN, sections 2.3 and 5; 16 epochs of VOC 2007 trainval are 40,000 steps of 2 images
    classifier="nn",
    cntk_nrRois=2000,
    network_contextFactor=1.0,
    network_maxShorterSide=600,
    nn_learningRates=((12, 0.001), (4, 0.0001)),
    nn_imagesPerBatch=2,
    nn_roisPerImage=64,
    nn_negOverlapMin=0.1,
    nn_warmupIterations=0,
    nn_cacheTrunk=False,
    nms_boxVoting=False,
)
presets = {
    "fastRcnnS": dict(_fast_rcnn, network="alexnet", nn_trainFromLayer="features.3"),  # CaffeNet, from conv2 on
    "fastRcnnM": dict(_fast_rcnn, network="vgg_cnn_m_1024", nn_trainFromLayer="features.4"),  # from conv2 on
    "fastRcnnL": dict(_fast_rcnn, network="vgg16", nn_trainFromLayer="features.10"),  # from conv3_1 on
}
