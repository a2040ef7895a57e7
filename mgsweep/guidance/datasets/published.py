"""Where the published data sets are to be had: sizes as served, digests as the publishers or torchvision state them."""

from mgsweep.download import Published

VOC = "https://thor.robots.ox.ac.uk/pascal/VOC/voc2007/"
COCO = "http://images.cocodataset.org/"
COCO_ANNOTATIONS = COCO + "annotations/annotations_trainval2014.zip"

ARCHIVES: dict[str, tuple[Published, ...]] = {
    "voc2007": (
        Published(VOC + "VOCtrainval_06-Nov-2007.tar", 460_032_000, "md5:c52e279531787c972589f7e41ab4ae64"),
        Published(VOC + "VOCtest_06-Nov-2007.tar", 451_020_800, "md5:b6e924de25625d8de591ea690078ad9f"),
    ),
    "coco2014": (
        Published(COCO_ANNOTATIONS, 252_872_794, "md5:0a379cfc70b0e71301e0f377548639bd"),
        Published(COCO + "zips/train2014.zip", 13_510_573_713, "md5:0da8c0bd3d6becc4dcb32757491aca88"),
        Published(COCO + "zips/val2014.zip", 6_645_013_297, "md5:a3d79f5ed8d289b7a7554ce06a5782b3"),
    ),
}
BY_HAND: dict[str, str] = dict.fromkeys(
    ("waterbirds", "waterbirds_reversed"),  # two tasks on the same images
    "waterbird_1.0_forest2water2 is made from CUB-200-2011 and Places by the authors of GALS (Petryk et al., CVPR "
    "2022) and offered with their code; put it, and CUB_200_2011/ with bounding_boxes.txt and images.txt, here",
)
"""What has no archive to be fetched from, and what to do."""


def way_out(dataset: str) -> str:
    """What to do where the folder of a data set with an archive is not there."""
    written = f"data: {{{dataset}: FOLDER}} in the sweep file"
    return f"mgsweep data fetch {dataset}, or say where it lies: {written}, or MGSWEEP_DATA"
