"""Results: one folder per variant, published once, found by name.

`import worldgen.catalog` needs neither OpenCV nor PyAV; they are imported where a video is checked.
"""

from worldgen.catalog.catalog import Catalog
from worldgen.catalog.folder import Published, Writer
from worldgen.catalog.record import Record
from worldgen.catalog.sources import FileDigests
from worldgen.datatypes.naming import folder_name

__all__ = ["Catalog", "FileDigests", "Published", "Record", "Writer", "folder_name"]
