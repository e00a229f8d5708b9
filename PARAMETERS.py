"""Every knob of the pipeline, shared by all scripts. Edit a value here, or set it for one run on the command line:

    python3 1_computeRois.py --set datasetName=grocery cntk_nrRois=2000

What counts, from weak to strong: the defaults, the block of the data set at the end of this file, the preset, what
`--keep` wrote into data/<dataset>/parameters.txt (helpers/config/kept_parameters.py), `--set`.
Each line states the meaning, the unit or range, and [where the value comes from]: "original" is Microsoft's CNTK
tutorial, "R-CNN", "Fast R-CNN" and "VOC" are the papers, "measured" means chosen by cross-validation with a script in
benchmarks/ (see the README). Ranges and types are checked before any script starts (helpers/config/parameters.py).
"""

import os

# fmt: off
# ---------------------------------------------------------------------------------------------------------------------
# Data set
# ---------------------------------------------------------------------------------------------------------------------
datasetName = "groceryDemo"     # a folder below dataRootDir, and a block at the end of this file
preset = ""                     # further values at once, see `presets` at the end of this file; "": none
classifier = "svm"              # "svm": pre-trained network + linear SVM; "nn": the network itself is trained
imageSet = "test"               # the images that steps 5 look at: "test" or "train"
experimentName = "exp1"         # becomes part of the names of the trained SVM's files; letters, digits, - and _
seed = 3                        # start of every random sequence [original: svm_rngSeed]

rootDir = os.path.dirname(os.path.abspath(__file__))
dataRootDir = os.path.join(rootDir, "data")  # <dataRootDir>/<datasetName>/{positive,testImages,negative}/
datasetFolder = ""              # the folder, where it is not called after the data set; "": it is
datasetLayout = "folders"       # "folders": the one above; "voc", "coco": theirs, read in place
procRootDir = os.path.join(rootDir, "proc")  # intermediate files: <procRootDir>/<datasetName>/
resultsRootDir = os.path.join(rootDir, "results")  # tables, plots, pictures: <resultsRootDir>/<datasetName>/

parallel_backend = "loky"       # where steps 0 and 1 compute: "loky", "threading", or on a cluster: "dask", "ray"
parallel_address = ""           # of the cluster's scheduler, "tcp://10.0.0.1:8786"; "": a cluster on this machine

voc_trainSets = ("VOC2007/trainval",)  # lists of images to train on, YEAR/LIST; add "VOC2012/trainval" for 07+12
voc_testSets = ("VOC2007/test",)  # lists of images to test on
voc_publishedRois = True        # step 1 takes the ROIs published with Fast R-CNN, where tools/getData.py put them
coco_trainSet = "train2017"     # the folder of the images to train on; boxes: annotations/instances_train2017.json
coco_testSet = "val2017"        # the folder of the images to test on, likewise
coco_categories = ("person", "car")  # what is looked for, names or numbers as listCocoCategories.py shows; (): all
coco_imagesWithout = "negative"  # images without them: "negative" or "leaveOut" (of test images as well)

# ---------------------------------------------------------------------------------------------------------------------
# Generation of regions of interest (ROIs), step 1. Relative lengths are in units of the image's longer side
# ---------------------------------------------------------------------------------------------------------------------
roi_engine = "opencv-fast"      # "opencv-fast", "opencv-quality", "selectivesearch", "dlib", "grid"
                                # [measured: benchmarks/roi_engines.py]
roi_maxImgDim = 400             # pixels of the longer side during selective search [measured; original 200]
roi_minDimRel = 0.01            # least width and height of a ROI, relative [original]
roi_maxDimRel = 1.0             # greatest width and height of a ROI, relative [original]
roi_minNrPixelsRel = 0.0        # least area of a ROI, in units of the longer side squared [original]
roi_maxNrPixelsRel = 1.0        # greatest area of a ROI, likewise [original]
roi_maxAspectRatio = 4.0        # greatest ratio of the longer to the shorter side of a ROI [original]

ss_nmsThreshold = 0.85          # of proposals that overlap more than this (IoU), only one is kept [original]
ss_minSize = 20                 # least region, pixels of the scaled image, engines "selectivesearch", "dlib" [original]
ss_scale = 100                  # Felzenszwalb's k: how readily regions merge, engine "selectivesearch" [original]
ss_sigma = 1.2                  # blur before segmentation in pixels, engine "selectivesearch" [original]
ss_kvals = (50, 500, 6)         # first, last and number of Felzenszwalb's k, engine "dlib" [original]
ss_max_merging_iterations = 20  # rounds of merging, engine "dlib" [original]
ss_base_k = 150                 # first Felzenszwalb's k, engine "opencv-..." [OpenCV]
ss_inc_k = 150                  # step to the next k, engine "opencv-..." [OpenCV]
ss_opencvSigma = 0.8            # blur before segmentation in pixels, engine "opencv-..." [OpenCV]

grid_nrScales = 7               # sizes of grid ROIs, from the greatest allowed one down; 0: no grid [original]
grid_aspectRatios = (1.0, 2.0, 0.5)  # width / height of grid ROIs [original]
grid_downscaleRatioPerIteration = 1.5  # ratio of each size to the next smaller one [original]
grid_stepRel = 0.5              # distance of neighbours, in units of their width and height [original]

# ---------------------------------------------------------------------------------------------------------------------
# Network, steps 2 and 3
# ---------------------------------------------------------------------------------------------------------------------
network = "squeezenet1_1"       # "alexnet", "vgg_cnn_m_1024", "vgg16", "squeezenet1_1", "resnet18", "resnet50",
                                # "mobilenet_v3_large"
networkWeights = "auto"         # "auto": resources/, then torch's cache, then a download of torchvision's ImageNet
                                # weights; "bundled": the small network in resources/; "random": none (for
                                # tests); or the path of a state dict (.pth, .safetensors)
network_roiPooling = "auto"     # "max" [Fast R-CNN], "align" [Mask R-CNN], "auto": which suits the network
network_contextFactor = 1.8     # a ROI is described by itself and by its surroundings, so many times as wide and high;
                                # 1: by itself alone [Gidaris and Komodakis 2015; measured]
network_device = "auto"         # "auto": a GPU where there is one; "cpu", "cuda", "mps"
network_threads = "auto"        # threads that compute an image, whatever the environment allows: other numbers give
                                # other last digits; "auto": the physical cores of this machine
network_roiBatchSize = 500      # ROIs that go through the head at once; bounds the memory. Other numbers give other
                                # last digits
cntk_nrRois = 500               # ROIs of an image; further ones are cut off, text files padded with zeros. Up to three
                                # quarters of a training image's are its ground-truth boxes [measured; original 200]
cntk_padWidth = 1000            # pixels of the square that the image is scaled to fit into [original]
cntk_padHeight = 1000           # [original]
network_maxShorterSide = 0      # pixels that the scaled image's shorter side may have; 0: whatever fits the square

# ---------------------------------------------------------------------------------------------------------------------
# Training, step 4
# ---------------------------------------------------------------------------------------------------------------------
train_posOverlapThres = 0.6     # a ROI with this IoU or more with an object is an example [measured; original 0.5]
train_negOverlapThres = 0.3     # a ROI with less IoU with all objects of a class is a counterexample [R-CNN]

train_useDifficult = False      # learn from objects that VOC calls difficult; else they are no background either [VOC]
train_mirrored = True           # train on the mirror images as well [measured; Fast R-CNN]

svm_C = 0.003                   # weight of the margin errors, > 0 [measured; original and R-CNN 0.001]
svm_B = 10.0                    # intercept scaling, > 0 [original]
svm_nrEpochs = 20               # rounds of hard-negative mining at most; it ends when none is left [original 5]
svm_retrainLimit = 2000         # new ROIs that a round of mining adds at most, the hardest first [original]
svm_evictThreshold = -1.1       # negatives that score less and carry no weight are forgotten [original]
svm_posWeight = "balanced"      # weight of positives: "balanced", or a number > 0 [original: "auto"]
svm_targetNorm = 20.0           # mean L2 norm that features are scaled to [original, R-CNN]
svm_penality = "l2"             # penalty norm; the original's spelling [original]
svm_loss = "l1"                 # "l1": hinge, "l2": squared hinge [original]

boxRegression = True            # learn to shift and stretch ROIs onto the object [R-CNN, appendix C]
boxRegression_minOverlap = 0.5  # ROIs with this IoU or more with an object are learned from [measured; R-CNN 0.6]
boxRegression_ridge = 300.0     # weight of the squared norm, lambda [measured; R-CNN 1000]

# ---------------------------------------------------------------------------------------------------------------------
# Training of the network itself, step 3 with classifier = "nn"
# ---------------------------------------------------------------------------------------------------------------------
nn_trainFromLayer = "auto"      # the first layer that learns: torchvision's name of one of the trunk's ("features.9"),
                                # "head": the trunk stays as it is; "auto": the last blocks of convolutions
nn_imagesPerBatch = 2           # images of a step, of all processes together [Fast R-CNN]
nn_roisPerImage = 64            # ROIs of each of them [Fast R-CNN]
nn_foregroundFraction = 0.25    # share of them that are objects, at most [Fast R-CNN]
nn_posOverlapThres = 0.5        # a ROI with this IoU or more with an object is one [Fast R-CNN]
nn_negOverlapMin = 0.0          # background with this IoU or more is preferred [measured; Fast R-CNN 0.1]
nn_locationWeight = 1.0         # weight of the box offsets' loss, lambda; boxRegression = False: none [Fast R-CNN]
nn_optimizer = "sgd"            # "sgd" with momentum [Fast R-CNN], or "adamw"
nn_learningRates = ((20, 0.001), (5, 0.0001))  # pairs (epochs, learning rate), one after the other [measured]
nn_momentum = 0.9               # of SGD, and AdamW's first beta [Fast R-CNN]
nn_weightDecay = 0.0005         # [Fast R-CNN]
nn_warmupIterations = 100       # the learning rate grows linearly over the first so many steps
nn_clipNorm = 10.0              # greatest L2 norm of a step's gradient
nn_validationFraction = 0.0     # share of the annotated training images that is held out to measure on; 0: none
nn_validationEvery = 5          # epochs from one measurement to the next
nn_patience = 6                 # measurements without a better mAP after which training stops
nn_cacheTrunk = True            # keep the frozen layers' maps of all images on disk while training
svd_rank = ()                   # ranks of the fully connected layers after training, (1024, 256) [Fast R-CNN]; (): all

# ---------------------------------------------------------------------------------------------------------------------
# Post-processing, steps 5 and 6
# ---------------------------------------------------------------------------------------------------------------------
nmsThreshold = 0.3              # of detections of a class that overlap more (IoU), only the best stays [original]
nms_boxVoting = True            # move each detection to the weighted mean of the boxes around it [measured]
nms_votingOverlap = 0.5         # IoU of the boxes that count as being around it [measured]
nms_maxDetections = "auto"      # detections of an image at most; "auto": 100 [COCO], or twice the objects of the
                                # training image with the most of them, where that is more
vis_decisionThresholds = {"svm": 0.0, "nn": 0.5}  # least score drawn; a number: of `classifier` [original: 0.5, None]
vis_maxPictures = 200           # pictures that step 5 draws at most, evenly spread over the images

# ---------------------------------------------------------------------------------------------------------------------
# Evaluation, step 5
# ---------------------------------------------------------------------------------------------------------------------
eval_overlapThreshold = 0.5     # least IoU of a hit [VOC]
eval_use11Points = False        # False: area under the curve [VOC 2010 on]; True: 11 recalls [VOC 2007]
eval_wantedPrecision = 0.9      # the threshold table marks the lowest score threshold with this precision

# ---------------------------------------------------------------------------------------------------------------------
# One block a data set: `classes` and whatever else differs from the defaults above
# ---------------------------------------------------------------------------------------------------------------------
datasets = {
    # 30 rendered images of refrigerators that ship with the project
    "groceryDemo": dict(
        classes=("orange", "eggBox", "joghurt", "ketchup", "squash", "mushroom", "water", "mustard"),
        networkWeights="bundled",
        roi_engine="opencv-quality",
        roi_maxImgDim=500,
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
