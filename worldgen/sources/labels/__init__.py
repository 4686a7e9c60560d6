"""Labels beside a clip: COCO, KITTI, OpenLABEL and nuScenes-like JSON in; COCO and OpenLABEL out."""

from worldgen.sources.labels.coco_writer import coco_of, write_coco
from worldgen.sources.labels.openlabel_writer import openlabel_of, write_openlabel
from worldgen.sources.labels.reading import read_labels

__all__ = ["coco_of", "openlabel_of", "read_labels", "write_coco", "write_openlabel"]
