"""Results: one folder per variant, published once, found by name.

`import worldgen.catalog` needs neither OpenCV nor PyAV; they are imported where a video is checked.
"""

from worldgen.catalog.catalog import Catalog, LabelWriter, Published
from worldgen.catalog.record import Record, folder_name

__all__ = ["Catalog", "LabelWriter", "Published", "Record", "folder_name"]
