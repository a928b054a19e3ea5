"""Files that appear as a whole or not at all: by a rename, once they are on the disk."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A name to write *path* under; the file is at *path* once the context ends well."""
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield draft
        with open(draft, "rb") as written:
            os.fsync(written.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A stream into *path*, which appears once the context ends well. Raises OSError."""
    with new_file(path) as draft, open(draft, "xb") as stream:
        yield stream
        stream.flush()
